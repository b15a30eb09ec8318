/* pick.h - which states of a step are looked at: each has a number, which makes it
 * again. */
#ifndef UNIXIPC_TESTS_CRASH_PICK_H
#define UNIXIPC_TESTS_CRASH_PICK_H

#include <stdint.h>

#include "tests/crash/state.h"

/* So many combinations are tried one by one: ten sectors written once. */
#define PICK_EXHAUSTIVE 1024

enum {
	PICK_NOTHING,     /* of what is pending */
	PICK_ALL,         /* of it */
	PICK_COMBINATION, /* the first of them */
	PICK_RANDOM = PICK_COMBINATION + PICK_EXHAUSTIVE, /* and on */
};

/* How many combinations there are; PICK_EXHAUSTIVE + 1 when there are more. */
uint64_t pick_combinations(const struct state *state);

/* Set state->pick[]. now is the number of the step's record; random states depend
 * on seed as well. */
void pick_number(struct state *state, uint64_t number, uint64_t now,
		 uint64_t seed);

#endif
