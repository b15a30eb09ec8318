/* starvation.h - did anybody starve? Whoever waited longer than the fair policy
 * allows, whatever the policy was. */
#ifndef UNIXIPC_P08_RWLOCK_CMD_STARVATION_H
#define UNIXIPC_P08_RWLOCK_CMD_STARVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "p08-rwlock/cmd/load.h"

struct starvation_side {
	struct load_sum sum;
	int64_t bound_ns;
	bool has_starved;
};

struct starvation {
	struct starvation_side readers, writers;
	uint64_t wrong; /* entries and exits where others were there */
	bool is_pass;
};

/* Of a load that has ended. late_ns is how late the scheduler woke a thread
 * during the run, at most, besides what the members saw of that: a wait is made
 * of several such wake-ups. */
struct starvation starvation_check(const struct load *load, int64_t late_ns);

#endif
