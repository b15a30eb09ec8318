/* idat.h - some rows of a picture as one IDAT chunk of a PNG file.
 *
 * A PNG holds one zlib stream. Here it is made in pieces that know nothing of
 * each other: raw deflate, each but the last closed by a sync flush, which
 * ends at a whole byte and leaves the stream open. Put in order they are one
 * stream, and adler32_combine() makes one checksum of theirs.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_IDAT_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_IDAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p13-shm-image/image/image.h"

/* What came of a chunk. Lies in shared memory. */
struct idat {
	uint32_t len;   /* of the chunk, with its frame */
	uint32_t adler; /* of the filtered rows */
	uint64_t raw;   /* their bytes */
};

/* Room enough for that many rows, whatever they hold. More than IDAT_MAX
 * cannot be encoded: PNG allows no longer chunk. */
enum { IDAT_MAX = INT32_MAX };
size_t idat_bound(const struct image_shape *shape, uint32_t rows);

/* Encode rows first … end - 1 of a whole picture into to, which has
 * idat_bound() bytes. Any process, any rows, at the same time. level is
 * zlib's, 0 … 9. Returns 0 or -ENOMEM. */
int idat_encode(const struct image_shape *shape, const uint8_t *pixels,
		uint32_t first, uint32_t end, int level, uint8_t *to,
		struct idat *idat);

#endif
