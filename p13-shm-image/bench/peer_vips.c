/* peer_vips.c - libvips in this process. Its blur is an operation that runs
 * when pixels are asked for: to write them to memory is what is timed. */
#include "p13-shm-image/bench/peer.h"

#include <malloc.h>
#include <stdio.h>
#include <vips/vips.h>

#include "lib/tick.h"

static VipsImage *image;
static void *last;

static int open_vips(const uint8_t *pixels, uint32_t width, uint32_t height)
{
	/* So that the result lies in memory that was there before, as that of
	 * the others does. */
	mallopt(M_MMAP_THRESHOLD, INT32_MAX);
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	if (VIPS_INIT("bench")) {
		fprintf(stderr, "libvips: %s", vips_error_buffer());
		return -1;
	}
	vips_cache_set_max(0);
	vips_concurrency_set(PEER_WORKERS);
	image = vips_image_new_from_memory(pixels, (size_t)width * height * 3,
					   (int)width, (int)height, 3,
					   VIPS_FORMAT_UCHAR);
	return image ? 0 : -1;
}

static int64_t blur_vips(double sigma, const uint8_t **result)
{
	VipsImage *out = NULL;
	int64_t start, ns;
	size_t len;

	g_free(last);
	start = tick_now();
	if (vips_gaussblur(image, &out, sigma, NULL))
		return -1;
	last = vips_image_write_to_memory(out, &len);
	ns = tick_now() - start;
	g_object_unref(out);
	if (result)
		*result = last;
	return last ? ns : -1;
}

const struct peer peer_vips = {"libvips", open_vips, blur_vips};
