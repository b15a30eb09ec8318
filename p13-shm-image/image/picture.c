#include "p13-shm-image/image/picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p13-shm-image/image/png.h"
#include "p13-shm-image/image/pnm.h"

int picture_say(struct picture *picture, const char *words)
{
	snprintf(picture->trouble, sizeof(picture->trouble), "%s", words);
	return -EBADMSG;
}

bool picture_is_left_out(const struct picture *picture, const char *name)
{
	for (unsigned int i = 0; i < picture->left_outs; i++)
		if (memcmp(picture->left_out_name[i], name, 4) == 0)
			return true;
	return false;
}

void picture_leave_out(struct picture *picture, const char *name,
		       const char *why)
{
	size_t len = strlen(picture->left_out);

	if (picture->left_outs == PICTURE_LEFT_OUT ||
	    picture_is_left_out(picture, name))
		return;
	memcpy(picture->left_out_name[picture->left_outs++], name, 4);
	if (picture->left_outs == PICTURE_LEFT_OUT)
		snprintf(picture->left_out + len,
			 sizeof(picture->left_out) - len, " and others");
	else
		snprintf(picture->left_out + len,
			 sizeof(picture->left_out) - len, "%s%.4s%s%s%s",
			 len ? ", " : "", name, *why ? " (" : "", why,
			 *why ? ")" : "");
}

int picture_check_size(struct picture *picture, uint64_t width, uint64_t height,
		       uint64_t max_pixels)
{
	if (width == 0 || height == 0 || width > INT32_MAX ||
	    height > INT32_MAX)
		return picture_say(picture, "no such width or height");
	/* Both fit 31 bits, so that the product fits 62. */
	picture->shape.width = (uint32_t)width;
	picture->shape.height = (uint32_t)height;
	return width * height > max_pixels ? -EFBIG : 0;
}

int picture_open(struct picture *picture, struct source *source,
		 uint64_t max_pixels, bool keeps_going)
{
	int first;

	memset(picture, 0, sizeof(*picture));
	picture->source = source;
	picture->keeps_going = keeps_going;
	first = source_peek(source);
	if (first == -ENODATA)
		return picture_say(picture, "an empty file");
	if (first < 0)
		return first;
	if (first == 0x89) {
		picture->is_png = true;
		return png_in_open(picture, max_pixels);
	}
	if (first == 'P')
		return pnm_in_open(picture, max_pixels);
	return picture_say(picture, "not a PNG, PGM, PPM or PAM picture");
}

int picture_read_until(struct picture *picture, uint8_t *pixels, uint32_t row)
{
	if (row > picture->shape.height)
		row = picture->shape.height;
	return picture->is_png ? png_in_read(picture, pixels, row)
			       : pnm_in_read(picture, pixels, row);
}

int picture_read(struct picture *picture, uint8_t *pixels)
{
	return picture_read_until(picture, pixels, picture->shape.height);
}

void picture_close(struct picture *picture)
{
	png_in_close(picture);
	for (unsigned int i = 0; i < picture->chunks; i++)
		free(picture->chunk[i].bytes);
	picture->chunks = 0;
}
