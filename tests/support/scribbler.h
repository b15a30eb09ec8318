/* scribbler.h - a victim that writes what it likes where it may, for the plays of
 * survivors.h. Its successor does nothing. */
#ifndef UNIXIPC_TESTS_SUPPORT_SCRIBBLER_H
#define UNIXIPC_TESTS_SUPPORT_SCRIBBLER_H

#include <stddef.h>

#include "tests/support/survivors.h"

/* For a step: a few words of the memory become 0, all ones, those of others, or
 * random. */
void scribbler_scribble(struct survivors_actor *self, void *memory,
			size_t bytes);

/* For a role's enter() and its step(): all of the POSIX shared memory of that
 * name. */
int scribbler_enter(struct survivors_actor *self, const char *name);
int scribbler_step(struct survivors_actor *self);

#endif
