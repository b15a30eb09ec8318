/* rng.h - repeatable random numbers for stress tests, not for secrets.
 *
 * xoshiro256** seeded through splitmix64 (Blackman and Vigna). One generator
 * belongs to one thread. The same seed gives the same numbers everywhere.
 */
#ifndef UNIXIPC_LIB_RNG_H
#define UNIXIPC_LIB_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);

/* Evenly one of 0 … bound-1, without the bias of %; bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

void rng_fill(struct rng *rng, void *buf, size_t len);

#endif
