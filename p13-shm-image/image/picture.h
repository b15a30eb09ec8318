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
	PICTURE_CHUNKS = 16,   /* that matter to the eye: see ancillary.h */
	PICTURE_LEFT_OUT = 16, /* that are named; the last stands for others */
};

/* A chunk of the PNG file that goes into the output as it is. */
struct picture_chunk {
	char name[4];
	uint32_t len;
	uint8_t *bytes; /* owned */
};

struct picture {
	struct image_shape shape;
	bool is_png, is_16_bit;
	uint32_t rows_read; /* how far picture_read() came, from the top */
	struct picture_chunk chunk[PICTURE_CHUNKS];
	unsigned int chunks;
	/* What was wrong, in words, or "": also when it was read in spite of
	 * that. */
	char trouble[128];
	/* The chunks that were found so far and are not kept, each once, and
	 * why where their kind is: "tRNS (CRC error), tEXt", or "". */
	char left_out[600];
	/* Of an interlaced picture something is there, if only roughly. */
	bool is_rough;

	/* For the readers: */
	struct source *source;
	void *png, *png_info;
	uint32_t maxval;
	bool is_interlaced, keeps_going;
	char left_out_name[PICTURE_LEFT_OUT][4];
	unsigned int left_outs;
};

/* Read the head. max_pixels limits width times height. With keeps_going
 * pixels with a wrong checksum do not end the reading, and those that there
 * are before an end that comes too early are read to the last one, which takes
 * several times as long. Returns 0, -EFBIG (more
 * pixels), -EBADMSG (no such picture, or a damaged one: see trouble),
 * -ENOMEM or -errno of read(2). Close it in any case. */
int picture_open(struct picture *picture, struct source *source,
		 uint64_t max_pixels, bool keeps_going);

/* Read the pixels into image_bytes() of memory. Returns 0, or the same
 * errors, and then rows_read rows are good (the top ones; of an interlaced
 * picture none may be, but what is there is right in coarser blocks where
 * is_rough). */
int picture_read(struct picture *picture, uint8_t *pixels);

/* The same up to that row, which counts from 0 and is not read; the picture's
 * height or more for the rest of it. May be called until it has failed, or
 * has read all. */
int picture_read_until(struct picture *picture, uint8_t *pixels, uint32_t row);

void picture_close(struct picture *picture);

/* Note trouble; returns -EBADMSG. */
int picture_say(struct picture *picture, const char *words);

/* Note that no chunk of that name is kept, and why, which may be "". */
void picture_leave_out(struct picture *picture, const char *name,
		       const char *why);
bool picture_is_left_out(const struct picture *picture, const char *name);

/* 0, or -EFBIG or -EBADMSG for a size that cannot be. */
int picture_check_size(struct picture *picture, uint64_t width, uint64_t height,
		       uint64_t max_pixels);

#endif
