/* traffic.h - a producer and a consumer, in two processes, and their figures.
 *
 *	stream   the producer sends as fast as it can, the consumer checks each
 *	         message; the clock runs in the producer from the first message
 *	         until the consumer's answer that it has checked the last one
 *	trips    then one message goes to and fro, and each trip is recorded
 */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_TRAFFIC_H
#define UNIXIPC_P12_SHM_RING_BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/stats.h"
#include "p12-shm-ring/bench/lane.h"

enum traffic_role { TRAFFIC_PRODUCER, TRAFFIC_CONSUMER };

struct traffic_plan {
	struct lane_plan lane;
	const char *name[2]; /* there and back */
	uint64_t messages;
	uint64_t trips; /* at most; trips_ns ends them sooner */
	int64_t trips_ns;
	int64_t timeout_ns; /* without a message: it is an error */
	int cpus[2];
	bool is_pinned;
	int stop_fd; /* readable once a stop was asked for (lib/cmd/stop) */
};

/* In memory that both processes map. */
struct traffic_board {
	int64_t elapsed_ns; /* of the stream */
	uint64_t bytes;     /* of all messages that arrived */
	uint64_t sent, received, dropped;
	struct ring_calls calls[2];
	/* How many of its lanes each role has opened: below 2, the error was
	 * met at the next. */
	unsigned int opened[2];
	uint64_t at[2];              /* the message that each role ended with */
	struct stats_histogram trip; /* ns, there and back */
};

/* Run both. Returns 0 with all figures, or the
 * -errno of the role whose error counts, which *role tells: -EOWNERDEAD (the
 * other died), -EPIPE, -ETIMEDOUT, -EBADMSG (a message was damaged, lost,
 * doubled or late), -ECHILD (it was killed itself), -EINTR (a stop), … No
 * process is left. board must be zero, and shared. */
int traffic_run(const struct traffic_plan *plan, struct traffic_board *board,
		enum traffic_role *role);

#endif
