/* gauss.h - a Gaussian as a list of weights, and the weighted sum of many
 * rows, which is all that a separable blur needs, down columns and along rows
 * alike.
 *
 * Samples are in 64ths of a level (0 … 16320), so that two of them fit 16
 * bits, weights in 32768ths; products are summed in 32 bits and rounded once.
 */
#ifndef UNIXIPC_GAUSS_H
#define UNIXIPC_GAUSS_H

#include <stddef.h>
#include <stdint.h>

#define GAUSS_SIGMA_MIN 0.3
#define GAUSS_SIGMA_MAX 100.0

enum {
	GAUSS_RADIUS_MAX = 321,
	GAUSS_STEP = 64, /* samples that are summed at once */
	GAUSS_UNIT = 64, /* of a sample, in a level */
};

/* weight[0] is half of the middle one, as each is for a pair of samples; a
 * zero follows where the number of pairs is odd. */
struct gauss {
	int radius, pairs;
	int16_t weight[GAUSS_RADIUS_MAX + 3];
};

/* sigma within the limits above. The weights add up to exactly 1. */
void gauss_init(struct gauss *gauss, double sigma);

/* to[i] = the weighted sum of tap[0 … 2 radius][i], for i < n, n a multiple
 * of GAUSS_STEP. */
typedef void gauss_sum(const struct gauss *gauss, const int16_t *const *tap,
		       int16_t *to, size_t n);

/* The same bytes come of all of them: plain C, and by vector instructions.
 * gauss_sum_form() is NULL for what this processor has not. */
enum gauss_form { GAUSS_PLAIN, GAUSS_AVX2, GAUSS_AVX512, GAUSS_FORMS };
gauss_sum *gauss_sum_form(enum gauss_form form);
gauss_sum *gauss_sum_best(void);

#endif
