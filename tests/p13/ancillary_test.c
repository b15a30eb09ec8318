/* What a PNG says besides its pixels: profile, gamma, primaries, resolution.
 * Written and read back by libpng, through our reader and writer. */
#include "tests/p13/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include "p13-shm-image/image/ancillary.h"
#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/png.h"
#include "p13-shm-image/image/idat.h"

enum { SIZE = 8, PROFILE = 400 };

/* What libpng finds in a file; zeros for what there is not. */
struct ancillary {
	png_fixed_point gamma, chrm[8];
	png_uint_32 across, down;
	int unit, intent, has_srgb;
	png_uint_32 profile_len;
	uint8_t profile[PROFILE];
};

struct reader {
	const uint8_t *at;
	size_t left;
};

static void read_bytes(png_structp png, png_bytep buf, size_t len)
{
	struct reader *reader = png_get_io_ptr(png);

	if (len > reader->left)
		png_error(png, "too short");
	memcpy(buf, reader->at, len);
	reader->at += len;
	reader->left -= len;
}

static void get_all(png_structp png, png_infop info,
		    struct ancillary *ancillary)
{
	png_fixed_point *c = ancillary->chrm;
	png_bytep profile;
	png_charp name;
	int method;

	png_get_gAMA_fixed(png, info, &ancillary->gamma);
	png_get_cHRM_fixed(png, info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5],
			   &c[6], &c[7]);
	png_get_pHYs(png, info, &ancillary->across, &ancillary->down,
		     &ancillary->unit);
	ancillary->has_srgb = png_get_sRGB(png, info, &ancillary->intent) != 0;
	if (!png_get_iCCP(png, info, &name, &method, &profile,
			  &ancillary->profile_len))
		return;
	assert_int_equal(ancillary->profile_len, PROFILE);
	memcpy(ancillary->profile, profile, PROFILE);
}

static struct ancillary ancillary_of(const uint8_t *bytes, size_t len)
{
	png_structp png =
		png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	struct reader reader = {bytes, len};
	struct ancillary ancillary = {0};

	if (setjmp(png_jmpbuf(png)))
		fail();
	png_set_read_fn(png, &reader, read_bytes);
	png_read_info(png, info);
	get_all(png, info, &ancillary);
	png_destroy_read_struct(&png, &info, NULL);
	return ancillary;
}

/* About the least that is a profile of RGB. */
static const uint8_t *good_profile(void)
{
	static const uint8_t white[] = {0, 0, 0xf6, 0xd6, 0,    1,
					0, 0, 0,    0,    0xd3, 0x2d};
	static const uint8_t kind[] = {'m', 'n', 't', 'r', 'R', 'G',
				       'B', ' ', 'X', 'Y', 'Z', ' '};
	static const uint8_t magic[] = {'a', 'c', 's', 'p'};
	static const uint8_t tag[] = {'t', 'e', 's', 't', 0, 0,
				      0,   144, 0,   0,   1, 0};
	struct rng rng;
	static uint8_t profile[PROFILE] = {0, 0, PROFILE >> 8, PROFILE & 255};

	profile[8] = 2;
	memcpy(profile + 12, kind, sizeof(kind));
	memcpy(profile + 36, magic, sizeof(magic));
	memcpy(profile + 68, white, sizeof(white));
	profile[131] = 1; /* tag: its name, offset and length */
	memcpy(profile + 132, tag, sizeof(tag));
	/* libpng refuses what is deflated to next to nothing. */
	rng_seed(&rng, 1);
	rng_fill(&rng, profile + 144, PROFILE - 144);
	return profile;
}

static void set_profile(png_structp png, png_infop info)
{
	png_set_iCCP(png, info, "of a test", PNG_COMPRESSION_TYPE_BASE,
		     good_profile(), PROFILE);
}

static void set_gamma_and_primaries(png_structp png, png_infop info)
{
	png_set_gAMA_fixed(png, info, 55555);
	png_set_cHRM_fixed(png, info, 31000, 32000, 65000, 34000, 31000, 59000,
			   16000, 7000);
}

static void set_srgb(png_structp png, png_infop info)
{
	png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
}

static void write_file(struct fixture_png *file,
		       void (*set)(png_structp png, png_infop info))
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
						  NULL, NULL);
	png_infop info = png_create_info_struct(png);
	uint8_t row[SIZE * 3] = {1, 2, 3};

	file->len = 0;
	if (setjmp(png_jmpbuf(png)))
		fail();
	png_set_write_fn(png, file, fixture_write, fixture_flush);
	png_set_IHDR(png, info, SIZE, SIZE, 8, PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	set(png, info);
	png_set_pHYs(png, info, 2835, 5670, PNG_RESOLUTION_METER);
	png_write_info(png, info);
	for (int y = 0; y < SIZE; y++)
		png_write_row(png, row);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
}

/* What was said by the last of pass_through(). */
static char left_out[600];

/* Read by us and written by us, as that many channels. */
static void pass_through(const struct fixture_png *from, uint32_t channels,
			 struct fixture_png *to)
{
	static struct source source;
	struct image_shape shape = {SIZE, SIZE, channels};
	uint8_t pixels[SIZE * SIZE * 3];
	struct picture picture;
	struct idat idat;

	source_from_memory(&source, from->bytes, from->len);
	assert_int_equal(picture_open(&picture, &source, 1000, false), 0);
	assert_int_equal(picture_read(&picture, pixels), 0);
	to->len = png_out_head(to->bytes, &picture, &shape);
	assert_int_equal(idat_encode(&shape, pixels, 0, SIZE, 1,
				     to->bytes + to->len, &idat),
			 0);
	to->len += idat.len;
	to->len += png_out_tail(to->bytes + to->len, &idat, 1);
	memcpy(left_out, picture.left_out, sizeof(left_out));
	picture_close(&picture);
}

static struct fixture_png in, out;

static void check_kept(void (*set)(png_structp png, png_infop info))
{
	struct ancillary wanted, got;

	write_file(&in, set);
	pass_through(&in, 3, &out);
	wanted = ancillary_of(in.bytes, in.len);
	got = ancillary_of(out.bytes, out.len);
	assert_int_equal(wanted.down, 5670);
	assert_memory_equal(&got, &wanted, sizeof(got));
}

static void gamma_and_primaries_are_kept(void **state)
{
	(void)state;
	check_kept(set_gamma_and_primaries);
	assert_int_equal(ancillary_of(out.bytes, out.len).gamma, 55555);
	assert_int_equal(ancillary_of(out.bytes, out.len).chrm[7], 7000);
}

static void srgb_is_kept(void **state)
{
	(void)state;
	check_kept(set_srgb);
	assert_true(ancillary_of(out.bytes, out.len).has_srgb);
}

static void profile_is_kept(void **state)
{
	(void)state;
	check_kept(set_profile);
	assert_int_equal(ancillary_of(out.bytes, out.len).profile_len, PROFILE);
}

static void profile_of_colours_is_left_out_of_gray(void **state)
{
	struct ancillary got;

	(void)state;
	write_file(&in, set_profile);
	pass_through(&in, 1, &out);
	got = ancillary_of(out.bytes, out.len);
	assert_int_equal(got.profile_len, 0);
	assert_int_equal(got.across, 2835);
}

static void add_chunk(struct fixture_png *file, size_t at, const char *name,
		      const void *bytes, uint32_t len)
{
	memmove(file->bytes + at + len + PNG_OUT_FRAME, file->bytes + at,
		file->len - at);
	memcpy(png_out_chunk_bytes(file->bytes + at), bytes, len);
	file->len += png_out_frame(file->bytes + at, name, len);
}

static bool has_chunk(const struct fixture_png *file, const char *name,
		      const void *bytes, uint32_t len)
{
	static uint8_t chunk[10100];
	size_t size;

	memcpy(png_out_chunk_bytes(chunk), bytes, len);
	size = png_out_frame(chunk, name, len);
	return memmem(file->bytes, file->len, chunk, size) != NULL;
}

enum { BEHIND_HEAD = 33, END_BYTES = PNG_OUT_FRAME };

static void set_nothing(png_structp png, png_infop info)
{
	(void)png;
	(void)info;
}

/* What is said when a chunk of these bytes stands behind the head, of a
 * picture of colours, and whether it is in the output. */
static void check_chunk(const char *name, const void *bytes, uint32_t len,
			const char *wanted)
{
	write_file(&in, set_nothing);
	add_chunk(&in, BEHIND_HEAD, name, bytes, len);
	pass_through(&in, 3, &out);
	assert_string_equal(left_out, wanted);
	assert_int_equal(has_chunk(&out, name, bytes, len), !*wanted);
}

static void what_matters_to_the_eye_is_kept_or_said(void **state)
{
	static const struct {
		const char *name, *bytes;
		uint32_t len;
		const char *wanted;
	} chunks[] = {
		{"gAMA", "\0\0\xb1\x8f", 4, ""},
		{"gAMA", "\0\0\0", 4, "gAMA (has no such value)"},
		{"gAMA", "\x80\0\0", 4, "gAMA (has no such value)"},
		{"gAMA", "\0\0\xb1\x8f", 3, "gAMA (has another length)"},
		{"gAMA", "\0\0\xb1\x8f", 5, "gAMA (has another length)"},
		{"cHRM", "\0\0\0\1\0\0\0\1.2345678901234567890123", 32, ""},
		{"cHRM", "\0\0\0\1\0\0\0\0.2345678901234567890123", 32,
		 "cHRM (has no such value)"},
		{"sRGB", "\3", 1, ""},
		{"sRGB", "\4", 1, "sRGB (has no such value)"},
		{"cICP", "\x9\x10\0\1", 4, ""},
		{"cICP", "\x9\x10\1\1", 4, "cICP (has no such value)"},
		{"cICP", "\x9\x10\0\2", 4, "cICP (has no such value)"},
		{"mDCV", "123456789012345678901234", 24, ""},
		{"cLLI", "12345678", 8, ""},
		{"cLLI", "1234567", 7, "cLLI (has another length)"},
		{"eXIf", "II*\0tags", 8, ""},
		{"eXIf", "MM\0*", 4, ""},
		{"eXIf", "II*", 3, "eXIf (has another length)"},
		{"eXIf", "Exif\0\0II*", 9, "eXIf (has no such value)"},
		{"iCCP", "", 0, "iCCP"},
		{"tEXt", "Comment\0none", 12, "tEXt"},
		{"acTL", "\0\0\0\2\0\0\0", 8, "acTL"},
		{"tIME", "2026---", 7, "tIME"},
		{"tRNS", "", 0, "tRNS (invalid)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		check_chunk(chunks[i].name, chunks[i].bytes, chunks[i].len,
			    chunks[i].wanted);
}

/* As png_set_iCCP() has packed it, or with one byte of it changed. */
static void check_profile(uint32_t at, uint8_t value, const char *wanted)
{
	uint8_t chunk[1000] = "of a test\0", profile[PROFILE];
	uLongf len = sizeof(chunk) - 11;

	memcpy(profile, good_profile(), PROFILE);
	profile[at] = value;
	assert_int_equal(compress(chunk + 11, &len, profile, PROFILE), Z_OK);
	check_chunk("iCCP", chunk, (uint32_t)len + 11, wanted);
}

static void profile_that_is_none_is_not_kept(void **state)
{
	uint8_t chunk[1000] = "x\0";
	uLongf len = sizeof(chunk) - 3;

	(void)state;
	check_profile(131, 1, "");
	check_profile(16, 'X', "iCCP (is of other colours)");
	check_profile(36, 'X', "iCCP (is no profile)");
	check_profile(3, 0, "iCCP (is no profile)");
	assert_int_equal(compress(chunk + 3, &len, good_profile(), PROFILE),
			 Z_OK);
	check_chunk("iCCP", chunk, (uint32_t)len + 3, "");
	check_chunk("iCCP", chunk, (uint32_t)len + 2,
		    "iCCP (cannot be unpacked)");
	chunk[50] ^= 1;
	check_chunk("iCCP", chunk, (uint32_t)len + 3,
		    "iCCP (cannot be unpacked)");
	chunk[2] = 1;
	check_chunk("iCCP", chunk, (uint32_t)len + 3,
		    "iCCP (is packed in no known way)");
	check_chunk("iCCP", chunk, 2, "iCCP (is packed in no known way)");
	chunk[0] = '\0';
	check_chunk("iCCP", chunk, (uint32_t)len + 3, "iCCP (has no name)");
	memset(chunk, 'x', sizeof(chunk));
	check_chunk("iCCP", chunk, 1000, "iCCP (has no name)");
}

/* 8 MB are not all that 8 KB can be. */
static void profile_that_unpacks_without_end_is_not_kept(void **state)
{
	enum { BYTES = ANCILLARY_MAX + 4096 };
	uint8_t *bomb = calloc(BYTES, 1), chunk[10000] = "x\0";
	uLongf len = sizeof(chunk) - 3;

	(void)state;
	assert_non_null(bomb);
	memcpy(bomb, good_profile(), PROFILE);
	bomb[1] = BYTES >> 16; /* and says so */
	bomb[2] = BYTES >> 8 & 255;
	bomb[3] = BYTES & 255;
	assert_int_equal(compress(chunk + 3, &len, bomb, BYTES), Z_OK);
	check_chunk("iCCP", chunk, (uint32_t)len + 3,
		    "iCCP (cannot be unpacked)");
	free(bomb);
}

static void what_comes_after_the_pixels_is_said(void **state)
{
	(void)state;
	write_file(&in, set_nothing);
	add_chunk(&in, in.len - END_BYTES, "tEXt", "Date\0today", 10);
	add_chunk(&in, in.len - END_BYTES, "eXIf", "MM\0*", 4);
	add_chunk(&in, in.len - END_BYTES, "fdAT", "\0\0\0\2more", 8);
	pass_through(&in, 3, &out);
	assert_string_equal(left_out,
			    "tEXt, eXIf (comes after the pixels), fdAT");
}

static void many_kinds_that_are_not_kept_are_named_up_to_a_limit(void **state)
{
	char wanted[600] = "", name[5] = "aaAa";

	(void)state;
	write_file(&in, set_nothing);
	for (int i = 0; i < 20; i++) {
		name[0] = (char)('t' - i);
		add_chunk(&in, BEHIND_HEAD, name, "", 0);
	}
	for (int i = 0; i < 15; i++)
		snprintf(wanted + strlen(wanted), 10, "%s%caAa", i ? ", " : "",
			 'a' + i);
	snprintf(wanted + strlen(wanted), 12, " and others");
	pass_through(&in, 3, &out);
	assert_string_equal(left_out, wanted);
}

static void unknown_chunk_that_pixels_depend_on_is_an_error(void **state)
{
	static struct source source;
	struct picture picture;

	(void)state;
	write_file(&in, set_nothing);
	add_chunk(&in, BEHIND_HEAD, "XxXX", "", 0);
	source_from_memory(&source, in.bytes, in.len);
	assert_int_equal(picture_open(&picture, &source, 1000, true), -EBADMSG);
	assert_string_equal(picture.trouble, "XxXX: unhandled critical chunk");
	picture_close(&picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gamma_and_primaries_are_kept),
		cmocka_unit_test(srgb_is_kept),
		cmocka_unit_test(profile_is_kept),
		cmocka_unit_test(profile_of_colours_is_left_out_of_gray),
		cmocka_unit_test(what_matters_to_the_eye_is_kept_or_said),
		cmocka_unit_test(profile_that_is_none_is_not_kept),
		cmocka_unit_test(profile_that_unpacks_without_end_is_not_kept),
		cmocka_unit_test(what_comes_after_the_pixels_is_said),
		cmocka_unit_test(
			many_kinds_that_are_not_kept_are_named_up_to_a_limit),
		cmocka_unit_test(
			unknown_chunk_that_pixels_depend_on_is_an_error),
	};
	return SUPPORT_MAIN(tests);
}
