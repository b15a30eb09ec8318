/* filter.h - what can be done to a picture, some rows at a time.
 *
 * Each reads one picture and writes another, of the same size; grayscale and
 * threshold leave one channel of colour. Alpha is carried along. Any process
 * may call these for any rows at the same time.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_FILTER_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_FILTER_H

#include "p13-shm-image/image/blur.h"
#include "p13-shm-image/image/image.h"

enum filter_kind {
	FILTER_BLUR,
	FILTER_SHARPEN, /* unsharp mask: the difference to the blur, doubled */
	FILTER_EDGE, /* Sobel: the length of the gradient, to which neighbours
		      * count as far as they are opaque */
	FILTER_GRAYSCALE,
	FILTER_INVERT,
	FILTER_THRESHOLD, /* luma: white from the level on, else black */
	FILTER_KINDS
};

/* "blur" …, ends in NULL. */
extern const char *const filter_words[FILTER_KINDS + 1];
/* "Gaussian blur" … */
extern const char *const filter_names[FILTER_KINDS];

struct filter {
	enum filter_kind kind;
	struct image_shape in, out;
	struct blur blur; /* of blur and sharpen */
	int threshold;    /* 0 … 256 */
};

/* For a picture of that shape. sigma within the limits of gauss.h. */
void filter_init(struct filter *filter, enum filter_kind kind,
		 const struct image_shape *in, double sigma, int threshold);

/* How many rows above and below a row it reads. */
uint32_t filter_halo(const struct filter *filter);

/* Make rows first … end - 1. Returns 0 or -ENOMEM. */
int filter_rows(const struct filter *filter, const uint8_t *from, uint8_t *to,
		uint32_t first, uint32_t end);

#endif
