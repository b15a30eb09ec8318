/* rng.c - xoshiro256** 1.0 and splitmix64, as published by Blackman and
 * Vigna at prng.di.unimi.it; rng_below is Lemire's multiplication ("Fast
 * random integer generation in an interval", 2019). */
#include "lib/rng.h"

#include <endian.h>
#include <string.h>

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void rng_seed(struct rng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		rng->s[i] = z ^ z >> 31;
	}
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t *s = rng->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
	unsigned __int128 m = (unsigned __int128)rng_next(rng) * bound;

	/* The high half is the result. Low halves below 2^64 mod bound belong
	 * to results that would come up once too often. */
	if ((uint64_t)m < bound) {
		uint64_t surplus = -bound % bound;

		while ((uint64_t)m < surplus)
			m = (unsigned __int128)rng_next(rng) * bound;
	}
	return (uint64_t)(m >> 64);
}

void rng_fill(struct rng *rng, void *buf, size_t len)
{
	char *to = buf;

	while (len) {
		uint64_t word = htole64(rng_next(rng));
		size_t n = len < sizeof(word) ? len : sizeof(word);

		memcpy(to, &word, n);
		to += n;
		len -= n;
	}
}
