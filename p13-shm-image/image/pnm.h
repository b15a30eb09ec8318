/* pnm.h - PGM, PPM and PAM, the raw forms (P5, P6, P7): read, for picture.c
 * alone, and the head of a file that is written. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p13-shm-image/image/picture.h"

int pnm_in_open(struct picture *picture, uint64_t max_pixels);
int pnm_in_read(struct picture *picture, uint8_t *pixels, uint32_t until);

enum { PNM_OUT_HEAD_MAX = 128 };

/* Into PNM_OUT_HEAD_MAX bytes; returns its length. PAM where it is asked for,
 * or where there is an alpha channel. */
size_t pnm_out_head(char *to, const struct image_shape *shape, bool wants_pam);

#endif
