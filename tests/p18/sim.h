/* sim.h - a cluster of Raft cores in one thread, with a clock, network, disks
 * and clients that a seed makes up, and all that can go wrong with them.
 *
 * Everything follows from the seed: the number of servers (3, 5 or 7), delays,
 * and what happens when. Messages are dropped, delayed, doubled and reordered;
 * links cut, one way too; servers paused, and killed wherever they hand
 * something to the disk, which then keeps any part of what was not synced;
 * members removed, added again, with their folder or without; snapshots taken
 * and sent. Clients write, each request with a name, and read. After each step
 * the promises of the Raft paper (Figure 3) are checked, from outside, and what
 * clients were told. When it has gone on for some seconds of its own time all
 * faults end, and the servers must agree soon. */
#ifndef UNIXIPC_TESTS_P18_SIM_H
#define UNIXIPC_TESTS_P18_SIM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_result {
	char fault[256]; /* empty: all is well */
	int64_t fault_ns;
	unsigned int servers;
	uint64_t steps;
	uint64_t committed;
	uint64_t writes; /* acknowledged */
	uint64_t reads;
	uint64_t leaders;
	uint64_t crashes;
	uint64_t snapshots; /* installed */
	uint64_t changes;   /* of members */
};

/* Run the world of this seed; with a trace, say on stdout what happens. */
void sim_run(uint64_t seed, bool has_trace, struct sim_result *result);

#endif
