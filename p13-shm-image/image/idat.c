#include "p13-shm-image/image/idat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "p13-shm-image/image/png.h"

enum { FILTER_PAETH = 4, RAW_DEFLATE = -15, MEMORY = 9 };

size_t idat_bound(const struct image_shape *shape, uint32_t rows)
{
	size_t raw = (image_row_bytes(shape) + 1) * rows;

	/* Stored blocks at worst, and those of the sync flush. */
	return raw + raw / 8 + 1024;
}

/* Paeth's predictor without branches, so that compilers vectorise it. */
static uint8_t predict(int left, int up, int corner)
{
	int a = abs(up - corner), b = abs(left - corner);
	int c = abs(left + up - 2 * corner);
	int other = b <= c ? up : corner;

	return (uint8_t)(a <= b && a <= c ? left : other);
}

/* above is NULL for the topmost row. */
static void filter_row(const uint8_t *row, const uint8_t *above, size_t len,
		       size_t pixel, uint8_t *to)
{
	to[0] = FILTER_PAETH;
	to++;
	for (size_t i = 0; i < pixel; i++)
		to[i] = (uint8_t)(row[i] - (above ? above[i] : 0));
	if (!above) {
		for (size_t i = pixel; i < len; i++)
			to[i] = (uint8_t)(row[i] - row[i - pixel]);
		return;
	}
	for (size_t i = pixel; i < len; i++)
		to[i] = (uint8_t)(row[i] - predict(row[i - pixel], above[i],
						   above[i - pixel]));
}

static void encode_rows(const struct image_shape *shape, const uint8_t *pixels,
			uint32_t first, uint32_t end, uint8_t *filtered,
			z_stream *z, struct idat *idat)
{
	size_t len = image_row_bytes(shape);
	uLong adler = adler32(0, NULL, 0);

	for (uint32_t y = first; y < end; y++) {
		const uint8_t *row = pixels + y * len;
		int flush = y + 1 < end           ? Z_NO_FLUSH
			    : end < shape->height ? Z_SYNC_FLUSH
						  : Z_FINISH;

		filter_row(row, y > 0 ? row - len : NULL, len, shape->channels,
			   filtered);
		adler = adler32_z(adler, filtered, len + 1);
		z->next_in = filtered;
		z->avail_in = (uInt)(len + 1);
		deflate(z, flush); /* there is room for all of it */
	}
	idat->adler = (uint32_t)adler;
	idat->raw = (len + 1) * (end - first);
}

int idat_encode(const struct image_shape *shape, const uint8_t *pixels,
		uint32_t first, uint32_t end, int level, uint8_t *to,
		struct idat *idat)
{
	size_t room = idat_bound(shape, end - first) - PNG_OUT_FRAME;
	uint8_t *filtered = malloc(image_row_bytes(shape) + 1);
	z_stream z = {0};

	/* After Paeth's filter little repeats itself but runs: to look for
	 * nothing else is twice as fast as zlib's level 1, and of photographs
	 * the files are smaller. */
	if (!filtered ||
	    deflateInit2(&z, level, Z_DEFLATED, RAW_DEFLATE, MEMORY,
			 level == 1 ? Z_RLE : Z_FILTERED) != Z_OK) {
		free(filtered);
		return -ENOMEM;
	}
	z.next_out = png_out_chunk_bytes(to);
	z.avail_out = room < UINT32_MAX ? (uInt)room : UINT32_MAX;
	encode_rows(shape, pixels, first, end, filtered, &z, idat);
	idat->len = (uint32_t)png_out_frame(to, "IDAT", (uint32_t)z.total_out);
	deflateEnd(&z);
	free(filtered);
	return 0;
}
