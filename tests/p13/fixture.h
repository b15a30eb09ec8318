/* fixture.h - pictures for the tests of p13, made on the spot. */
#ifndef UNIXIPC_TESTS_P13_FIXTURE_H
#define UNIXIPC_TESTS_P13_FIXTURE_H

#include "tests/support/support.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"
#include "p13-shm-image/image/image.h"

/* Noise on the left, areas with hard edges on the right. */
static inline uint8_t *fixture_pixels(const struct image_shape *shape,
				      uint64_t seed)
{
	size_t row_bytes = image_row_bytes(shape);
	uint8_t *pixels = malloc(image_bytes(shape));
	struct rng rng;

	assert_non_null(pixels);
	rng_seed(&rng, seed);
	rng_fill(&rng, pixels, image_bytes(shape));
	for (uint32_t y = 0; y < shape->height; y++)
		for (size_t x = row_bytes / 2; x < row_bytes; x++)
			pixels[y * row_bytes + x] =
				((x / 24 + y / 13) & 1) ? 255 : 0;
	return pixels;
}

/* A PNG file being written into memory. */
struct fixture_png {
	uint8_t bytes[1 << 20];
	size_t len;
};

static inline void fixture_write(png_structp png, png_bytep buf, size_t len)
{
	struct fixture_png *file = png_get_io_ptr(png);

	if (file->len + len > sizeof(file->bytes))
		png_error(png, "too long for a fixture");
	memcpy(file->bytes + file->len, buf, len);
	file->len += len;
}

static inline void fixture_flush(png_structp png)
{
	(void)png;
}

/* rows: raw, of the type and depth. set adds to what stands in front of
 * them. */
static inline void fixture_encode_with(
	struct fixture_png *file, uint32_t width, uint32_t height, int type,
	int depth, int interlace, const uint8_t *rows,
	void (*set)(png_structp png, png_infop info, void *arg), void *arg)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
						  NULL, NULL);
	png_infop info = png_create_info_struct(png);
	size_t row_bytes;

	file->len = 0;
	if (setjmp(png_jmpbuf(png)))
		fail();
	png_set_write_fn(png, file, fixture_write, fixture_flush);
	png_set_IHDR(png, info, width, height, depth, type, interlace,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	set(png, info, arg);
	png_write_info(png, info);
	row_bytes = png_get_rowbytes(png, info);
	for (int pass = png_set_interlace_handling(png); pass > 0; pass--)
		for (uint32_t y = 0; y < height; y++)
			png_write_row(png, rows + y * row_bytes);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
}

static inline void fixture_set_ancillary(png_structp png, png_infop info,
					 void *arg)
{
	(void)arg;
	png_set_gAMA(png, info, 0.45455);
	png_set_pHYs(png, info, 2835, 2835, PNG_RESOLUTION_METER);
}

/* So that each pass of an interlaced picture has its share of the file. */
static inline void fixture_set_no_compression(png_structp png, png_infop info,
					      void *arg)
{
	(void)info;
	(void)arg;
	png_set_compression_level(png, 0);
}

/* With gamma and resolution. */
static inline void fixture_encode(struct fixture_png *file, uint32_t width,
				  uint32_t height, int type, int depth,
				  int interlace, const uint8_t *rows)
{
	fixture_encode_with(file, width, height, type, depth, interlace, rows,
			    fixture_set_ancillary, NULL);
}

#endif
