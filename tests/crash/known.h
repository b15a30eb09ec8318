/* known.h - which states have been checked, as a set of numbers. */
#ifndef UNIXIPC_TESTS_CRASH_KNOWN_H
#define UNIXIPC_TESTS_CRASH_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it to begin. */
struct known {
	uint64_t *hashes; /* 0 is free */
	size_t n, room;
};

void known_fini(struct known *known);

/* Add the state of that hash, with so many lines said; false when it is known.
 * Ends the process when memory is short. */
bool known_add(struct known *known, uint64_t hash, uint64_t said);

#endif
