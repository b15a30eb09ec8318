/* png_in.h - PNG by libpng, all kinds of it made 8 bits a channel. For
 * picture.c alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_PNG_IN_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_PNG_IN_H

#include "p13-shm-image/image/picture.h"

int png_in_open(struct picture *picture, uint64_t max_pixels);
int png_in_read(struct picture *picture, uint8_t *pixels, uint32_t until);
void png_in_close(struct picture *picture);

#endif
