/* role.h - what one producer, or one consumer, does from beginning to end.
 *
 * The same for a thread and for a process. What it is at, and how far, it
 * notes where all can see it: a deadlock is then told with who waits for what.
 */
#ifndef UNIXIPC_P07_PRODCONS_CMD_ROLE_H
#define UNIXIPC_P07_PRODCONS_CMD_ROLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "p07-prodcons/bounded.h"
#include "p07-prodcons/cmd/audit.h"

enum role_kind { ROLE_PRODUCER, ROLE_CONSUMER, ROLE_KINDS };

enum role_doing { ROLE_PAUSING, ROLE_PUTTING, ROLE_TAKING, ROLE_ENDED };

/* What all are to do. */
struct role_plan {
	uint32_t members[ROLE_KINDS];
	uint64_t items;
	int64_t delay_ns[ROLE_KINDS]; /* after each item */
	bool is_random;               /* pauses of random length, too */
	uint64_t seed;
	bool is_quiet; /* no line for each item */
};

/* Written by one member; in memory that all share. */
struct role_slot {
	_Atomic uint32_t doing;
	_Atomic int32_t error; /* why it ended: 0 or -errno */
	_Atomic uint64_t done; /* items */
};

struct role {
	const struct role_plan *plan;
	struct bounded *buffer;
	struct audit *audit;
	struct role_slot *slot;
	enum role_kind kind;
	uint32_t number; /* 1 …, in its kind */
};

/* Produce the share of this one, or consume until there is nothing more.
 * Returns 0 or -errno: -EPIPE for a producer when all consumers are gone,
 * -EINTR when a signal handler ran, and what the buffer says. */
int role_run(const struct role *role);

#endif
