/* png.c - libpng leaves a failed call by longjmp, so what has to survive one
 * lies in struct picture and not in local variables, and each function that
 * calls libpng has a setjmp of its own. Workers write the IDAT chunks; what
 * joins them is here. */
#include "p13-shm-image/image/png.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "p13-shm-image/image/ancillary.h"

/* ---- reading ---- */

static void on_error(png_structp png, png_const_charp words)
{
	picture_say(png_get_error_ptr(png), words);
	png_longjmp(png, 1);
}

/* "iCCP: what is wrong with it". A chunk that libpng warns of it leaves out,
 * but for the pixels. */
static void on_warning(png_structp png, png_const_charp words)
{
	struct picture *picture = png_get_error_ptr(png);

	if (strlen(words) < 6 || words[4] != ':')
		return;
	if (words[0] >= 'a')
		picture_leave_out(picture, words, words + 6);
	else if (!picture->trouble[0])
		picture_say(picture, words);
}

static bool is_there(const struct picture *picture, const png_byte *name)
{
	for (unsigned int i = 0; i < picture->chunks; i++)
		if (memcmp(picture->chunk[i].name, name, 4) == 0)
			return true;
	return false;
}

static int keep(struct picture *picture, const png_unknown_chunk *chunk)
{
	struct picture_chunk *kept = &picture->chunk[picture->chunks];

	kept->bytes = malloc(chunk->size);
	if (!kept->bytes)
		return -ENOMEM;
	memcpy(kept->bytes, chunk->data, chunk->size);
	memcpy(kept->name, chunk->name, sizeof(kept->name));
	kept->len = (uint32_t)chunk->size;
	picture->chunks++;
	return 0;
}

/* All but those that libpng needs for the pixels come here. Of two of the same
 * name the first counts, and one of a wrong checksum is left out already. What
 * the output begins with is written when the pixels come: so what follows them
 * is too late. */
static int on_chunk(png_structp png, png_unknown_chunkp chunk)
{
	struct picture *picture = png_get_user_chunk_ptr(png);
	const char *name = (const char *)chunk->name;
	bool has_colour = png_get_color_type(png, picture->png_info) &
			  PNG_COLOR_MASK_COLOR;
	const char *why =
		ancillary_refuse(name, chunk->data, chunk->size, has_colour);

	if (name[0] < 'a')
		return 0; /* an error for libpng: the pixels depend on it */
	if (picture_is_left_out(picture, name) ||
	    is_there(picture, chunk->name))
		return 1;
	if (!why && chunk->location & PNG_AFTER_IDAT)
		why = "comes after the pixels";
	if (!why && (picture->chunks == PICTURE_CHUNKS || keep(picture, chunk)))
		why = "there is no room for it";
	if (why)
		picture_leave_out(picture, name, why);
	return 1;
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
	png_set_chunk_malloc_max(png, ANCILLARY_MAX);
	/* No more is lost with the end than what was cut off: libpng asks for
	 * 8 KB of pixels at once, and has nothing of them when they end
	 * before. */
	if (picture->keeps_going) {
		png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_DEFAULT);
		png_set_compression_buffer_size(png, 1);
	}
	/* Nothing is unpacked that is not wanted: a text of 8 KB may be one of
	 * 8 MB, and of those a file can have a hundred. */
	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
	png_set_read_user_chunk_fn(png, picture, on_chunk);
	png_read_info(png, info);
	error = picture_check_size(picture, png_get_image_width(png, info),
				   png_get_image_height(png, info), max_pixels);
	if (!error)
		normalise(picture, png, info);
	return error;
}

/* Each pass goes over all rows; only the last leaves them complete. What the
 * others have of a row fills the place of what is to come. */
static void read_early_passes(struct picture *picture, uint8_t *pixels)
{
	size_t row_bytes = image_row_bytes(&picture->shape);

	for (int pass = 1; pass < PNG_INTERLACE_ADAM7_PASSES; pass++) {
		for (uint32_t y = 0; y < picture->shape.height; y++) {
			png_read_row(picture->png, NULL,
				     pixels + y * row_bytes);
			picture->is_rough = true;
		}
	}
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
		read_early_passes(picture, pixels);
	while (picture->rows_read < until) {
		png_read_row(png, pixels + picture->rows_read * row_bytes,
			     NULL);
		picture->rows_read++;
	}
	/* What follows the pixels may be damaged too. */
	if (until == picture->shape.height)
		png_read_end(png, picture->png_info);
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

/* ---- writing ---- */

static const uint8_t SIGNATURE[] = {0x89, 'P',  'N',  'G',
				    '\r', '\n', 0x1a, '\n'};

static void put32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t png_out_frame(uint8_t *chunk, const char *name, uint32_t len)
{
	put32(chunk, len);
	memcpy(chunk + 4, name, 4);
	put32(chunk + 8 + len,
	      (uint32_t)crc32_z(crc32(0, NULL, 0), chunk + 4, len + 4));
	return (size_t)len + PNG_OUT_FRAME;
}

static size_t put_chunk(uint8_t *to, const char *name, const uint8_t *bytes,
			uint32_t len)
{
	if (!to)
		return (size_t)len + PNG_OUT_FRAME;
	memcpy(png_out_chunk_bytes(to), bytes, len);
	return png_out_frame(to, name, len);
}

bool png_out_keeps(const struct picture_chunk *kept,
		   const struct picture *picture,
		   const struct image_shape *shape)
{
	bool had_colour = picture->shape.channels >= 3;

	return memcmp(kept->name, "iCCP", 4) != 0 ||
	       had_colour == (shape->channels >= 3);
}

size_t png_out_head(uint8_t *to, const struct picture *picture,
		    const struct image_shape *shape)
{
	static const uint8_t colour_type[] = {0, 0, 4, 2, 6};
	/* 32 KB of window, no dictionary, the fastest level. */
	static const uint8_t zlib_head[] = {0x78, 0x01};
	uint8_t header[13] = {0};
	size_t at = sizeof(SIGNATURE);

	if (to)
		memcpy(to, SIGNATURE, sizeof(SIGNATURE));
	put32(header, shape->width);
	put32(header + 4, shape->height);
	header[8] = 8;
	header[9] = colour_type[shape->channels];
	at += put_chunk(to ? to + at : NULL, "IHDR", header, sizeof(header));
	for (unsigned int i = 0; i < picture->chunks; i++) {
		const struct picture_chunk *kept = &picture->chunk[i];

		if (png_out_keeps(kept, picture, shape))
			at += put_chunk(to ? to + at : NULL, kept->name,
					kept->bytes, kept->len);
	}
	return at + put_chunk(to ? to + at : NULL, "IDAT", zlib_head,
			      sizeof(zlib_head));
}

size_t png_out_tail(uint8_t *to, const struct idat *idat, uint32_t n)
{
	uLong adler = adler32(0, NULL, 0);
	uint8_t sum[4];
	size_t len;

	for (uint32_t i = 0; i < n; i++)
		adler = adler32_combine(adler, idat[i].adler,
					(z_off_t)idat[i].raw);
	put32(sum, (uint32_t)adler);
	len = put_chunk(to, "IDAT", sum, sizeof(sum));
	return len + put_chunk(to + len, "IEND", sum, 0);
}
