/* All kinds of PNG that there are, against the samples that they were made of:
 * what they mean is worked out here, by the specification, and not asked of
 * libpng, which writes the files and reads them. */
#include "tests/support/support.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "p13-shm-image/image/picture.h"
#include "tests/p13/fixture.h"

enum { SIDE_MAX = 40, BEHIND = 64, DIRT = 0xa5, COLOURS = 11 };

/* A picture as samples: of the colour type's channels, one of a palette. */
struct kind {
	int type, depth;
	bool has_trns, is_interlaced;
	uint32_t width, height;
	uint16_t key[3]; /* the colour that tRNS makes transparent */
	uint8_t palette_alpha[COLOURS - 3]; /* the last ones are opaque */
	uint16_t sample[SIDE_MAX * SIDE_MAX * 4];
};

static uint32_t channels_of(const struct kind *kind)
{
	static const uint32_t channels[] = {1, 0, 3, 1, 2, 0, 4};

	return channels[kind->type];
}

static png_color colour_of(uint16_t index)
{
	return (png_color){(png_byte)(index * 23), (png_byte)(255 - index),
			   (png_byte)(index * index)};
}

static uint32_t palette_size(const struct kind *kind)
{
	return kind->depth < 4 ? 1U << kind->depth : COLOURS;
}

/* Of a low byte that tells 16 bits from 8, and with the key here and there. */
static void fill(struct kind *kind, struct rng *rng)
{
	uint32_t channels = channels_of(kind);
	uint32_t levels = kind->type == PNG_COLOR_TYPE_PALETTE
				  ? palette_size(kind)
				  : 1U << kind->depth;

	for (int c = 0; c < 3; c++)
		kind->key[c] = (uint16_t)rng_below(rng, levels);
	for (size_t i = 0; i < sizeof(kind->palette_alpha); i++)
		kind->palette_alpha[i] = (uint8_t)(31 * i);
	for (uint32_t i = 0; i < kind->width * kind->height; i++) {
		uint16_t *pixel = kind->sample + i * channels;
		uint64_t dice = rng_below(rng, 4);

		for (uint32_t c = 0; c < channels; c++)
			pixel[c] = dice < 2 && c < 3
					   ? kind->key[c]
					   : (uint16_t)rng_below(rng, levels);
		if (dice == 1 && kind->depth == 16)
			pixel[0] ^= 1;
	}
}

/* Samples as the file has them: from the left, the highest bit first. */
static void pack(const struct kind *kind, uint8_t *rows)
{
	size_t row_samples = (size_t)kind->width * channels_of(kind);
	size_t row_bytes = (row_samples * (size_t)kind->depth + 7) / 8;

	memset(rows, 0, row_bytes * kind->height);
	for (size_t i = 0; i < row_samples * kind->height; i++) {
		uint8_t *row = rows + i / row_samples * row_bytes;
		size_t bit = i % row_samples * (size_t)kind->depth;
		uint16_t sample = kind->sample[i];

		if (kind->depth == 16) {
			row[bit / 8] = (uint8_t)(sample >> 8);
			row[bit / 8 + 1] = (uint8_t)sample;
		} else {
			row[bit / 8] |= (uint8_t)(sample << (8 - kind->depth -
							     (int)(bit % 8)));
		}
	}
}

static void set_colours(png_structp png, png_infop info, void *arg)
{
	const struct kind *kind = arg;
	png_color palette[COLOURS];
	png_color_16 key = {.gray = kind->key[0],
			    .red = kind->key[0],
			    .green = kind->key[1],
			    .blue = kind->key[2]};

	for (int i = 0; i < COLOURS; i++)
		palette[i] = colour_of((uint16_t)i);
	if (kind->type == PNG_COLOR_TYPE_PALETTE)
		png_set_PLTE(png, info, palette, (int)palette_size(kind));
	if (kind->has_trns && kind->type == PNG_COLOR_TYPE_PALETTE)
		png_set_tRNS(png, info, kind->palette_alpha,
			     palette_size(kind) < sizeof(kind->palette_alpha)
				     ? (int)palette_size(kind)
				     : (int)sizeof(kind->palette_alpha),
			     NULL);
	else if (kind->has_trns)
		png_set_tRNS(png, info, NULL, 0, &key);
}

static uint8_t level_of(const struct kind *kind, uint32_t sample)
{
	uint32_t most = (1U << kind->depth) - 1;

	return (uint8_t)((sample * 255 + most / 2) / most);
}

/* What a pixel means, as that many channels; returns how many. */
static uint32_t pixel_of(const struct kind *kind, uint32_t i, uint8_t *to)
{
	uint32_t channels = channels_of(kind);
	const uint16_t *pixel = kind->sample + i * channels;
	bool is_key = true;

	if (kind->type == PNG_COLOR_TYPE_PALETTE) {
		png_color colour = colour_of(*pixel);

		memcpy(to, (uint8_t[]){colour.red, colour.green, colour.blue},
		       3);
		to[3] = *pixel < sizeof(kind->palette_alpha)
				? kind->palette_alpha[*pixel]
				: 255;
		return kind->has_trns ? 4 : 3;
	}
	for (uint32_t c = 0; c < channels; c++) {
		to[c] = level_of(kind, pixel[c]);
		is_key = is_key && pixel[c] == kind->key[c % 3];
	}
	if (kind->has_trns)
		to[channels++] = is_key ? 0 : 255;
	return channels;
}

static void check_pixels(const struct kind *kind, const uint8_t *pixels)
{
	uint8_t wanted[4];

	for (uint32_t i = 0; i < kind->width * kind->height; i++) {
		uint32_t channels = pixel_of(kind, i, wanted);

		for (uint32_t c = 0; c < channels; c++)
			if (pixels[i * channels + c] != wanted[c])
				fail_msg("type %d, depth %d, tRNS %d, "
					 "interlace %d, %ux%u: pixel %u,%u "
					 "channel %u: wanted %u, got %u",
					 kind->type, kind->depth,
					 kind->has_trns, kind->is_interlaced,
					 kind->width, kind->height,
					 i % kind->width, i / kind->width, c,
					 wanted[c], pixels[i * channels + c]);
	}
}

/* Read into memory that is dirty, and stays so behind the picture. */
static void check(const struct kind *kind)
{
	static struct source source;
	static struct fixture_png file;
	static uint8_t rows[SIDE_MAX * SIDE_MAX * 8];
	static uint8_t pixels[SIDE_MAX * SIDE_MAX * 4 + BEHIND];
	struct picture picture;
	uint8_t wanted[4];
	uint32_t step = 1 + kind->height % 4;
	size_t bytes;

	pack(kind, rows);
	fixture_encode_with(&file, kind->width, kind->height, kind->type,
			    kind->depth, kind->is_interlaced, rows, set_colours,
			    (void *)(uintptr_t)kind);
	source_from_memory(&source, file.bytes, file.len);
	assert_int_equal(picture_open(&picture, &source, 1 << 20, false), 0);
	assert_int_equal(picture.shape.width, kind->width);
	assert_int_equal(picture.shape.height, kind->height);
	assert_int_equal(picture.shape.channels, pixel_of(kind, 0, wanted));
	assert_int_equal(picture.is_16_bit, kind->depth == 16);
	memset(pixels, DIRT, sizeof(pixels));
	while (picture.rows_read < kind->height)
		assert_int_equal(picture_read_until(&picture, pixels,
						    picture.rows_read + step),
				 0);
	check_pixels(kind, pixels);
	bytes = image_bytes(&picture.shape);
	for (int i = 0; i < BEHIND; i++)
		assert_int_equal(pixels[bytes + (size_t)i], DIRT);
	assert_string_equal(picture.trouble, "");
	picture_close(&picture);
}

/* The smallest have no pixel in some passes of an interlaced picture. */
static void check_sizes(struct kind *kind, struct rng *rng)
{
	static const uint32_t size[][2] = {{1, 1}, {1, 9}, {5, 1},  {2, 3},
					   {4, 5}, {7, 8}, {33, 21}};

	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		kind->width = size[i][0];
		kind->height = size[i][1];
		fill(kind, rng);
		for (int interlace = 0; interlace < 2; interlace++) {
			kind->is_interlaced = interlace;
			check(kind);
		}
	}
}

static void every_kind_of_png_has_the_pixels_that_were_meant(void **state)
{
	static const struct {
		int type, depth;
	} kinds[] = {{0, 1}, {0, 2},  {0, 4},  {0, 8}, {0, 16},
		     {2, 8}, {2, 16}, {3, 1},  {3, 2}, {3, 4},
		     {3, 8}, {4, 8},  {4, 16}, {6, 8}, {6, 16}};
	static struct kind kind;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		kind.type = kinds[i].type;
		kind.depth = kinds[i].depth;
		kind.has_trns = false;
		check_sizes(&kind, &rng);
		if (kind.type & PNG_COLOR_MASK_ALPHA)
			continue;
		kind.has_trns = true;
		check_sizes(&kind, &rng);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_kind_of_png_has_the_pixels_that_were_meant),
	};

	return SUPPORT_MAIN(tests);
}
