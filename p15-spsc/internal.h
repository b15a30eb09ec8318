/* internal.h - what the sources of the queue share; nobody else includes it,
 * but for tests that start the indices near their end. */
#ifndef UNIXIPC_P15_SPSC_INTERNAL_H
#define UNIXIPC_P15_SPSC_INTERNAL_H

#include <stdbool.h>

#include "p15-spsc/spsc.h"

/* spsc_init() with both indices at first. */
int spsc_init_at(void *memory, size_t bytes, uint64_t item_bytes,
		 uint64_t capacity, uint64_t first);

/* Whether a process has the role that is no more. */
bool spsc_owner_is_dead(const struct spsc *shared, enum spsc_role role);

/* The role begins, its owner being set; returns is_fenced of the handle. */
int spsc_join(struct spsc *shared, enum spsc_role role);

/* The role ends: flag, wake, and give the ownership up. */
void spsc_leave(struct spsc *shared, enum spsc_role role);

#endif
