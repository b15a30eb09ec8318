/* strict_png.h - what a PNG of 8 bits a channel holds, for tests: read by the
 * letter of the specification, without libpng, and nothing is let pass. */
#ifndef UNIXIPC_TESTS_P13_STRICT_PNG_H
#define UNIXIPC_TESTS_P13_STRICT_PNG_H

#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "p13-shm-image/image/image.h"

static inline uint32_t strict_png_word(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

/* The length of the chunk's data: whole, and its checksum right. */
static inline uint32_t strict_png_chunk(const uint8_t *chunk, size_t left)
{
	uint32_t len;

	assert_true(left >= 12);
	len = strict_png_word(chunk);
	assert_true(len <= left - 12);
	assert_int_equal(strict_png_word(chunk + 8 + len),
			 crc32(0, chunk + 4, len + 4));
	return len;
}

static inline struct image_shape strict_png_shape(const uint8_t *header)
{
	static const uint32_t channels[] = {1, 0, 3, 0, 2, 0, 4};

	assert_int_equal(header[8], 8);
	assert_in_range(header[9], 0, 6);
	assert_true(channels[header[9]] > 0);
	assert_memory_equal(header + 10, "\0\0\0", 3);
	return (struct image_shape){strict_png_word(header),
				    strict_png_word(header + 4),
				    channels[header[9]]};
}

/* One zlib stream, to its last byte: inflate() compares its Adler-32. */
static inline void strict_png_inflate(const uint8_t *stream, size_t len,
				      uint8_t *to, size_t bytes)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)stream,
		      .avail_in = (uInt)len,
		      .next_out = to,
		      .avail_out = (uInt)bytes};

	assert_int_equal(inflateInit(&z), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.avail_out, 0);
	assert_int_equal(inflateEnd(&z), Z_OK);
}

static inline int strict_png_predict(int type, int left, int up, int corner)
{
	int p = left + up - corner;
	int a = abs(p - left), b = abs(p - up), c = abs(p - corner);

	assert_in_range(type, 0, 4);
	if (type == 4)
		return a <= b && a <= c ? left : b <= c ? up : corner;
	return type == 3   ? (left + up) / 2
	       : type == 2 ? up
	       : type == 1 ? left
			   : 0;
}

static inline void strict_png_unfilter(const struct image_shape *shape,
				       const uint8_t *raw, uint8_t *pixels)
{
	size_t row = image_row_bytes(shape), ch = shape->channels;

	for (size_t y = 0; y < shape->height; y++, raw += row + 1) {
		for (size_t x = 0; x < row; x++) {
			uint8_t *at = pixels + y * row + x;
			int left = x >= ch ? at[-(ptrdiff_t)ch] : 0;
			int up = y > 0 ? at[-(ptrdiff_t)row] : 0;
			int corner = x >= ch && y > 0
					     ? at[-(ptrdiff_t)(row + ch)]
					     : 0;

			*at = (uint8_t)(raw[1 + x] +
					strict_png_predict(raw[0], left, up,
							   corner));
		}
	}
}

/* Its pixels, from malloc(). Fails the case where anything is wrong. */
static inline uint8_t *strict_png_read(const void *file, size_t len,
				       struct image_shape *shape)
{
	const uint8_t *bytes = file;
	uint8_t *stream = malloc(len), *raw, *pixels;
	size_t stream_len = 0, raw_len, at = 8;
	uint32_t n;

	assert_non_null(stream);
	assert_true(len > 33);
	assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16);
	*shape = strict_png_shape(bytes + 16);
	for (; memcmp(bytes + at + 4, "IEND", 4) != 0; at += n + 12) {
		n = strict_png_chunk(bytes + at, len - at);
		if (memcmp(bytes + at + 4, "IDAT", 4) != 0) {
			assert_int_equal(stream_len, 0);
			continue;
		}
		memcpy(stream + stream_len, bytes + at + 8, n);
		stream_len += n;
	}
	assert_int_equal(strict_png_chunk(bytes + at, len - at), 0);
	assert_int_equal(at + 12, len);
	raw_len = (image_row_bytes(shape) + 1) * shape->height;
	raw = malloc(raw_len);
	pixels = calloc(1, image_bytes(shape));
	assert_true(raw && pixels);
	strict_png_inflate(stream, stream_len, raw, raw_len);
	strict_png_unfilter(shape, raw, pixels);
	free(stream);
	free(raw);
	return pixels;
}

#endif
