/* pnm_in.h - PGM, PPM and PAM, the raw forms (P5, P6, P7). For picture.c
 * alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_IN_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PNM_IN_H

#include "p13-shm-image/image/picture.h"

int pnm_in_open(struct picture *picture, uint64_t max_pixels);
int pnm_in_read(struct picture *picture, uint8_t *pixels, uint32_t until);

#endif
