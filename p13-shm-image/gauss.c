#include "p13-shm-image/gauss.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SHIFT = 15, HALF = 1 << (SHIFT - 1) };

/* Beyond 3.2 sigma lie 0.14 % of the weight. */
void gauss_init(struct gauss *gauss, double sigma)
{
	int radius = (int)ceil(3.2 * sigma), rest = HALF;
	double total = 0.5, exact = 0;

	memset(gauss, 0, sizeof(*gauss));
	for (int k = 1; k <= radius; k++)
		total += exp(-k * k / (2 * sigma * sigma));
	/* What rounding takes from one weight it gives to the next. */
	for (int k = radius; k > 0; k--) {
		int before = (int)lround(exact);

		exact += exp(-k * k / (2 * sigma * sigma)) / total * HALF;
		gauss->weight[k] = (int16_t)((int)lround(exact) - before);
		rest -= gauss->weight[k];
	}
	gauss->weight[0] = (int16_t)rest;
	gauss->radius = radius;
	gauss->pairs = radius + 1;
}

static void gauss_sum_plain(const struct gauss *gauss,
			    const int16_t *const *tap, int16_t *to, size_t n)
{
	int r = gauss->radius;

	for (size_t at = 0; at < n; at += GAUSS_STEP) {
		int32_t sum[GAUSS_STEP];

		for (int i = 0; i < GAUSS_STEP; i++)
			sum[i] = HALF;
		for (int k = 0; k <= r; k++) {
			const int16_t *a = tap[r - k] + at;
			const int16_t *b = tap[r + k] + at;
			int32_t weight = gauss->weight[k];

			for (int i = 0; i < GAUSS_STEP; i++)
				sum[i] += (a[i] + b[i]) * weight;
		}
		for (int i = 0; i < GAUSS_STEP; i++)
			to[at + (size_t)i] = (int16_t)(sum[i] >> SHIFT);
	}
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2")))

static inline AVX2 __m256i load_sum(const int16_t *a, const int16_t *b)
{
	return _mm256_add_epi16(_mm256_loadu_si256((const void *)a),
				_mm256_loadu_si256((const void *)b));
}

/* pmaddwd multiplies two neighbours by two weights and adds them: the sums of
 * two pairs of rows are shuffled together for it, and packing shuffles them
 * back. */
AVX2 static void gauss_sum_avx2(const struct gauss *gauss,
				const int16_t *const *tap, int16_t *to,
				size_t n)
{
	int r = gauss->radius;

	for (size_t at = 0; at < n; at += 32) {
		__m256i half = _mm256_set1_epi32(HALF);
		__m256i low0 = half, high0 = half, low1 = half, high1 = half;

		for (int k = 0; k <= r; k += 2) {
			int next = k < r ? k + 1 : k; /* its weight is 0 */
			const int16_t *a = tap[r - k] + at;
			const int16_t *b = tap[r + k] + at;
			const int16_t *c = tap[r - next] + at;
			const int16_t *d = tap[r + next] + at;
			int32_t both;
			__m256i w, s, t;

			memcpy(&both, &gauss->weight[k], sizeof(both));
			w = _mm256_set1_epi32(both);
			s = load_sum(a, b);
			t = load_sum(c, d);
			low0 = _mm256_add_epi32(
				low0, _mm256_madd_epi16(
					      _mm256_unpacklo_epi16(s, t), w));
			high0 = _mm256_add_epi32(
				high0, _mm256_madd_epi16(
					       _mm256_unpackhi_epi16(s, t), w));
			s = load_sum(a + 16, b + 16);
			t = load_sum(c + 16, d + 16);
			low1 = _mm256_add_epi32(
				low1, _mm256_madd_epi16(
					      _mm256_unpacklo_epi16(s, t), w));
			high1 = _mm256_add_epi32(
				high1, _mm256_madd_epi16(
					       _mm256_unpackhi_epi16(s, t), w));
		}
		_mm256_storeu_si256(
			(void *)(to + at),
			_mm256_packs_epi32(_mm256_srai_epi32(low0, SHIFT),
					   _mm256_srai_epi32(high0, SHIFT)));
		_mm256_storeu_si256(
			(void *)(to + at + 16),
			_mm256_packs_epi32(_mm256_srai_epi32(low1, SHIFT),
					   _mm256_srai_epi32(high1, SHIFT)));
	}
}

#define AVX512 __attribute__((target("avx512bw,avx512vnni")))

static inline AVX512 __m512i load_sum_512(const int16_t *a, const int16_t *b)
{
	return _mm512_add_epi16(_mm512_loadu_si512(a), _mm512_loadu_si512(b));
}

/* The same with registers twice as wide, and in one instruction what is
 * multiplied and added there. */
AVX512 static void gauss_sum_avx512(const struct gauss *gauss,
				    const int16_t *const *tap, int16_t *to,
				    size_t n)
{
	int r = gauss->radius;

	for (size_t at = 0; at < n; at += GAUSS_STEP) {
		__m512i half = _mm512_set1_epi32(HALF);
		__m512i low0 = half, high0 = half, low1 = half, high1 = half;

		for (int k = 0; k <= r; k += 2) {
			int next = k < r ? k + 1 : k; /* its weight is 0 */
			const int16_t *a = tap[r - k] + at;
			const int16_t *b = tap[r + k] + at;
			const int16_t *c = tap[r - next] + at;
			const int16_t *d = tap[r + next] + at;
			int32_t both;
			__m512i w, s, t;

			memcpy(&both, &gauss->weight[k], sizeof(both));
			w = _mm512_set1_epi32(both);
			s = load_sum_512(a, b);
			t = load_sum_512(c, d);
			low0 = _mm512_dpwssd_epi32(
				low0, _mm512_unpacklo_epi16(s, t), w);
			high0 = _mm512_dpwssd_epi32(
				high0, _mm512_unpackhi_epi16(s, t), w);
			s = load_sum_512(a + 32, b + 32);
			t = load_sum_512(c + 32, d + 32);
			low1 = _mm512_dpwssd_epi32(
				low1, _mm512_unpacklo_epi16(s, t), w);
			high1 = _mm512_dpwssd_epi32(
				high1, _mm512_unpackhi_epi16(s, t), w);
		}
		_mm512_storeu_si512(
			to + at,
			_mm512_packs_epi32(_mm512_srai_epi32(low0, SHIFT),
					   _mm512_srai_epi32(high0, SHIFT)));
		_mm512_storeu_si512(
			to + at + 32,
			_mm512_packs_epi32(_mm512_srai_epi32(low1, SHIFT),
					   _mm512_srai_epi32(high1, SHIFT)));
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
