/* hand.h - the jobs that the dispatcher has in hand: waiting or running.
 *
 * Few wait here: what waits, waits in the kernel's queue. In hand wait those
 * that have no message there any more (found in the journal after a crash, or
 * to be run again after their worker died), or that are known early because
 * of aging. For one thread; all functions take time proportional to n.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_HAND_H
#define UNIXIPC_P04_POSIX_MQ_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p04-posix-mq/job.h"

struct hand_entry {
	struct job *job;
	bool is_running;
	bool was_held;
	int64_t not_before; /* hand_hold() */
};

/* Zero it to begin. */
struct hand {
	struct hand_entry *entry;
	size_t n, room;
};

void hand_free(struct hand *hand);

/* Take over a job (malloc'ed), also on failure. Returns 0 or -ENOMEM. */
int hand_add(struct hand *hand, struct job *job);

enum hand_state { HAND_NONE, HAND_WAITING, HAND_RUNNING };
enum hand_state hand_find(const struct hand *hand, uint64_t id);

/* The waiting job that is to start next, running from now on; NULL when there
 * is none. It stays the hand's. */
const struct job *hand_take(struct hand *hand, int64_t aging_ns);

/* How many could start now. */
size_t hand_waiting(const struct hand *hand);

/* It waits again. */
void hand_put_back(struct hand *hand, uint64_t id);

/* It waits again, and does not start before that moment. Whether it is the first
 * time. */
bool hand_hold(struct hand *hand, uint64_t id, int64_t not_before);
bool hand_was_held(const struct hand *hand, uint64_t id);

/* It has ended: freed. */
void hand_drop(struct hand *hand, uint64_t id);

#endif
