#include "p13-shm-image/image/blur.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	WHOLE_PIXELS = 12,        /* samples, for any number of channels */
	TILE_SAMPLES = 128 << 10, /* a quarter of the second-level cache */
	BLOCK_SAMPLES = 16 << 10, /* most of the first-level cache */
	WAY = 1024,               /* pairs: 4 KB */
	GROUP = 8,                /* rows that go down together */
	CACHE_LINE = 64,
	LARGE_PAGE = 2 << 20,   /* on the machines that have them */
	MANY_PAGES = 128 << 10, /* bytes of small ones */
};

/* These loops are plain C, made for wide registers as well, and chosen from
 * when the program is loaded. */
#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Memory of one call, for a tile at a time: some columns, and left and right
 * of them a margin as wide as the Gaussian's radius. Rows are room samples
 * apart. */
struct scratch {
	void *memory;     /* all of it */
	int16_t *tile;    /* of the source, in pairs of rows */
	int16_t *pairs;   /* of one row's samples and those a pixel further */
	int16_t *middle;  /* a group of rows between the passes */
	int16_t *blurred; /* a row after both */
	size_t margin, room;
	size_t width; /* of the columns, without margins */
	size_t block; /* of them that go down at once */
};

static size_t round_up(size_t n, size_t step)
{
	return (n + step - 1) / step * step;
}

static void measure(struct scratch *scratch, const struct blur *blur,
		    size_t pairs)
{
	size_t margin = (size_t)blur->gauss.radius * blur->shape.channels;
	size_t row = round_up(image_row_bytes(&blur->shape), WHOLE_PIXELS);
	size_t width = TILE_SAMPLES / 2 / pairs, room;
	size_t block =
		BLOCK_SAMPLES / 2 / ((size_t)blur->gauss.pairs + GROUP / 2);

	/* The margins go down twice: that is a quarter at most. */
	width = width < 8 * margin ? 6 * margin : width - 2 * margin;
	width = round_up(width, WHOLE_PIXELS);
	scratch->margin = margin;
	scratch->width = width < row ? width : row;
	scratch->block = block / GAUSS_STEP * GAUSS_STEP;
	if (scratch->block == 0)
		scratch->block = GAUSS_STEP;
	/* A block of one row and that of the next lie side by side in the
	 * cache, which takes places WAY samples apart for the same. */
	room = round_up(scratch->width + 2 * margin, GAUSS_STEP) +
	       2 * GAUSS_STEP;
	scratch->room = room + (scratch->block + WAY - room % WAY) % WAY;
}

static int scratch_alloc(struct scratch *scratch, const struct blur *blur,
			 uint32_t height)
{
	size_t pairs = height / 2 + (size_t)blur->gauss.radius + 1;
	size_t rows = 2 * pairs + 2 + GROUP + 1, bytes, page;

	measure(scratch, blur, pairs);
	bytes = rows * scratch->room * sizeof(int16_t);
	/* A load that crosses two cache lines costs twice as much. And a fault
	 * for a large page costs less than those for many small ones. */
	page = bytes < MANY_PAGES ? CACHE_LINE : LARGE_PAGE;
	bytes = round_up(bytes, page);
	scratch->memory = aligned_alloc(page, bytes);
	if (!scratch->memory)
		return -ENOMEM;
	if (page == LARGE_PAGE)
		madvise(scratch->memory, bytes, MADV_HUGEPAGE);
	scratch->tile = scratch->memory;
	scratch->pairs = scratch->tile + 2 * pairs * scratch->room;
	scratch->middle = scratch->pairs + 2 * scratch->room;
	scratch->blurred = scratch->middle + GROUP * scratch->room;
	return 0;
}

/* Colours times alpha, rounded; alpha itself as it is. Into every other
 * sample of to. */
static void widen_alpha(const uint8_t *from, int16_t *to, size_t n,
			uint32_t channels)
{
	for (size_t i = 0; i < n; i += channels) {
		uint32_t alpha = from[i + channels - 1];

		for (uint32_t c = 0; c + 1 < channels; c++)
			to[2 * (i + c)] =
				(int16_t)((from[i + c] * alpha * GAUSS_UNIT +
					   127) /
					  255);
		to[2 * (i + channels - 1)] = (int16_t)(alpha * GAUSS_UNIT);
	}
}

/* Two rows as one of pairs. */
WIDE static void widen(const uint8_t *from, const uint8_t *next, int16_t *to,
		       size_t n, uint32_t channels)
{
	if (channels % 2 == 0) {
		widen_alpha(from, to, n, channels);
		widen_alpha(next, to + 1, n, channels);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = (int16_t)(from[i] * GAUSS_UNIT);
		to[2 * i + 1] = (int16_t)(next[i] * GAUSS_UNIT);
	}
}

static void narrow_alpha(const int16_t *from, uint8_t *to, size_t n,
			 uint32_t channels)
{
	for (size_t i = 0; i < n; i += channels) {
		int alpha = from[i + channels - 1];

		for (uint32_t c = 0; c + 1 < channels; c++) {
			/* At most alpha, as it was: sums and their rounding
			 * keep that. */
			int colour = from[i + c] * 255;

			to[i + c] = (uint8_t)(alpha > 0 ? (colour + alpha / 2) /
								  alpha
							: 0);
		}
		to[i + channels - 1] =
			(uint8_t)((alpha + GAUSS_UNIT / 2) / GAUSS_UNIT);
	}
}

WIDE static void narrow(const int16_t *from, uint8_t *to, size_t n,
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

WIDE static void pair(const int16_t *from, const int16_t *next, int16_t *to,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		to[2 * i] = from[i];
		to[2 * i + 1] = next[i];
	}
}

/* Some columns of a picture. */
struct columns {
	size_t first, end;  /* samples of a row */
	size_t left, right; /* with their margins, as far as there are any */
};

/* The rows first - radius … of these columns, two by two. */
static void load_tile(const struct blur *blur, const struct scratch *scratch,
		      const uint8_t *from, const struct columns *columns,
		      int64_t first, uint32_t rows)
{
	size_t row_bytes = image_row_bytes(&blur->shape);
	size_t n = columns->right - columns->left;
	int16_t *to = scratch->tile;

	from += columns->left;
	for (uint32_t i = 0; i < rows; i += 2, to += 2 * scratch->room) {
		size_t y = image_clamp(first + i, blur->shape.height);
		size_t next = image_clamp(first + i + 1, blur->shape.height);

		widen(from + y * row_bytes, from + next * row_bytes, to, n,
		      blur->shape.channels);
		memset(to + 2 * n, 0, 2 * GAUSS_STEP * sizeof(*to));
	}
}

/* Where the samples of the tile lie in a row of the middle. */
static size_t place_of(const struct scratch *scratch,
		       const struct columns *columns)
{
	return columns->left + scratch->margin - columns->first;
}

/* Down the columns, for rows i … end - 1 of the tile, a group at most: block
 * by block, so that what one row reads is near still for the next. */
static void blur_down(const struct blur *blur, const struct scratch *scratch,
		      const struct columns *columns, uint32_t i, uint32_t end)
{
	size_t n = round_up(columns->right - columns->left, GAUSS_STEP), now;
	struct gauss_rows rows = {
		.stride = 2 * scratch->room,
		.pairs = blur->gauss.pairs,
	};

	for (size_t x = 0; x < n; x += now) {
		int16_t *to = scratch->middle + place_of(scratch, columns) + x;

		now = n - x < scratch->block ? n - x : scratch->block;
		for (uint32_t y = i; y < end; y++, to += scratch->room) {
			rows.first =
				scratch->tile + y / 2 * rows.stride + 2 * x;
			rows.weight =
				y % 2 ? blur->gauss.odd : blur->gauss.even;
			blur->sum(&rows, to, now);
		}
	}
}

/* What is at the edge of the picture goes on beyond it. */
static void extend(const struct scratch *scratch, const struct columns *columns,
		   uint32_t channels, int16_t *middle)
{
	size_t before = place_of(scratch, columns);
	size_t have = before + columns->right - columns->left;
	size_t all = columns->end - columns->first + 2 * scratch->margin;

	for (size_t i = before; i > 0; i--)
		middle[i - 1] = middle[i - 1 + channels];
	for (size_t i = have; i < all; i++)
		middle[i] = middle[i - channels];
	memset(middle + all, 0, (GAUSS_STEP + channels) * sizeof(*middle));
}

/* Along one row of the middle. */
static void blur_along(const struct blur *blur, const struct scratch *scratch,
		       const struct columns *columns, int16_t *middle,
		       uint8_t *to)
{
	uint32_t channels = blur->shape.channels;
	size_t n = columns->end - columns->first;
	struct gauss_rows rows = {
		.first = scratch->pairs,
		.stride = 4 * (size_t)channels,
		.weight = blur->gauss.even,
		.pairs = blur->gauss.pairs,
	};

	extend(scratch, columns, channels, middle);
	pair(middle, middle + channels, scratch->pairs,
	     n + 2 * scratch->margin + GAUSS_STEP);
	blur->sum(&rows, scratch->blurred, round_up(n, GAUSS_STEP));
	narrow(scratch->blurred, to, n, channels);
}

static void blur_columns(const struct blur *blur, const struct scratch *scratch,
			 const struct columns *columns, const uint8_t *from,
			 uint8_t *to, uint32_t first, uint32_t end)
{
	uint32_t radius = (uint32_t)blur->gauss.radius, rows;
	size_t row_bytes = image_row_bytes(&blur->shape);

	load_tile(blur, scratch, from, columns, (int64_t)first - radius,
		  end - first + 2 * radius);
	to += columns->first;
	for (uint32_t y = first; y < end; y += rows) {
		rows = end - y < GROUP ? end - y : GROUP;
		blur_down(blur, scratch, columns, y - first, y - first + rows);
		for (uint32_t i = 0; i < rows; i++)
			blur_along(blur, scratch, columns,
				   scratch->middle + i * scratch->room,
				   to + (y + i) * row_bytes);
	}
}

int blur_rows(const struct blur *blur, const uint8_t *from, uint8_t *to,
	      uint32_t first, uint32_t end)
{
	size_t row_bytes = image_row_bytes(&blur->shape), margin, rest;
	struct scratch scratch;
	struct columns columns;
	int error = scratch_alloc(&scratch, blur, end - first);

	if (error)
		return error;
	margin = scratch.margin;
	for (size_t x = 0; x < row_bytes; x = columns.end) {
		rest = row_bytes - x;
		columns.first = x;
		columns.end = x + (rest < scratch.width ? rest : scratch.width);
		columns.left = x < margin ? 0 : x - margin;
		rest = row_bytes - columns.end;
		columns.right = columns.end + (rest < margin ? rest : margin);
		blur_columns(blur, &scratch, &columns, from, to, first, end);
	}
	free(scratch.memory);
	return 0;
}
