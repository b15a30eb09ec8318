#include "p13-shm-image/image/gauss.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SHIFT = 15, HALF = 1 << (SHIFT - 1) };

/* Beyond 3.4 sigma lie 0.07 % of the weight: in the middle of a white square
 * that is just as large these are 0.34 levels, and rounding is 0.5. */
void gauss_init(struct gauss *gauss, double sigma)
{
	int radius = (int)ceil(3.4 * sigma), rest = 2 * HALF;
	int16_t *middle = gauss->even + radius;
	double total = 0.5, exact = 0;

	memset(gauss, 0, sizeof(*gauss));
	for (int k = 1; k <= radius; k++)
		total += exp(-k * k / (2 * sigma * sigma));
	/* What rounding takes from one weight it gives to the next. */
	for (int k = radius; k > 0; k--) {
		int before = (int)lround(exact);

		exact += exp(-k * k / (2 * sigma * sigma)) / total * HALF;
		middle[k] = middle[-k] = (int16_t)((int)lround(exact) - before);
		rest -= 2 * middle[k];
	}
	middle[0] = (int16_t)rest;
	memcpy(gauss->odd + 1, gauss->even,
	       sizeof(gauss->even) - sizeof(gauss->even[0]));
	gauss->radius = radius;
	gauss->pairs = radius + 1;
}

static void gauss_sum_plain(const struct gauss_rows *rows, int16_t *to,
			    size_t n)
{
	for (size_t at = 0; at < n; at += GAUSS_STEP) {
		int32_t sum[GAUSS_STEP];

		for (int i = 0; i < GAUSS_STEP; i++)
			sum[i] = HALF;
		for (int k = 0; k < rows->pairs; k++) {
			const int16_t *pair =
				rows->first + (size_t)k * rows->stride + 2 * at;
			int32_t v = rows->weight[2 * k];
			int32_t w = rows->weight[2 * k + 1];

			for (int i = 0; i < GAUSS_STEP; i++)
				sum[i] += pair[2 * i] * v + pair[2 * i + 1] * w;
		}
		for (int i = 0; i < GAUSS_STEP; i++)
			to[at + (size_t)i] = (int16_t)(sum[i] >> SHIFT);
	}
}

#if defined(__x86_64__)

/* Two weights, side by side in each lane. */
static inline int32_t both_weights(const struct gauss_rows *rows, int k)
{
	int32_t both;

	memcpy(&both, rows->weight + 2 * k, sizeof(both));
	return both;
}

enum { SUMS = 8 }; /* at once: as many as the processor can have under way */

__attribute__((target("avx2"))) static void gauss_sum_avx2(
	const struct gauss_rows *rows, int16_t *to, size_t n)
{
	for (size_t at = 0; at < n; at += 8 * SUMS) {
		const int16_t *pair = rows->first + 2 * at;
		__m256i sum[SUMS];

		for (int i = 0; i < SUMS; i++)
			sum[i] = _mm256_set1_epi32(HALF);
		for (int k = 0; k < rows->pairs; k++, pair += rows->stride) {
			__m256i w = _mm256_set1_epi32(both_weights(rows, k));

			for (int i = 0; i < SUMS; i++) {
				__m256i s = _mm256_loadu_si256(
					(const void *)(pair + 16 * i));

				sum[i] = _mm256_add_epi32(
					sum[i], _mm256_madd_epi16(s, w));
			}
		}
		for (int i = 0; i < SUMS; i += 2) {
			__m256i low = _mm256_srai_epi32(sum[i], SHIFT);
			__m256i high = _mm256_srai_epi32(sum[i + 1], SHIFT);

			/* Packing takes turns: 0 2 1 3. */
			_mm256_storeu_si256(
				(void *)(to + at + 8 * (size_t)i),
				_mm256_permute4x64_epi64(
					_mm256_packs_epi32(low, high), 0xd8));
		}
	}
}

/* Twice as wide, and multiplied and added in one instruction. */
__attribute__((target("avx512bw,avx512vnni"))) static void gauss_sum_avx512(
	const struct gauss_rows *rows, int16_t *to, size_t n)
{
	for (size_t at = 0; at < n; at += 16 * SUMS) {
		const int16_t *pair = rows->first + 2 * at;
		__m512i sum[SUMS];

		for (int i = 0; i < SUMS; i++)
			sum[i] = _mm512_set1_epi32(HALF);
		for (int k = 0; k < rows->pairs; k++, pair += rows->stride) {
			__m512i w = _mm512_set1_epi32(both_weights(rows, k));

			for (int i = 0; i < SUMS; i++)
				sum[i] = _mm512_dpwssd_epi32(
					sum[i], w,
					_mm512_loadu_si512(pair + 32 * i));
		}
		for (int i = 0; i < SUMS; i++)
			_mm256_storeu_si256(
				(void *)(to + at + 16 * (size_t)i),
				_mm512_cvtepi32_epi16(
					_mm512_srai_epi32(sum[i], SHIFT)));
	}
}

#endif

gauss_sum *gauss_sum_form(enum gauss_form form)
{
#if defined(__x86_64__)
	if (form == GAUSS_AVX512 && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512vnni"))
		return gauss_sum_avx512;
	if (form == GAUSS_AVX2 && __builtin_cpu_supports("avx2"))
		return gauss_sum_avx2;
#endif
	return form == GAUSS_PLAIN ? gauss_sum_plain : NULL;
}

gauss_sum *gauss_sum_best(void)
{
	gauss_sum *best = NULL;

	for (int form = GAUSS_FORMS - 1; !best; form--)
		best = gauss_sum_form((enum gauss_form)form);
	return best;
}
