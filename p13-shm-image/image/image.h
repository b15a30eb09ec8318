/* image.h - the shape of a picture in memory: rows of pixels from the top,
 * pixels of 1 to 4 channels (gray, gray+alpha, RGB, RGBA) of 8 bits each,
 * nothing in between. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_IMAGE_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_shape {
	uint32_t width, height; /* pixels, at least 1 */
	uint32_t channels;
};

static inline size_t image_row_bytes(const struct image_shape *shape)
{
	return (size_t)shape->width * shape->channels;
}

static inline size_t image_bytes(const struct image_shape *shape)
{
	return image_row_bytes(shape) * shape->height;
}

static inline bool image_has_alpha(const struct image_shape *shape)
{
	return shape->channels % 2 == 0;
}

/* Rows and columns beyond the edge are the outermost again. */
static inline uint32_t image_clamp(int64_t at, uint32_t size)
{
	return at < 0 ? 0 : at >= size ? size - 1 : (uint32_t)at;
}

#endif
