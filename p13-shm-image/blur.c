#include "p13-shm-image/blur.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	TILE_STEP = 192,          /* whole pixels and whole GAUSS_STEPs */
	TILE_SAMPLES = 96 * 1024, /* of a tile, halo included: in L2 */
	MIDDLE_SAMPLES = 4 << 20, /* of the rows between the passes */
};

/* Memory of one call. */
struct scratch {
	int16_t *tile;   /* height + 2 radius rows of tile_width samples */
	int16_t *middle; /* height rows of stride samples, with margins */
	int16_t *line;   /* a row after both passes */
	size_t tile_width, stride, margin;
	uint32_t height;
};

static size_t round_up(size_t n, size_t step)
{
	return (n + step - 1) / step * step;
}

static void scratch_free(struct scratch *scratch)
{
	free(scratch->tile);
	free(scratch->middle);
	free(scratch->line);
}

static int scratch_alloc(struct scratch *scratch, const struct blur *blur,
			 uint32_t rows)
{
	size_t halo = 2 * (size_t)blur->gauss.radius, row, most;

	scratch->margin = (size_t)blur->gauss.radius * blur->shape.channels;
	row = round_up(image_row_bytes(&blur->shape), TILE_STEP);
	scratch->stride = row + 2 * scratch->margin + TILE_STEP;
	most = MIDDLE_SAMPLES / scratch->stride + 1;
	scratch->height = rows < most ? rows : (uint32_t)most;
	scratch->tile_width =
		TILE_SAMPLES / (scratch->height + halo) / TILE_STEP * TILE_STEP;
	if (scratch->tile_width == 0)
		scratch->tile_width = TILE_STEP;
	if (scratch->tile_width > row)
		scratch->tile_width = row;
	scratch->tile = malloc((scratch->height + halo) * scratch->tile_width *
			       sizeof(int16_t));
	scratch->middle =
		malloc(scratch->height * scratch->stride * sizeof(int16_t));
	scratch->line = malloc(row * sizeof(int16_t));
	return scratch->tile && scratch->middle && scratch->line ? 0 : -ENOMEM;
}

/* Colours times alpha, rounded; alpha itself as it is. */
static void widen_alpha(const uint8_t *from, int16_t *to, size_t n,
			uint32_t channels)
{
	for (size_t i = 0; i < n; i += channels) {
		uint32_t alpha = from[i + channels - 1];

		for (uint32_t c = 0; c + 1 < channels; c++)
			to[i + c] =
				(int16_t)((from[i + c] * alpha * GAUSS_UNIT +
					   127) /
					  255);
		to[i + channels - 1] = (int16_t)(alpha * GAUSS_UNIT);
	}
}

static void widen(const uint8_t *from, int16_t *to, size_t n, uint32_t channels)
{
	if (channels % 2 == 0) {
		widen_alpha(from, to, n, channels);
		return;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = (int16_t)(from[i] * GAUSS_UNIT);
}

static void narrow_alpha(const int16_t *from, uint8_t *to, size_t n,
			 uint32_t channels)
{
	for (size_t i = 0; i < n; i += channels) {
		int alpha = from[i + channels - 1];

		for (uint32_t c = 0; c + 1 < channels; c++) {
			int colour = alpha > 0
					     ? (from[i + c] * 255 + alpha / 2) /
						       alpha
					     : 0;

			to[i + c] = (uint8_t)(colour > 255 ? 255 : colour);
		}
		to[i + channels - 1] =
			(uint8_t)((alpha + GAUSS_UNIT / 2) / GAUSS_UNIT);
	}
}

static void narrow(const int16_t *from, uint8_t *to, size_t n,
		   uint32_t channels)
{
	if (channels % 2 == 0) {
		narrow_alpha(from, to, n, channels);
		return;
	}
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(((uint16_t)from[i] + GAUSS_UNIT / 2U) /
				  GAUSS_UNIT);
}

/* What is summed with the last samples, as GAUSS_STEPs are whole. */
static void clear_rest(int16_t *samples, size_t n)
{
	memset(samples + n, 0,
	       (round_up(n, GAUSS_STEP) - n) * sizeof(*samples));
}

/* Columns: samples x … x + width - 1 of rows first … first + height - 1. */
static void blur_tile(const struct blur *blur, struct scratch *scratch,
		      const uint8_t *from, uint32_t first, uint32_t height,
		      size_t x, size_t width)
{
	const int16_t *tap[2 * GAUSS_RADIUS_MAX + 1];
	int radius = blur->gauss.radius;
	size_t row_bytes = image_row_bytes(&blur->shape);
	uint32_t rows = height + 2 * (uint32_t)radius;

	for (uint32_t i = 0; i < rows; i++) {
		uint32_t y = image_clamp((int64_t)first - radius + i,
					 blur->shape.height);

		int16_t *to = scratch->tile + i * scratch->tile_width;

		widen(from + y * row_bytes + x, to, width,
		      blur->shape.channels);
		clear_rest(to, width);
	}
	for (uint32_t i = 0; i < height; i++) {
		for (int k = 0; k <= 2 * radius; k++)
			tap[k] = scratch->tile +
				 (i + (uint32_t)k) * scratch->tile_width;
		blur->sum(&blur->gauss, tap,
			  scratch->middle + i * scratch->stride +
				  scratch->margin + x,
			  round_up(width, GAUSS_STEP));
	}
}

/* One row, in place of its margins what lies at the edge. */
static void blur_line(const struct blur *blur, struct scratch *scratch,
		      int16_t *middle, uint8_t *to)
{
	const int16_t *tap[2 * GAUSS_RADIUS_MAX + 1];
	uint32_t channels = blur->shape.channels;
	size_t n = image_row_bytes(&blur->shape);
	int radius = blur->gauss.radius;
	int16_t *left = middle, *right = middle + scratch->margin + n;

	for (size_t i = scratch->margin; i > 0; i--)
		left[i - 1] = left[i - 1 + channels];
	for (size_t i = 0; i < scratch->margin; i++)
		right[i] = right[(ptrdiff_t)i - (ptrdiff_t)channels];
	clear_rest(middle + 2 * scratch->margin, n);
	for (int k = 0; k <= 2 * radius; k++)
		tap[k] = middle + (size_t)k * channels;
	blur->sum(&blur->gauss, tap, scratch->line, round_up(n, GAUSS_STEP));
	narrow(scratch->line, to, n, channels);
}

int blur_rows(const struct blur *blur, const uint8_t *from, uint8_t *to,
	      uint32_t first, uint32_t end)
{
	size_t row_bytes = image_row_bytes(&blur->shape);
	struct scratch scratch = {0};
	int error = scratch_alloc(&scratch, blur, end - first);

	while (!error && first < end) {
		uint32_t height = end - first < scratch.height ? end - first
							       : scratch.height;

		for (size_t x = 0; x < row_bytes; x += scratch.tile_width) {
			size_t left = row_bytes - x;

			blur_tile(blur, &scratch, from, first, height, x,
				  left < scratch.tile_width
					  ? left
					  : scratch.tile_width);
		}
		for (uint32_t i = 0; i < height; i++)
			blur_line(blur, &scratch,
				  scratch.middle + i * scratch.stride,
				  to + (first + i) * row_bytes);
		first += height;
	}
	scratch_free(&scratch);
	return error;
}
