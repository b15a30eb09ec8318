/* picture.h - a picture being read: PNG, or PGM, PPM and PAM.
 *
 * First its head, so that memory can be had for it, then its pixels into that
 * memory. Whatever the bytes are, nothing is written beside it. Blocks as its
 * source does. One thread.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PICTURE_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "p13-shm-image/image/image.h"
#include "p13-shm-image/image/source.h"

enum {
	PICTURE_EXTRAS = 8, /* that matter to the eye: gamma, profile … */
	PICTURE_EXTRA_MAX = 8
			    << 20, /* bytes of each; larger ones are left out */
};

/* A chunk of the PNG file that goes into the output as it is. */
struct picture_extra {
	char name[4];
	uint32_t len;
	uint8_t *bytes; /* owned */
};

struct picture {
	struct image_shape shape;
	bool is_png, is_16_bit;
	uint32_t rows_read; /* how far picture_read() came, from the top */
	struct picture_extra extra[PICTURE_EXTRAS];
	unsigned int extras;
	char trouble[128]; /* what was wrong, in words, or "" */
	char left_out
		[80]; /* the first extra that is not kept, and why, or "" */

	/* For the readers: */
	struct source *source;
	void *png, *png_info;
	uint32_t maxval;
	bool is_interlaced, keeps_going;
	unsigned int left_out_kinds; /* of extras, a bit each */
};

/* Read the head. max_pixels limits width times height. With keeps_going
 * checksums that are wrong do not end the reading. Returns 0, -EFBIG (more
 * pixels), -EBADMSG (no such picture, or a damaged one: see trouble),
 * -ENOMEM or -errno of read(2). Close it in any case. */
int picture_open(struct picture *picture, struct source *source,
		 uint64_t max_pixels, bool keeps_going);

/* Read the pixels into image_bytes() of memory. Returns 0, or the same
 * errors, and then rows_read rows are good (the top ones; of an interlaced
 * picture none are, but what is there is roughly right). */
int picture_read(struct picture *picture, uint8_t *pixels);

/* The same up to that row, which counts from 0 and is not read; the picture's
 * height or more for the rest of it. May be called until it has failed, or
 * has read all. */
int picture_read_until(struct picture *picture, uint8_t *pixels, uint32_t row);

void picture_close(struct picture *picture);

/* Note trouble; returns -EBADMSG. */
int picture_say(struct picture *picture, const char *words);

/* 0, or -EFBIG or -EBADMSG for a size that cannot be. */
int picture_check_size(struct picture *picture, uint64_t width, uint64_t height,
		       uint64_t max_pixels);

#endif
