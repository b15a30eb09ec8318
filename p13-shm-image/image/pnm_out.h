/* pnm_out.h - the head of a PGM, PPM or PAM file. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_OUT_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "p13-shm-image/image/image.h"

enum { PNM_OUT_HEAD_MAX = 128 };

/* Into PNM_OUT_HEAD_MAX bytes; returns its length. PAM where it is asked for,
 * or where there is an alpha channel. */
size_t pnm_out_head(char *to, const struct image_shape *shape, bool wants_pam);

#endif
