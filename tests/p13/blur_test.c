/* The blur against the exact Gaussian in double precision. */
#include "tests/support/support.h"

#include <math.h>

#include "p13-shm-image/image/blur.h"
#include "p13-shm-image/image/filter.h"
#include "tests/p13/fixture.h"

static double *exact_weights(double sigma, int radius)
{
	double *weight = calloc((size_t)radius + 1, sizeof(*weight));
	double total = 0;

	assert_non_null(weight);
	for (int k = -radius; k <= radius; k++)
		total += exp(-k * k / (2 * sigma * sigma));
	for (int k = 0; k <= radius; k++)
		weight[k] = exp(-k * k / (2 * sigma * sigma)) / total;
	return weight;
}

/* Columns, then rows, to 6 sigma, unrounded. */
static double *blur_exactly(const struct image_shape *shape,
			    const double *pixels, double sigma)
{
	int radius = (int)ceil(6 * sigma);
	double *weight = exact_weights(sigma, radius);
	size_t n = image_bytes(shape), row = image_row_bytes(shape);
	double *middle = calloc(n, sizeof(double));
	double *result = calloc(n, sizeof(double));
	uint32_t ch = shape->channels;

	assert_true(middle && result);
	for (size_t i = 0; i < n; i++)
		for (int k = -radius; k <= radius; k++)
			middle[i] += weight[abs(k)] *
				     pixels[image_clamp((int64_t)(i / row) + k,
							shape->height) *
						    row +
					    i % row];
	for (size_t i = 0; i < n; i++)
		for (int k = -radius; k <= radius; k++)
			result[i] += weight[abs(k)] *
				     middle[i / row * row +
					    (size_t)image_clamp(
						    (int64_t)(i % row / ch) + k,
						    shape->width) *
						    ch +
					    i % ch];
	free(middle);
	free(weight);
	return result;
}

static void blur_of(struct blur *blur, const struct image_shape *shape,
		    double sigma)
{
	blur->shape = *shape;
	blur->sum = gauss_sum_best();
	gauss_init(&blur->gauss, sigma);
}

/* A sample as it counts in the sum: colours times alpha. */
static double weighed(const struct image_shape *shape, const uint8_t *pixels,
		      size_t i)
{
	uint32_t ch = shape->channels;
	size_t alpha = i - i % ch + ch - 1;

	if (!image_has_alpha(shape) || i == alpha)
		return pixels[i];
	return pixels[i] * pixels[alpha] / 255.0;
}

/* How far the blur is from the exact one, at most. */
static double error_of(const struct image_shape *shape, double sigma)
{
	uint8_t *pixels = fixture_pixels(shape, 13);
	size_t n = image_bytes(shape);
	double *samples = calloc(n, sizeof(double)), *exact, worst = 0;
	uint8_t *result = malloc(n);
	struct blur blur;

	assert_true(samples && result);
	for (size_t i = 0; i < n; i++)
		samples[i] = weighed(shape, pixels, i);
	exact = blur_exactly(shape, samples, sigma);
	blur_of(&blur, shape, sigma);
	assert_int_equal(blur_rows(&blur, pixels, result, 0, shape->height), 0);
	for (size_t i = 0; i < n; i++)
		worst = fmax(worst, fabs(weighed(shape, result, i) - exact[i]));
	free(pixels);
	free(samples);
	free(exact);
	free(result);
	return worst;
}

static void blur_is_within_one_level_of_the_exact_one(void **state)
{
	static const double sigmas[] = {0.5, 1, 2, 5, 10, 20, 50};
	struct image_shape shape = {.width = 83, .height = 67, .channels = 3};
	uint32_t part = support_is_valgrind() ? 3 : 1;

	(void)state;
	shape.width /= part;
	shape.height /= part;
	for (size_t i = 0; i < sizeof(sigmas) / sizeof(sigmas[0]); i++) {
		double worst = error_of(&shape, sigmas[i]);

		if (worst > 1)
			fail_msg("sigma %g: wanted 1 level at most, got %.3f",
				 sigmas[i], worst);
	}
}

/* Of a white line of that many pixels in the middle of black ones, by the
 * exact Gaussian: a value for each pixel. */
static double *blur_line(uint32_t size, uint32_t white, double sigma)
{
	int radius = (int)ceil(6 * sigma);
	double *weight = exact_weights(sigma, radius);
	double *line = calloc(size, sizeof(*line));
	int64_t first = (size - white) / 2;

	assert_non_null(line);
	for (int64_t i = 0; i < size; i++)
		for (int64_t at = first; at < first + white; at++)
			if (llabs(at - i) <= radius)
				line[i] += weight[llabs(at - i)];
	free(weight);
	return line;
}

/* The worst picture for a Gaussian that is cut: its middle is white for it. */
static double error_of_white_square(uint32_t white, double sigma)
{
	struct image_shape shape = {white + 2, white + 2, 1};
	uint8_t *pixels = calloc(image_bytes(&shape), 2);
	uint8_t *result = pixels + image_bytes(&shape);
	double *line = blur_line(white + 2, white, sigma), worst = 0;
	struct blur blur;

	assert_non_null(pixels);
	for (uint32_t y = 1; y <= white; y++)
		memset(pixels + (size_t)y * shape.width + 1, 255, white);
	blur_of(&blur, &shape, sigma);
	assert_int_equal(blur_rows(&blur, pixels, result, 0, shape.height), 0);
	for (size_t i = 0; i < image_bytes(&shape); i++)
		worst = fmax(worst, fabs(255 * line[i / shape.width] *
						 line[i % shape.width] -
					 result[i]));
	free(pixels);
	free(line);
	return worst;
}

static void white_square_is_within_one_level_of_the_exact_one(void **state)
{
	static const double sigmas[] = {0.5, 1, 2, 5, 10, 20, 50, 100};
	size_t n = support_is_valgrind() || support_is_sanitized() ? 5 : 8;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (int fifths = 13; fifths < 20; fifths++) {
			double half = fifths / 5.0;
			double worst = error_of_white_square(
				(uint32_t)(2 * half * sigmas[i]) + 1,
				sigmas[i]);

			if (worst > 1)
				fail_msg("sigma %g, %g of it: wanted 1 level "
					 "at most, got %.3f",
					 sigmas[i], half, worst);
		}
	}
}

/* As it is where columns are done apart that are neighbours. */
static void blur_of_wide_pictures_is_right(void **state)
{
	struct image_shape shape = {.width = 700, .height = 70, .channels = 3};

	(void)state;
	assert_true(error_of(&shape, 5) <= 1);
	shape = (struct image_shape){.width = 61, .height = 150, .channels = 3};
	assert_true(error_of(&shape, 2) <= 1);
}

static void blur_of_every_kind_of_channels_is_right(void **state)
{
	(void)state;
	for (uint32_t channels = 1; channels <= 4; channels++) {
		struct image_shape shape = {
			.width = 41, .height = 30, .channels = channels};
		/* Two roundings where colour and alpha are multiplied. */
		double limit = image_has_alpha(&shape) ? 1.5 : 1;

		assert_true(error_of(&shape, 3) <= limit);
	}
}

static void pictures_of_one_row_column_and_pixel_are_blurred(void **state)
{
	static const struct image_shape shapes[] = {
		{1, 1, 3}, {200, 1, 3}, {1, 200, 1}, {2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		assert_true(error_of(&shapes[i], 4) <= 1.5);
}

static void flat_areas_stay_as_they_are(void **state)
{
	struct image_shape shape = {.width = 50, .height = 40, .channels = 1};
	uint8_t pixels[2000], result[2000];
	int step = support_is_valgrind() ? 85 : 5;
	struct blur blur;

	(void)state;
	for (int level = 0; level < 256; level += step) {
		memset(pixels, level, sizeof(pixels));
		for (int i = 3; i < 600; i *= 3) {
			blur_of(&blur, &shape, i / 10.0);
			assert_int_equal(
				blur_rows(&blur, pixels, result, 0, 40), 0);
			assert_memory_equal(result, pixels, sizeof(result));
		}
	}
}

/* As far as they are opaque enough to have a colour in 64ths. */
static void flat_areas_stay_as_they_are_when_half_transparent(void **state)
{
	struct image_shape shape = {.width = 9, .height = 5, .channels = 2};
	uint8_t pixels[90], result[90];
	struct blur blur;

	(void)state;
	blur_of(&blur, &shape, 1);
	for (int alpha = 5; alpha < 256; alpha += 5) {
		for (int level = 0; level < 256; level += 3) {
			for (int i = 0; i < 90; i++)
				pixels[i] = (uint8_t)(i % 2 ? alpha : level);
			assert_int_equal(blur_rows(&blur, pixels, result, 0, 5),
					 0);
			assert_memory_equal(result, pixels, sizeof(result));
		}
	}
}

static void alpha_is_rounded_to_the_nearest(void **state)
{
	struct image_shape shape = {.width = 2, .height = 1, .channels = 2};
	static const uint8_t pixels[] = {9, 254, 9, 255};
	uint8_t result[4];
	struct blur blur;

	(void)state;
	blur_of(&blur, &shape, 1);
	assert_int_equal(blur_rows(&blur, pixels, result, 0, 1), 0);
	assert_memory_equal(result, pixels, sizeof(result));
}

static void rows_alone_are_the_same_as_together(void **state)
{
	struct image_shape shape = {.width = 400, .height = 50, .channels = 4};
	uint8_t *pixels = fixture_pixels(&shape, 5);
	uint8_t *together = malloc(image_bytes(&shape));
	uint8_t *alone = malloc(image_bytes(&shape));
	struct blur blur;

	(void)state;
	assert_true(together && alone);
	blur_of(&blur, &shape, 6);
	assert_int_equal(blur_rows(&blur, pixels, together, 0, 50), 0);
	for (uint32_t y = 0; y < 50; y++)
		assert_int_equal(blur_rows(&blur, pixels, alone, y, y + 1), 0);
	assert_memory_equal(alone, together, image_bytes(&shape));
	free(pixels);
	free(together);
	free(alone);
}

static void plain_and_vector_sums_are_the_same_bytes(void **state)
{
	struct image_shape shape = {.width = 333, .height = 60, .channels = 3};
	uint8_t *pixels = fixture_pixels(&shape, 6);
	uint8_t *plain = malloc(image_bytes(&shape));
	uint8_t *wide = malloc(image_bytes(&shape));
	struct blur blur;

	(void)state;
	assert_true(plain && wide);
	for (int i = 3; i < 400; i = i * 3 / 2 + 1) {
		blur_of(&blur, &shape, i / 10.0);
		blur.sum = gauss_sum_form(GAUSS_PLAIN);
		assert_int_equal(blur_rows(&blur, pixels, plain, 0, 60), 0);
		for (int form = 1; form < GAUSS_FORMS; form++) {
			blur.sum = gauss_sum_form((enum gauss_form)form);
			if (!blur.sum)
				continue;
			assert_int_equal(blur_rows(&blur, pixels, wide, 0, 60),
					 0);
			assert_memory_equal(plain, wide, image_bytes(&shape));
		}
	}
	free(pixels);
	free(plain);
	free(wide);
}

/* The sample, and once more what the exact blur takes from it; alpha as it
 * is. Where that is little, colours are what rounding makes of them. */
static void check_sharpened(uint32_t channels, double sigma)
{
	struct image_shape shape = {53, 31, channels};
	uint8_t *pixels = fixture_pixels(&shape, 17);
	size_t n = image_bytes(&shape);
	double *samples = calloc(n, sizeof(double)), *exact;
	uint8_t *result = malloc(n);
	struct filter filter;

	assert_true(samples && result);
	for (size_t i = 0; i < n; i++)
		samples[i] = weighed(&shape, pixels, i);
	exact = blur_exactly(&shape, samples, sigma);
	filter_init(&filter, FILTER_SHARPEN, &shape, sigma, 0);
	assert_int_equal(filter_rows(&filter, pixels, result, 0, 31), 0);
	for (size_t i = 0; i < n; i++) {
		size_t last = i - i % channels + channels - 1;
		double alpha = image_has_alpha(&shape) ? exact[last] : 255;
		double wanted = 2 * pixels[i] - exact[i] * 255 / alpha;

		if (image_has_alpha(&shape) && i == last)
			assert_int_equal(result[i], pixels[i]);
		else if (alpha > 32)
			assert_true(fabs(fmin(fmax(wanted, 0), 255) -
					 result[i]) <= 1);
	}
	free(pixels);
	free(samples);
	free(exact);
	free(result);
}

static void sharpen_adds_what_the_blur_takes(void **state)
{
	(void)state;
	for (uint32_t channels = 1; channels <= 4; channels++)
		check_sharpened(channels, channels);
}

static void transparent_colours_do_not_bleed(void **state)
{
	struct image_shape shape = {.width = 20, .height = 1, .channels = 4};
	uint8_t pixels[80], result[80];
	struct blur blur;

	(void)state;
	/* Opaque white beside transparent black. */
	memset(pixels, 255, 40);
	memset(pixels + 40, 0, 40);
	blur_of(&blur, &shape, 2);
	assert_int_equal(blur_rows(&blur, pixels, result, 0, 1), 0);
	for (int x = 0; x < 20; x++)
		if (result[x * 4 + 3] > 4)
			assert_in_range(result[x * 4], 250, 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blur_is_within_one_level_of_the_exact_one),
		cmocka_unit_test(
			white_square_is_within_one_level_of_the_exact_one),
		cmocka_unit_test(blur_of_wide_pictures_is_right),
		cmocka_unit_test(blur_of_every_kind_of_channels_is_right),
		cmocka_unit_test(
			pictures_of_one_row_column_and_pixel_are_blurred),
		cmocka_unit_test(flat_areas_stay_as_they_are),
		cmocka_unit_test(
			flat_areas_stay_as_they_are_when_half_transparent),
		cmocka_unit_test(alpha_is_rounded_to_the_nearest),
		cmocka_unit_test(rows_alone_are_the_same_as_together),
		cmocka_unit_test(plain_and_vector_sums_are_the_same_bytes),
		cmocka_unit_test(sharpen_adds_what_the_blur_takes),
		cmocka_unit_test(transparent_colours_do_not_bleed),
	};
	return SUPPORT_MAIN(tests);
}
