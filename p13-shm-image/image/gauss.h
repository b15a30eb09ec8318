/* gauss.h - a Gaussian as a list of weights, and the weighted sum of many
 * rows, which is all that a separable blur needs, down columns and along rows
 * alike.
 *
 * Samples are in 64ths of a level (0 … 16320), weights in 32768ths; products
 * are summed in 32 bits and rounded once. Processors multiply two neighbours
 * by two weights and add them in one instruction: so samples lie in pairs, of
 * one row and the next, or of one place and the next.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_GAUSS_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_GAUSS_H

#include <stddef.h>
#include <stdint.h>

#define GAUSS_SIGMA_MIN 0.3
#define GAUSS_SIGMA_MAX 100.0

enum {
	GAUSS_RADIUS_MAX = 341,
	GAUSS_STEP = 128, /* samples that are summed at once */
	GAUSS_UNIT = 64,  /* of a sample, in a level */
};

/* The weights of the samples around one, from -radius to radius: even[] ends
 * in a zero, so that they are in pairs, odd[] begins with it. */
struct gauss {
	int radius, pairs;
	int16_t even[2 * (GAUSS_RADIUS_MAX + 1)];
	int16_t odd[2 * (GAUSS_RADIUS_MAX + 1)];
};

/* sigma within the limits above. The weights add up to exactly 1. */
void gauss_init(struct gauss *gauss, double sigma);

/* What is summed: the pair k of the sample i lies at first[k * stride + 2i],
 * and is for weight[2k] and weight[2k + 1], k < pairs. */
struct gauss_rows {
	const int16_t *first;
	size_t stride;
	const int16_t *weight;
	int pairs;
};

/* to[i] = their sum, for i < n, a multiple of GAUSS_STEP. */
typedef void gauss_sum(const struct gauss_rows *rows, int16_t *to, size_t n);

/* The same bytes come of all of them: plain C, and by vector instructions.
 * gauss_sum_form() is NULL for what this processor has not. */
enum gauss_form { GAUSS_PLAIN, GAUSS_AVX2, GAUSS_AVX512, GAUSS_FORMS };
gauss_sum *gauss_sum_form(enum gauss_form form);
gauss_sum *gauss_sum_best(void);

#endif
