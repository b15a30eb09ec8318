#include "tests/crash/pick.h"

#include "lib/rng.h"

static void pick_ends(struct state *state, bool all)
{
	for (size_t i = 0; i < state->n_choices; i++)
		state->pick[i] = all ? state->choices[i].options - 1 : 0;
}

uint64_t pick_combinations(const struct state *state)
{
	uint64_t n = 1;

	for (size_t i = 0; i < state->n_choices && n <= PICK_EXHAUSTIVE; i++)
		n *= state->choices[i].options;
	return n <= PICK_EXHAUSTIVE ? n : PICK_EXHAUSTIVE + 1;
}

static void pick_combination(struct state *state, uint64_t n)
{
	for (size_t i = 0; i < state->n_choices; i++) {
		state->pick[i] = (uint32_t)(n % state->choices[i].options);
		n /= state->choices[i].options;
	}
}

/* One of `few` choices takes any of its options, the others stay. */
static void stir(struct state *state, struct rng *rng, uint64_t few)
{
	for (size_t i = 0; i < state->n_choices; i++)
		if (rng_below(rng, few) == 0)
			state->pick[i] = (uint32_t)rng_below(
				rng, state->choices[i].options);
}

/* Disks are not fair: most of it is there, or little, or all up to a moment; and
 * often a single thing is out of order. */
static void pick_random(struct state *state, uint64_t now, struct rng *rng)
{
	const uint64_t way = rng_below(rng, 6);

	if (way < 4)
		pick_ends(state, way % 2);
	else
		state_pick_until(state, now - rng_below(rng, 16) % (now + 1));
	if (way < 2)
		stir(state, rng, 1 + 7 * rng_below(rng, 2));
	else
		stir(state, rng, state->n_choices + 1);
}

void pick_number(struct state *state, uint64_t number, uint64_t now,
		 uint64_t seed)
{
	struct rng rng;

	if (number < PICK_COMBINATION) {
		pick_ends(state, number == PICK_ALL);
	} else if (number < PICK_RANDOM) {
		pick_combination(state, number - PICK_COMBINATION);
	} else {
		rng_seed(&rng, seed ^ number);
		pick_random(state, now, &rng);
	}
}
