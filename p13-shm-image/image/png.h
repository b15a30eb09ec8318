/* png.h - PNG: read by libpng, all kinds of it made 8 bits a channel, which is
 * for picture.c alone; and what stands around the IDAT chunks of a file that is
 * written. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PNG_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "p13-shm-image/image/picture.h"
#include "p13-shm-image/image/idat.h"

int png_in_open(struct picture *picture, uint64_t max_pixels);
int png_in_read(struct picture *picture, uint8_t *pixels, uint32_t until);
void png_in_close(struct picture *picture);

enum { PNG_OUT_FRAME = 12, PNG_OUT_TAIL = 2 * PNG_OUT_FRAME + 4 };

/* Where the bytes of a chunk stand that begins at chunk. */
static inline uint8_t *png_out_chunk_bytes(uint8_t *chunk)
{
	return chunk + 8;
}

/* Put length, name and checksum around len bytes; returns the whole length. */
size_t png_out_frame(uint8_t *chunk, const char *name, uint32_t len);

/* Whether the chunk goes into a PNG of that shape: the colour profile of a
 * picture of other colours does not. */
bool png_out_keeps(const struct picture_chunk *kept,
		   const struct picture *picture,
		   const struct image_shape *shape);

/* Signature, IHDR, the ancillary chunks that are kept, and the head of the zlib
 * stream. to may be NULL, to ask for the length. */
size_t png_out_head(uint8_t *to, const struct picture *picture,
		    const struct image_shape *shape);

/* Checksum of all IDAT chunks and IEND: PNG_OUT_TAIL bytes. */
size_t png_out_tail(uint8_t *to, const struct idat *idat, uint32_t n);

#endif
