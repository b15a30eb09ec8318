/* sweep.h - take messages out of the queue that nobody will ever read.
 *
 * The queue outlives the processes that use it. A reply to a client that was
 * killed would lie there until the queue goes, and take up room.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_SWEEP_H
#define UNIXIPC_P05_SYSV_MQ_SWEEP_H

#include <stddef.h>

struct sweep_counts {
	unsigned int requests, replies;
	unsigned int others; /* empty messages, and what is no letter */
};

/* Take out all that is in the queue now, whoever it is for. Returns 0 or
 * -errno. */
int sweep_purge(int queue, struct sweep_counts *counts);

/* Take out replies to clients that are dead, by thread id and start time, and
 * what is neither reply nor request. Replies to the living are taken out and
 * put back: nobody else is served from there in between, for the room is
 * reserved. Does not block. Returns 0 or -errno. */
int sweep_dead(int queue, struct sweep_counts *counts);

#endif
