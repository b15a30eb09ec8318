#include "p13-shm-image/image/png_out.h"

#include <string.h>
#include <zlib.h>

static const uint8_t SIGNATURE[] = {0x89, 'P',  'N',  'G',
				    '\r', '\n', 0x1a, '\n'};

static void put32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t png_out_frame(uint8_t *chunk, const char *name, uint32_t len)
{
	put32(chunk, len);
	memcpy(chunk + 4, name, 4);
	put32(chunk + 8 + len,
	      (uint32_t)crc32_z(crc32(0, NULL, 0), chunk + 4, len + 4));
	return (size_t)len + PNG_OUT_FRAME;
}

static size_t put_chunk(uint8_t *to, const char *name, const uint8_t *bytes,
			uint32_t len)
{
	if (!to)
		return (size_t)len + PNG_OUT_FRAME;
	memcpy(png_out_chunk_bytes(to), bytes, len);
	return png_out_frame(to, name, len);
}

bool png_out_keeps(const struct picture_extra *extra,
		   const struct picture *picture,
		   const struct image_shape *shape)
{
	bool had_colour = picture->shape.channels >= 3;

	return memcmp(extra->name, "iCCP", 4) != 0 ||
	       had_colour == (shape->channels >= 3);
}

size_t png_out_head(uint8_t *to, const struct picture *picture,
		    const struct image_shape *shape)
{
	static const uint8_t colour_type[] = {0, 0, 4, 2, 6};
	/* 32 KB of window, no dictionary, the fastest level. */
	static const uint8_t zlib_head[] = {0x78, 0x01};
	uint8_t header[13] = {0};
	size_t at = sizeof(SIGNATURE);

	if (to)
		memcpy(to, SIGNATURE, sizeof(SIGNATURE));
	put32(header, shape->width);
	put32(header + 4, shape->height);
	header[8] = 8;
	header[9] = colour_type[shape->channels];
	at += put_chunk(to ? to + at : NULL, "IHDR", header, sizeof(header));
	for (unsigned int i = 0; i < picture->extras; i++) {
		const struct picture_extra *extra = &picture->extra[i];

		if (png_out_keeps(extra, picture, shape))
			at += put_chunk(to ? to + at : NULL, extra->name,
					extra->bytes, extra->len);
	}
	return at + put_chunk(to ? to + at : NULL, "IDAT", zlib_head,
			      sizeof(zlib_head));
}

size_t png_out_tail(uint8_t *to, const struct stripe *stripes, uint32_t n)
{
	uLong adler = adler32(0, NULL, 0);
	uint8_t sum[4];
	size_t len;

	for (uint32_t i = 0; i < n; i++)
		adler = adler32_combine(adler, stripes[i].adler,
					(z_off_t)stripes[i].raw);
	put32(sum, (uint32_t)adler);
	len = put_chunk(to, "IDAT", sum, sizeof(sum));
	return len + put_chunk(to + len, "IEND", sum, 0);
}
