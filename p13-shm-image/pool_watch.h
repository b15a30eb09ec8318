/* pool_watch.h - which strip a dead worker had, and which living worker does
 * not move: stopped by a signal, or hung. For pool.c alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_POOL_WATCH_H
#define UNIXIPC_P13_SHM_IMAGE_POOL_WATCH_H

#include <stdbool.h>

#include "p13-shm-image/pool.h"

struct pool_loss {
	unsigned int stage;
	uint32_t strip;
	bool is_held; /* whether it had one */
};

/* Settle the accounts of a worker that has ended: a strip that it finished
 * without counting it is counted, and the one it had is returned, still
 * marked as taken. Returns 0 or -errno of semop(2). */
int pool_watch_settle(const struct pool_options *options, int set,
		      unsigned int worker, struct pool_loss *loss);

/* Zeros at first. */
struct pool_stall {
	int64_t looked;                   /* when */
	uint32_t moves[POOL_SLOTS + 1];   /* as they were then */
	int64_t still_ns[POOL_SLOTS + 1]; /* since then they are the same */
};

/* Begin a round of looks at all workers. Returns the time since the one
 * before, but not more than a look takes on a machine that is busy: when the
 * master itself was stopped, its workers were too. */
int64_t pool_watch_begin(struct pool_stall *stall);

/* How long this worker has not moved, step_ns after the look before. To wait
 * at a barrier that is not open yet is no standing still. Returns -errno of
 * semctl(2) when the set is gone. */
int64_t pool_watch_look(struct pool_stall *stall,
			const struct pool_options *options, int set,
			unsigned int worker, int64_t step_ns);

#endif
