/* Reading and writing pictures: libpng on the other side. */
#include "tests/support/support.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "p13-shm-image/image/filter.h"
#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/png.h"
#include "p13-shm-image/image/pnm.h"
#include "tests/p13/fixture.h"
#include "tests/p13/strict_png.h"

static struct source source;
static struct picture picture;
static struct fixture_png file;
static uint8_t pixels[64 * 64 * 4];

enum { LIMIT = 64 * 64 };

static int read_picture(const void *bytes, size_t len, bool keeps_going)
{
	int error;

	source_from_memory(&source, bytes, len);
	error = picture_open(&picture, &source, LIMIT, keeps_going);
	return error ? error : picture_read(&picture, pixels);
}

static void any_half_of_a_png_is_an_error_and_keeps_its_rows(void **state)
{
	struct image_shape shape = {40, 40, 3};
	uint8_t *rows = fixture_pixels(&shape, 8);
	size_t step = support_is_valgrind() ? 301 : 7;

	(void)state;
	fixture_encode(&file, 40, 40, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	for (size_t len = 0; len < file.len; len += step) {
		uint32_t n;

		assert_int_equal(read_picture(file.bytes, len, false),
				 -EBADMSG);
		assert_true(picture.trouble[0]);
		n = picture.rows_read;
		assert_memory_equal(pixels, rows, n * 120);
		picture_close(&picture);
	}
	free(rows);
}

/* Cut anywhere; libpng's own pieces of pixels are 8 KB, others' are all of
 * them. How many rows are there zlib says. */
static uint32_t rows_before(const struct fixture_png *png, size_t len,
			    size_t row_bytes)
{
	static uint8_t raw[64 * (64 * 3 + 1)];
	z_stream z = {.next_out = raw, .avail_out = sizeof(raw)};
	size_t at = 8, n;

	assert_int_equal(inflateInit(&z), Z_OK);
	for (; at + 8 < len; at += n + PNG_OUT_FRAME) {
		n = strict_png_word(png->bytes + at);
		if (memcmp(png->bytes + at + 4, "IDAT", 4) != 0)
			continue;
		z.next_in = (uint8_t *)(uintptr_t)png->bytes + at + 8;
		z.avail_in = (uInt)(at + 8 + n < len ? n : len - at - 8);
		assert_true(inflate(&z, Z_SYNC_FLUSH) >= Z_OK);
	}
	inflateEnd(&z);
	return (uint32_t)(z.total_out / (row_bytes + 1));
}

static void set_piece(png_structp png, png_infop info, void *arg)
{
	(void)info;
	png_set_compression_buffer_size(png, *(const size_t *)arg);
}

static void cut_png_keeps_every_row_that_is_there(void **state)
{
	struct image_shape shape = {64, 64, 3};
	uint8_t *rows = fixture_pixels(&shape, 21);
	size_t step = support_is_valgrind() ? 1301 : 97;

	(void)state;
	for (size_t piece = 100; piece < 100000; piece *= 30) {
		fixture_encode_with(&file, 64, 64, PNG_COLOR_TYPE_RGB, 8, 0,
				    rows, set_piece, &piece);
		for (size_t len = 60; len < file.len - 20; len += step) {
			assert_int_equal(read_picture(file.bytes, len, true),
					 -EBADMSG);
			assert_string_equal(picture.trouble, "ends too early");
			assert_int_equal(picture.rows_read,
					 rows_before(&file, len, 64 * 3));
			assert_memory_equal(pixels, rows,
					    picture.rows_read * 64 * 3);
			assert_false(picture.is_rough);
			picture_close(&picture);
		}
	}
	free(rows);
}

static void cut_interlaced_png_is_there_in_coarser_blocks(void **state)
{
	uint8_t rows[64 * 64];

	(void)state;
	memset(rows, 77, sizeof(rows));
	fixture_encode_with(&file, 64, 64, PNG_COLOR_TYPE_GRAY, 8, 1, rows,
			    fixture_set_no_compression, NULL);
	for (size_t part = 1; part < 10; part++) {
		memset(pixels, 0, sizeof(pixels));
		assert_int_equal(
			read_picture(file.bytes, file.len * part / 10, true),
			-EBADMSG);
		assert_true(picture.is_rough);
		if (part > 1)
			assert_memory_equal(pixels, rows, sizeof(rows));
		picture_close(&picture);
	}
	assert_int_equal(read_picture(file.bytes, 50, true), -EBADMSG);
	assert_false(picture.is_rough);
	assert_int_equal(picture.rows_read, 0);
	picture_close(&picture);
}

static void wrong_checksums_of_pixels_are_said(void **state)
{
	struct image_shape shape = {40, 40, 3};
	uint8_t *rows = fixture_pixels(&shape, 8);

	(void)state;
	fixture_encode(&file, 40, 40, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	file.bytes[file.len - 13] ^= 1; /* of the chunk */
	assert_int_equal(read_picture(file.bytes, file.len, false), -EBADMSG);
	assert_string_equal(picture.trouble, "IDAT: CRC error");
	picture_close(&picture);
	memset(pixels, 0, sizeof(pixels));
	assert_int_equal(read_picture(file.bytes, file.len, true), 0);
	assert_string_equal(picture.trouble, "IDAT: CRC error");
	assert_memory_equal(pixels, rows, image_bytes(&shape));
	picture_close(&picture);
	free(rows);
}

/* Put these bytes behind the head of the PNG. */
static void insert(const void *bytes, size_t len)
{
	enum { HEAD = 8 + 25 };

	memmove(file.bytes + HEAD + len, file.bytes + HEAD, file.len - HEAD);
	memcpy(file.bytes + HEAD, bytes, len);
	file.len += len;
}

/* They are compressed, so that a small file could be all of memory. */
static void texts_of_a_png_are_not_unpacked(void **state)
{
	uint8_t text[512] = {0}, rows[3] = {0};
	uLongf len = sizeof(text) - PNG_OUT_FRAME - 3;
	char bomb[10000];
	int n;

	(void)state;
	memset(bomb, 'x', sizeof(bomb));
	fixture_encode(&file, 1, 1, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	/* A word, its end, the method. */
	png_out_chunk_bytes(text)[0] = 'a';
	assert_int_equal(compress(png_out_chunk_bytes(text) + 3, &len,
				  (const void *)bomb, sizeof(bomb)),
			 Z_OK);
	insert(text, png_out_frame(text, "zTXt", (uint32_t)len + 3));
	assert_int_equal(read_picture(file.bytes, file.len, false), 0);
	assert_int_equal(png_get_text(picture.png, picture.png_info, NULL, &n),
			 0);
	assert_int_equal(picture.chunks, 2);
	assert_string_equal(picture.left_out, "zTXt");
	picture_close(&picture);
}

static void second_chunk_of_a_name_is_left_out(void **state)
{
	uint8_t gamma[16] = {[11] = 1}, rows[3] = {0};

	(void)state;
	png_out_frame(gamma, "gAMA", 4);
	fixture_encode(&file, 1, 1, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	for (int i = 0; i < 2 * PICTURE_CHUNKS; i++)
		insert(gamma, sizeof(gamma));
	assert_int_equal(read_picture(file.bytes, file.len, false), 0);
	assert_int_equal(picture.chunks, 2);
	assert_memory_equal(picture.chunk[0].name, "gAMA", 4);
	assert_memory_equal(picture.chunk[1].name, "pHYs", 4);
	picture_close(&picture);
}

static void damaged_chunks_are_left_out_and_named(void **state)
{
	uint8_t gamma[16] = {0}, intent[13] = {0}, rows[3] = {0};

	(void)state;
	png_out_frame(gamma, "gAMA", 4);
	gamma[15] ^= 1; /* of its checksum */
	png_out_frame(intent, "sRGB", 1);
	intent[12] ^= 1;
	fixture_encode(&file, 1, 1, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	insert(intent, sizeof(intent));
	insert(gamma, sizeof(gamma)); /* in front of it */
	assert_int_equal(read_picture(file.bytes, file.len, false), 0);
	assert_int_equal(picture.chunks, 1);
	assert_memory_equal(picture.chunk[0].name, "pHYs", 4);
	assert_string_equal(picture.left_out,
			    "gAMA (CRC error), sRGB (CRC error)");
	picture_close(&picture);
}

static void png_with_a_flipped_bit_is_an_error_or_right(void **state)
{
	struct image_shape shape = {20, 20, 3};
	uint8_t *rows = fixture_pixels(&shape, 9);
	size_t step = support_is_valgrind() ? 101 : 3;

	(void)state;
	fixture_encode(&file, 20, 20, PNG_COLOR_TYPE_RGB, 8, 0, rows);
	for (size_t at = 0; at < file.len; at += step) {
		file.bytes[at] ^= 0x10;
		if (read_picture(file.bytes, file.len, false) == 0)
			assert_memory_equal(pixels, rows, 20 * 20 * 3);
		picture_close(&picture);
		file.bytes[at] ^= 0x10;
	}
	free(rows);
}

static void picture_beyond_the_limit_is_refused_by_its_head(void **state)
{
	static const char huge[] = "P6 60000 60000 255\n";
	uint8_t rows[65 * 64] = {0};

	(void)state;
	assert_int_equal(read_picture(huge, sizeof(huge) - 1, false), -EFBIG);
	picture_close(&picture);
	fixture_encode(&file, 65, 64, PNG_COLOR_TYPE_GRAY, 8, 0, rows);
	assert_int_equal(read_picture(file.bytes, file.len, false), -EFBIG);
	picture_close(&picture);
}

static void pnm_heads_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"P",
		"P6",
		"P6 ",
		"P6 0 1 255\nxxx",
		"P6 1 0 255\nxxx",
		"P6 -1 1 255\nxxx",
		"P6 1 1 0\nxxx",
		"P6 1 1 65536\nxxx",
		"P6 99999999999 1 255\n",
		"P6 2147483648 1 255\n",
		"P6 00000000000000000000000000000001 1 255\nxxx",
		"P6 1 1 255\nxx",
		"P3 1 1 255\n1 2 3\n",
		"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\nxxxxx",
		"P7\nWIDTH 1\nENDHDR\n",
		"P7\nWHAT 1\nENDHDR\n",
		"P6 # a comment without end",
		"GIF89a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_picture(bad[i], strlen(bad[i]), false),
				 -EBADMSG);
		assert_true(picture.trouble[0]);
		picture_close(&picture);
	}
}

/* A PAM of that depth and kind, of which 4 bytes follow. */
static int read_pam(int depth, const char *type)
{
	char pam[200];
	int n = snprintf(pam, sizeof(pam),
			 "P7\nWIDTH 1\nHEIGHT 1\nDEPTH %d\nMAXVAL 255\n"
			 "%s%sENDHDR\n1234",
			 depth, type, *type ? "\n" : "");

	return read_picture(pam, (size_t)n, false);
}

static void pam_is_read_as_what_its_tuples_are(void **state)
{
	static const char *const types[][3] = {
		{"TUPLTYPE GRAYSCALE", "TUPLTYPE BLACKANDWHITE", ""},
		{"TUPLTYPE GRAYSCALE_ALPHA", "TUPLTYPE BLACKANDWHITE_ALPHA",
		 ""},
		{"TUPLTYPE RGB", "", ""},
		{"TUPLTYPE RGB_ALPHA", "", ""},
	};

	(void)state;
	for (int type = 0; type < 4; type++) {
		for (int i = 0; i < 3; i++) {
			for (int depth = 1; depth <= 4; depth++) {
				bool fits =
					!*types[type][i] || depth == type + 1;

				assert_int_equal(
					read_pam(depth, types[type][i]),
					fits ? 0 : -EBADMSG);
				picture_close(&picture);
			}
		}
	}
	assert_int_equal(read_pam(4, "TUPLTYPE CMYK"), -EBADMSG);
	assert_string_equal(picture.trouble,
			    "TUPLTYPE CMYK with DEPTH 4 is not read");
	picture_close(&picture);
	assert_int_equal(read_pam(3, "TUPLTYPE RGB X"), -EBADMSG);
	picture_close(&picture);
	assert_int_equal(read_pam(3, "TUPLTYPE RGB\nTUPLTYPE RGB"), -EBADMSG);
	picture_close(&picture);
}

static void pnm_of_other_ranges_is_scaled(void **state)
{
	static const char small[] = "P5 # comment\n3 1\n15\n\x00\x08\x0f";
	static const char beyond[] = "P5 2 1 15\n\x0f\x1f";
	static const char wide[] = "P5 2 1 65535\n\x80\x00\xff\xff";

	(void)state;
	assert_int_equal(read_picture(small, sizeof(small) - 1, false), 0);
	assert_memory_equal(pixels, "\x00\x88\xff", 3);
	picture_close(&picture);
	assert_int_equal(read_picture(beyond, sizeof(beyond) - 1, false), 0);
	assert_memory_equal(pixels, "\xff\xff", 2);
	picture_close(&picture);
	assert_int_equal(read_picture(wide, sizeof(wide) - 1, false), 0);
	assert_true(picture.is_16_bit);
	assert_memory_equal(pixels, "\x80\xff", 2);
	picture_close(&picture);
}

/* Written in IDAT chunks of that many rows, and read by the letter. */
static void check_idat_chunks(uint32_t channels, uint32_t rows, int level)
{
	struct image_shape shape = {50, 60, channels}, read;
	uint8_t *wanted = fixture_pixels(&shape, channels), *got;
	struct picture none = {.shape = shape};
	struct idat idat[60];
	size_t len = png_out_head(file.bytes, &none, &shape);
	uint32_t n = 0;

	assert_int_equal(len, png_out_head(NULL, &none, &shape));
	for (uint32_t y = 0; y < 60; y += rows, n++) {
		uint32_t end = y + rows < 60 ? y + rows : 60;

		assert_int_equal(idat_encode(&shape, wanted, y, end, level,
					     file.bytes + len, &idat[n]),
				 0);
		assert_true(idat[n].len <= idat_bound(&shape, end - y));
		len += idat[n].len;
	}
	len += png_out_tail(file.bytes + len, idat, n);
	got = strict_png_read(file.bytes, len, &read);
	assert_memory_equal(&read, &shape, sizeof(shape));
	assert_memory_equal(got, wanted, image_bytes(&shape));
	memset(pixels, 0, sizeof(pixels));
	assert_int_equal(read_picture(file.bytes, len, false), 0);
	assert_memory_equal(pixels, wanted, image_bytes(&shape));
	picture_close(&picture);
	free(wanted);
	free(got);
}

static void idat_chunks_together_are_one_png(void **state)
{
	(void)state;
	for (uint32_t channels = 1; channels <= 4; channels++)
		for (uint32_t rows = 1; rows <= 60; rows += 13)
			check_idat_chunks(channels, rows, (int)(rows % 10));
	check_idat_chunks(3, 7, 0);
	check_idat_chunks(3, 7, 9);
}

static void filters_do_what_they_are_called(void **state)
{
	struct image_shape shape = {3, 2, 4};
	static const uint8_t in[] = {255, 0,   0,   9, 0,   255, 0,   8,
				     0,   0,   255, 7, 0,   0,   0,   6,
				     255, 255, 255, 5, 128, 128, 128, 4};
	uint8_t out[24];
	struct filter filter;

	(void)state;
	filter_init(&filter, FILTER_INVERT, &shape, 2, 128);
	assert_int_equal(filter_rows(&filter, in, out, 0, 2), 0);
	for (int i = 0; i < 24; i++)
		assert_int_equal(out[i], i % 4 == 3 ? in[i] : 255 - in[i]);
	filter_init(&filter, FILTER_GRAYSCALE, &shape, 2, 128);
	assert_int_equal(filter.out.channels, 2);
	assert_int_equal(filter_rows(&filter, in, out, 0, 2), 0);
	assert_memory_equal(out,
			    "\x36\x09\xb6\x08\x13\x07\x00\x06\xff\x05"
			    "\x80\x04",
			    12);
	filter_init(&filter, FILTER_THRESHOLD, &shape, 2, 128);
	assert_int_equal(filter_rows(&filter, in, out, 0, 2), 0);
	assert_memory_equal(out,
			    "\x00\x09\xff\x08\x00\x07\x00\x06\xff\x05"
			    "\xff\x04",
			    12);
}

static void edge_and_sharpen_see_a_step_and_nothing_else(void **state)
{
	struct image_shape shape = {8, 3, 1};
	uint8_t in[24], out[24];
	struct filter filter;

	(void)state;
	for (int i = 0; i < 24; i++)
		in[i] = i % 8 < 4 ? 100 : 120;
	filter_init(&filter, FILTER_EDGE, &shape, 2, 128);
	assert_int_equal(filter_rows(&filter, in, out, 0, 3), 0);
	for (int i = 0; i < 24; i++)
		assert_int_equal(out[i], i % 8 == 3 || i % 8 == 4 ? 80 : 0);
	filter_init(&filter, FILTER_SHARPEN, &shape, 0.5, 128);
	assert_int_equal(filter_rows(&filter, in, out, 0, 3), 0);
	assert_int_equal(out[0], 100);
	assert_in_range(out[3], 95, 99);
	assert_in_range(out[4], 121, 125);
	assert_int_equal(out[7], 120);
}

/* Whatever a filter makes of an invisible pixel, nobody sees. */
static void colours_of_invisible_pixels_change_nothing_that_is_seen(
	void **state)
{
	struct image_shape shape = {16, 12, 4};
	uint8_t *in[2] = {fixture_pixels(&shape, 4), fixture_pixels(&shape, 4)};
	uint8_t out[2][16 * 12 * 4];
	struct filter filter;

	(void)state;
	for (size_t i = 0; i < sizeof(out[0]); i++)
		if (in[1][i | 3] == 0 && i % 4 < 3)
			in[1][i] ^= 0x55;
	for (int kind = 0; kind < FILTER_KINDS; kind++) {
		filter_init(&filter, (enum filter_kind)kind, &shape, 1, 128);
		for (int i = 0; i < 2; i++)
			assert_int_equal(
				filter_rows(&filter, in[i], out[i], 0, 12), 0);
		for (size_t i = 0; i < 16UL * 12; i++) {
			uint32_t channels = filter.out.channels;
			size_t at = i * channels;

			if (out[0][at + channels - 1] > 0)
				assert_memory_equal(out[0] + at, out[1] + at,
						    channels);
		}
	}
	free(in[0]);
	free(in[1]);
}

/* Beside an invisible pixel there is no edge, and half of one where it is half
 * to be seen. */
static void edge_sees_neighbours_as_far_as_they_are_opaque(void **state)
{
	struct image_shape shape = {2, 1, 2};
	static const uint8_t alpha[] = {0, 51, 255}, wanted[] = {0, 16, 80};
	struct filter filter;

	(void)state;
	filter_init(&filter, FILTER_EDGE, &shape, 2, 128);
	for (int i = 0; i < 3; i++) {
		uint8_t in[] = {100, 255, 120, alpha[i]}, out[4];

		assert_int_equal(filter_rows(&filter, in, out, 0, 1), 0);
		assert_int_equal(out[0], wanted[i]);
		assert_int_equal(out[1], 255);
		assert_int_equal(out[3], alpha[i]);
	}
}

static void pam_is_written_where_there_is_alpha(void **state)
{
	struct image_shape shape = {2, 3, 3};
	char head[PNM_OUT_HEAD_MAX + 1] = "";

	(void)state;
	pnm_out_head(head, &shape, false);
	assert_string_equal(head, "P6\n2 3\n255\n");
	shape.channels = 4;
	pnm_out_head(head, &shape, false);
	assert_string_equal(head, "P7\nWIDTH 2\nHEIGHT 3\nDEPTH 4\nMAXVAL 255\n"
				  "TUPLTYPE RGB_ALPHA\nENDHDR\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			any_half_of_a_png_is_an_error_and_keeps_its_rows),
		cmocka_unit_test(cut_png_keeps_every_row_that_is_there),
		cmocka_unit_test(cut_interlaced_png_is_there_in_coarser_blocks),
		cmocka_unit_test(wrong_checksums_of_pixels_are_said),
		cmocka_unit_test(texts_of_a_png_are_not_unpacked),
		cmocka_unit_test(second_chunk_of_a_name_is_left_out),
		cmocka_unit_test(damaged_chunks_are_left_out_and_named),
		cmocka_unit_test(png_with_a_flipped_bit_is_an_error_or_right),
		cmocka_unit_test(
			picture_beyond_the_limit_is_refused_by_its_head),
		cmocka_unit_test(pnm_heads_that_are_none_are_refused),
		cmocka_unit_test(pam_is_read_as_what_its_tuples_are),
		cmocka_unit_test(pnm_of_other_ranges_is_scaled),
		cmocka_unit_test(idat_chunks_together_are_one_png),
		cmocka_unit_test(filters_do_what_they_are_called),
		cmocka_unit_test(edge_and_sharpen_see_a_step_and_nothing_else),
		cmocka_unit_test(
			colours_of_invisible_pixels_change_nothing_that_is_seen),
		cmocka_unit_test(
			edge_sees_neighbours_as_far_as_they_are_opaque),
		cmocka_unit_test(pam_is_written_where_there_is_alpha),
	};
	return SUPPORT_MAIN(tests);
}
