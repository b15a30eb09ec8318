/* png_in.c - libpng leaves a failed call by longjmp, so what has to survive
 * one lies in struct picture and not in local variables, and each function
 * that calls libpng has a setjmp of its own. */
#include "p13-shm-image/image/png_in.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Chunks that go into the output, as libpng wants their names. */
static const png_byte KEPT[] = "gAMA\0iCCP\0sRGB\0cHRM\0pHYs";
enum { KEPT_COUNT = sizeof(KEPT) / 5 };

static void on_error(png_structp png, png_const_charp words)
{
	struct picture *picture = png_get_error_ptr(png);

	if (!picture->trouble[0])
		picture_say(picture, words);
	png_longjmp(png, 1);
}

/* Which of KEPT this begins with, as a bit; 0: none. */
static unsigned int kind_of(const char *words)
{
	for (int i = 0; i < KEPT_COUNT; i++)
		if (strncmp(words, (const char *)KEPT + 5 * i, 4) == 0)
			return 1U << i;
	return 0;
}

/* Of a chunk that is to be kept: "iCCP: why not". */
static void on_warning(png_structp png, png_const_charp words)
{
	struct picture *picture = png_get_error_ptr(png);
	unsigned int kind = kind_of(words);

	if (kind && !picture->left_out[0])
		snprintf(picture->left_out, sizeof(picture->left_out), "%s",
			 words);
	picture->left_out_kinds |= kind;
}

static void on_read(png_structp png, png_bytep buf, size_t len)
{
	struct picture *picture = png_get_io_ptr(png);
	int error = source_read(picture->source, buf, len);

	if (error == -ENODATA)
		png_error(png, "ends too early");
	if (error)
		png_error(png, strerror(-error));
}

/* Everything becomes 8 bits of gray, gray+alpha, RGB or RGBA. */
static void normalise(struct picture *picture, png_structp png, png_infop info)
{
	picture->is_16_bit = png_get_bit_depth(png, info) == 16;
	picture->is_interlaced =
		png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
	png_set_expand(png); /* palette, less than 8 bits, tRNS */
	png_set_scale_16(png);
	png_set_interlace_handling(png);
	png_read_update_info(png, info);
	picture->shape.channels = png_get_channels(png, info);
}

/* A file with two of them is damaged: the first counts, as for libpng. With a
 * wrong checksum none does, though libpng hands it out. */
static bool is_passed_over(const struct picture *picture,
			   const png_unknown_chunk *chunk)
{
	if (picture->left_out_kinds & kind_of((const char *)chunk->name))
		return true;
	for (unsigned int i = 0; i < picture->extras; i++)
		if (memcmp(picture->extra[i].name, chunk->name, 4) == 0)
			return true;
	return false;
}

static int keep_extras(struct picture *picture, png_structp png, png_infop info)
{
	png_unknown_chunkp chunks;
	int n = png_get_unknown_chunks(png, info, &chunks);

	for (int i = 0; i < n && picture->extras < PICTURE_EXTRAS; i++) {
		struct picture_extra *extra = &picture->extra[picture->extras];

		if (chunks[i].size > PICTURE_EXTRA_MAX ||
		    is_passed_over(picture, &chunks[i]))
			continue;
		extra->bytes = malloc(chunks[i].size + 1);
		if (!extra->bytes)
			return -ENOMEM;
		memcpy(extra->bytes, chunks[i].data, chunks[i].size);
		memcpy(extra->name, chunks[i].name, sizeof(extra->name));
		extra->len = (uint32_t)chunks[i].size;
		picture->extras++;
	}
	return 0;
}

int png_in_open(struct picture *picture, uint64_t max_pixels)
{
	png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, picture,
						 on_error, on_warning);
	png_infop info;
	int error;

	picture->png = png;
	if (!png)
		return -ENOMEM;
	picture->png_info = info = png_create_info_struct(png);
	if (!info)
		return -ENOMEM;
	if (setjmp(png_jmpbuf(png)))
		return -EBADMSG;
	png_set_read_fn(png, picture, on_read);
	png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
	png_set_chunk_malloc_max(png, PICTURE_EXTRA_MAX);
	png_set_chunk_cache_max(png, 100);
	if (picture->keeps_going)
		png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
	/* No other is wanted: a text of 8 KB may be one of 8 MB, and of those
	 * a file can have a hundred. */
	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, KEPT,
				    KEPT_COUNT);
	png_read_info(png, info);
	error = picture_check_size(picture, png_get_image_width(png, info),
				   png_get_image_height(png, info), max_pixels);
	if (!error)
		error = keep_extras(picture, png, info);
	if (!error)
		normalise(picture, png, info);
	return error;
}

/* Each pass goes over all rows; only the last leaves them complete. */
static void read_early_passes(png_structp png, const struct image_shape *shape,
			      uint8_t *pixels)
{
	size_t row_bytes = image_row_bytes(shape);

	for (int pass = 1; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
		for (uint32_t y = 0; y < shape->height; y++)
			png_read_row(png, pixels + y * row_bytes, NULL);
}

int png_in_read(struct picture *picture, uint8_t *pixels, uint32_t until)
{
	png_structp png = picture->png;
	size_t row_bytes = image_row_bytes(&picture->shape);

	if (setjmp(png_jmpbuf(png)))
		return -EBADMSG;
	if (png_get_rowbytes(png, picture->png_info) != row_bytes)
		return picture_say(picture, "rows of an odd size");
	if (picture->is_interlaced && picture->rows_read == 0)
		read_early_passes(png, &picture->shape, pixels);
	while (picture->rows_read < until) {
		png_read_row(png, pixels + picture->rows_read * row_bytes,
			     NULL);
		picture->rows_read++;
	}
	/* What follows the pixels may be damaged too. */
	if (until == picture->shape.height)
		png_read_end(png, NULL);
	return 0;
}

void png_in_close(struct picture *picture)
{
	png_structp png = picture->png;
	png_infop info = picture->png_info;

	if (png)
		png_destroy_read_struct(&png, &info, NULL);
	picture->png = picture->png_info = NULL;
}
