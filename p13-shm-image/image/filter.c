#include "p13-shm-image/image/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const filter_words[FILTER_KINDS + 1] = {
	"blur", "sharpen", "edge", "grayscale", "invert", "threshold", NULL};
const char *const filter_names[FILTER_KINDS] = {
	"Gaussian blur", "Sharpen (unsharp mask)",
	"Edge (Sobel)",  "Grayscale",
	"Invert",        "Threshold"};

void filter_init(struct filter *filter, enum filter_kind kind,
		 const struct image_shape *in, double sigma, int threshold)
{
	filter->kind = kind;
	filter->in = filter->out = *in;
	filter->threshold = threshold;
	if (kind == FILTER_GRAYSCALE || kind == FILTER_THRESHOLD)
		filter->out.channels = image_has_alpha(in) ? 2 : 1;
	filter->blur.shape = *in;
	filter->blur.sum = gauss_sum_best();
	gauss_init(&filter->blur.gauss, sigma);
}

static uint8_t limited(int level)
{
	return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static int sharpen(const struct filter *filter, const uint8_t *from,
		   uint8_t *to, uint32_t first, uint32_t end)
{
	size_t row_bytes = image_row_bytes(&filter->in);
	uint32_t channels = filter->in.channels;
	int error = blur_rows(&filter->blur, from, to, first, end);

	if (error)
		return error;
	for (size_t i = first * row_bytes; i < end * row_bytes; i++) {
		if (channels % 2 == 0 && i % channels == channels - 1)
			to[i] = from[i];
		else
			to[i] = limited(2 * from[i] - to[i]);
	}
	return 0;
}

/* Of the samples around one, row by row. */
static uint8_t gradient(const int at[3][3])
{
	int across = at[0][2] + 2 * at[1][2] + at[2][2] - at[0][0] -
		     2 * at[1][0] - at[2][0];
	int down = at[2][0] + 2 * at[2][1] + at[2][2] - at[0][0] -
		   2 * at[0][1] - at[0][2];

	return limited(
		(int)lroundf(sqrtf((float)(across * across + down * down))));
}

/* A colour of a neighbour, which differs as far as it is opaque: what nobody
 * sees has any colour. */
static int seen_from(const uint8_t *here, const uint8_t *pixel, uint32_t c,
		     uint32_t channels)
{
	if (channels % 2)
		return pixel[c];
	return here[c] + (pixel[c] - here[c]) * pixel[channels - 1] / 255;
}

/* Rows and columns are clamped. */
static void find_edges(const struct filter *filter, const uint8_t *from,
		       uint8_t *to, uint32_t y)
{
	const struct image_shape *shape = &filter->in;
	uint32_t channels = shape->channels, colours = channels < 3 ? 1 : 3;
	const uint8_t *row[3];
	size_t column[3];
	int at[3][3];

	for (int i = 0; i < 3; i++)
		row[i] = from +
			 image_row_bytes(shape) *
				 image_clamp((int64_t)y + i - 1, shape->height);
	to += y * image_row_bytes(shape);
	for (uint32_t x = 0; x < shape->width; x++, to += channels) {
		for (int i = 0; i < 3; i++)
			column[i] =
				(size_t)channels *
				image_clamp((int64_t)x + i - 1, shape->width);
		memcpy(to, row[1] + column[1], channels); /* alpha stays */
		for (uint32_t c = 0; c < colours; c++) {
			for (int i = 0; i < 9; i++)
				at[i / 3][i % 3] =
					seen_from(row[1] + column[1],
						  row[i / 3] + column[i % 3], c,
						  channels);
			to[c] = gradient(at);
		}
	}
}

/* Rec. 709, in 256ths. */
static int luma(const uint8_t *pixel, uint32_t channels)
{
	if (channels < 3)
		return pixel[0];
	return (54 * pixel[0] + 183 * pixel[1] + 19 * pixel[2] + 128) / 256;
}

static void make_gray(const struct filter *filter, const uint8_t *from,
		      uint8_t *to, uint32_t y)
{
	uint32_t in = filter->in.channels, out = filter->out.channels;

	from += y * image_row_bytes(&filter->in);
	to += y * image_row_bytes(&filter->out);
	for (uint32_t x = 0; x < filter->in.width; x++, from += in, to += out) {
		int level = luma(from, in);

		if (filter->kind == FILTER_THRESHOLD)
			level = level >= filter->threshold ? 255 : 0;
		to[0] = (uint8_t)level;
		if (out == 2)
			to[1] = from[in - 1];
	}
}

static void invert(const struct filter *filter, const uint8_t *from,
		   uint8_t *to, uint32_t y)
{
	size_t row_bytes = image_row_bytes(&filter->in);
	uint32_t channels = filter->in.channels;

	from += y * row_bytes;
	to += y * row_bytes;
	for (size_t i = 0; i < row_bytes; i++)
		to[i] = 255 - from[i];
	if (channels % 2 == 0)
		for (size_t i = channels - 1; i < row_bytes; i += channels)
			to[i] = from[i];
}

uint32_t filter_halo(const struct filter *filter)
{
	if (filter->kind == FILTER_BLUR || filter->kind == FILTER_SHARPEN)
		return (uint32_t)filter->blur.gauss.radius;
	return filter->kind == FILTER_EDGE;
}

int filter_rows(const struct filter *filter, const uint8_t *from, uint8_t *to,
		uint32_t first, uint32_t end)
{
	if (filter->kind == FILTER_BLUR)
		return blur_rows(&filter->blur, from, to, first, end);
	if (filter->kind == FILTER_SHARPEN)
		return sharpen(filter, from, to, first, end);
	for (uint32_t y = first; y < end; y++) {
		if (filter->kind == FILTER_EDGE)
			find_edges(filter, from, to, y);
		else if (filter->kind == FILTER_INVERT)
			invert(filter, from, to, y);
		else
			make_gray(filter, from, to, y);
	}
	return 0;
}
