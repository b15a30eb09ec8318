/* Any bytes as a picture: whatever the head promises, no more is written than
 * there is room for, and what was read can be filtered. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "p13-shm-image/image/filter.h"
#include "p13-shm-image/image/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIXELS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct source source;
	struct picture picture;
	struct filter filter;

	source_from_memory(&source, data, size);
	if (picture_open(&picture, &source, PIXELS_MAX, size % 2) == 0) {
		size_t bytes = image_bytes(&picture.shape);
		/* To the byte, so that the sanitizer sees one more. */
		uint8_t *pixels = calloc(bytes, 1), *out = calloc(bytes, 1);

		if (!pixels || !out)
			abort();
		picture_read(&picture, pixels);
		if (picture.rows_read > picture.shape.height)
			abort();
		filter_init(&filter, (enum filter_kind)(size % FILTER_KINDS),
			    &picture.shape, 1, 128);
		if (filter_rows(&filter, pixels, out, 0, picture.shape.height))
			abort();
		free(pixels);
		free(out);
	}
	picture_close(&picture);
	return 0;
}
