/* blur.h - Gaussian blur of some rows of a picture.
 *
 * Down the columns first, in tiles that stay in the second-level cache, then
 * along the rows. Edges replicate. Where there is an alpha channel, colours
 * count as much as they are opaque. The result does not depend on which rows
 * are asked for together.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_BLUR_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_BLUR_H

#include "p13-shm-image/image/gauss.h"
#include "p13-shm-image/image/image.h"

struct blur {
	struct image_shape shape;
	struct gauss gauss;
	gauss_sum *sum;
};

/* Reads as many rows above first and below end - 1 as the Gaussian's radius.
 * from and to are whole pictures. Returns 0 or -ENOMEM. */
int blur_rows(const struct blur *blur, const uint8_t *from, uint8_t *to,
	      uint32_t first, uint32_t end);

#endif
