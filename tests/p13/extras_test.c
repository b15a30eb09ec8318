/* What a PNG says besides its pixels: profile, gamma, primaries, resolution.
 * Written and read back by libpng, through our reader and writer. */
#include "tests/p13/fixture.h"

#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/png_out.h"
#include "p13-shm-image/image/stripe.h"

enum { SIZE = 8, PROFILE = 400 };

/* What libpng finds in a file; zeros for what there is not. */
struct extras {
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

static void get_all(png_structp png, png_infop info, struct extras *extras)
{
	png_fixed_point *c = extras->chrm;
	png_bytep profile;
	png_charp name;
	int method;

	png_get_gAMA_fixed(png, info, &extras->gamma);
	png_get_cHRM_fixed(png, info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5],
			   &c[6], &c[7]);
	png_get_pHYs(png, info, &extras->across, &extras->down, &extras->unit);
	extras->has_srgb = png_get_sRGB(png, info, &extras->intent) != 0;
	if (!png_get_iCCP(png, info, &name, &method, &profile,
			  &extras->profile_len))
		return;
	assert_int_equal(extras->profile_len, PROFILE);
	memcpy(extras->profile, profile, PROFILE);
}

static struct extras extras_of(const uint8_t *bytes, size_t len)
{
	png_structp png =
		png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(png);
	struct reader reader = {bytes, len};
	struct extras extras = {0};

	if (setjmp(png_jmpbuf(png)))
		fail();
	png_set_read_fn(png, &reader, read_bytes);
	png_read_info(png, info);
	get_all(png, info, &extras);
	png_destroy_read_struct(&png, &info, NULL);
	return extras;
}

/* About the least that is a profile of RGB. */
static void set_profile(png_structp png, png_infop info)
{
	static const uint8_t white[] = {0, 0, 0xf6, 0xd6, 0,    1,
					0, 0, 0,    0,    0xd3, 0x2d};
	static const uint8_t kind[] = {'m', 'n', 't', 'r', 'R', 'G',
				       'B', ' ', 'X', 'Y', 'Z', ' '};
	static const uint8_t magic[] = {'a', 'c', 's', 'p'};
	static const uint8_t tag[] = {'t', 'e', 's', 't', 0, 0,
				      0,   144, 0,   0,   1, 0};
	struct rng rng;
	uint8_t profile[PROFILE] = {0, 0, PROFILE >> 8, PROFILE & 255};

	profile[8] = 2;
	memcpy(profile + 12, kind, sizeof(kind));
	memcpy(profile + 36, magic, sizeof(magic));
	memcpy(profile + 68, white, sizeof(white));
	profile[131] = 1; /* tag: its name, offset and length */
	memcpy(profile + 132, tag, sizeof(tag));
	/* libpng refuses what is deflated to next to nothing. */
	rng_seed(&rng, 1);
	rng_fill(&rng, profile + 144, PROFILE - 144);
	png_set_iCCP(png, info, "of a test", PNG_COMPRESSION_TYPE_BASE, profile,
		     PROFILE);
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

/* Read by us and written by us, as that many channels. */
static void pass_through(const struct fixture_png *from, uint32_t channels,
			 struct fixture_png *to)
{
	static struct source source;
	struct image_shape shape = {SIZE, SIZE, channels};
	uint8_t pixels[SIZE * SIZE * 3];
	struct picture picture;
	struct stripe stripe;

	source_from_memory(&source, from->bytes, from->len);
	assert_int_equal(picture_open(&picture, &source, 1000, false), 0);
	assert_int_equal(picture_read(&picture, pixels), 0);
	to->len = png_out_head(to->bytes, &picture, &shape);
	assert_int_equal(stripe_encode(&shape, pixels, 0, SIZE, 1,
				       to->bytes + to->len, &stripe),
			 0);
	to->len += stripe.len;
	to->len += png_out_tail(to->bytes + to->len, &stripe, 1);
	picture_close(&picture);
}

static struct fixture_png in, out;

static void check_kept(void (*set)(png_structp png, png_infop info))
{
	struct extras wanted, got;

	write_file(&in, set);
	pass_through(&in, 3, &out);
	wanted = extras_of(in.bytes, in.len);
	got = extras_of(out.bytes, out.len);
	assert_int_equal(wanted.down, 5670);
	assert_memory_equal(&got, &wanted, sizeof(got));
}

static void gamma_and_primaries_are_kept(void **state)
{
	(void)state;
	check_kept(set_gamma_and_primaries);
	assert_int_equal(extras_of(out.bytes, out.len).gamma, 55555);
	assert_int_equal(extras_of(out.bytes, out.len).chrm[7], 7000);
}

static void srgb_is_kept(void **state)
{
	(void)state;
	check_kept(set_srgb);
	assert_true(extras_of(out.bytes, out.len).has_srgb);
}

static void profile_is_kept(void **state)
{
	(void)state;
	check_kept(set_profile);
	assert_int_equal(extras_of(out.bytes, out.len).profile_len, PROFILE);
}

static void profile_of_colours_is_left_out_of_gray(void **state)
{
	struct extras got;

	(void)state;
	write_file(&in, set_profile);
	pass_through(&in, 1, &out);
	got = extras_of(out.bytes, out.len);
	assert_int_equal(got.profile_len, 0);
	assert_int_equal(got.across, 2835);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gamma_and_primaries_are_kept),
		cmocka_unit_test(srgb_is_kept),
		cmocka_unit_test(profile_is_kept),
		cmocka_unit_test(profile_of_colours_is_left_out_of_gray),
	};
	return SUPPORT_MAIN(tests);
}
