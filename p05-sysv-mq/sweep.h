/* sweep.h - reclaim what messages take up in the queue that nobody will ever
 * read, by a pass over all of it, as a garbage collector sweeps.
 *
 * The queue outlives the processes that use it. A reply to a client that was
 * killed would lie there until the queue goes, and take up room.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_SWEEP_H
#define UNIXIPC_P05_SYSV_MQ_SWEEP_H

#include <stddef.h>

#include "lib/tick.h"
#include "p05-sysv-mq/letter.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sweep_counts {
	unsigned int requests, replies;
	unsigned int others; /* empty messages, and what is no letter */
};

/* Take out all that is in the queue now, whoever it is for. Returns 0 or
 * -errno. */
int sweep_purge(int queue, struct sweep_counts *counts);

/* What lies there for a client of another PID namespace, which cannot be judged
 * from here, is collected so long after that has given it up; without a
 * deadline, or in another time namespace, it stays. */
#define SWEEP_UNKNOWN_NS (60 * TICK_S)

/* Take out replies to clients that are dead, judged from here, by thread id and
 * start time, and what is neither reply nor request. Replies to the living are
 * taken out and put back: nobody else is served from there in between, for the
 * room is reserved. Does not block. Returns 0 or -errno. */
int sweep_dead(int queue, const struct letter_place *here,
	       struct sweep_counts *counts);

#ifdef __cplusplus
}
#endif

#endif
