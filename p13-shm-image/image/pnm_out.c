#include "p13-shm-image/image/pnm_out.h"

#include <stdio.h>

size_t pnm_out_head(char *to, const struct image_shape *shape, bool wants_pam)
{
	static const char *const kind[] = {"", "GRAYSCALE", "GRAYSCALE_ALPHA",
					   "RGB", "RGB_ALPHA"};
	int len;

	if (wants_pam || image_has_alpha(shape))
		len = snprintf(to, PNM_OUT_HEAD_MAX,
			       "P7\nWIDTH %u\nHEIGHT %u\nDEPTH %u\nMAXVAL 255\n"
			       "TUPLTYPE %s\nENDHDR\n",
			       shape->width, shape->height, shape->channels,
			       kind[shape->channels]);
	else
		len = snprintf(to, PNM_OUT_HEAD_MAX, "P%d\n%u %u\n255\n",
			       shape->channels == 3 ? 6 : 5, shape->width,
			       shape->height);
	return (size_t)len;
}
