/* participant.h - a process of barrier_test that meets the others. */
#ifndef UNIXIPC_P11_BARRIER_CMD_PARTICIPANT_H
#define UNIXIPC_P11_BARRIER_CMD_PARTICIPANT_H

#include <stdbool.h>
#include <stdint.h>

/* What all of them are to do. */
struct participant_plan {
	unsigned int rounds;
	unsigned int killed; /* the number of the one who is; 0: none … */
	bool is_inside;      /* … after it arrived, and not before */
	int64_t timeout_ns, jitter_ns;
	uint64_t seed; /* of the pauses */
};

struct participant {
	const struct participant_plan *plan;
	unsigned int number; /* 1 … */
	int id;              /* of the barrier */
	int records;         /* where to write what happens: checker.h */
	int other_end;       /* to close: the parent's */
};

/* For child_fork(): arg is a struct participant. Join, meet in each round,
 * leave; each step is written as a record. Returns an exit status. */
int participant_run(void *arg);

#endif
