/* pool_watch.c - what workers leave on the scoreboard, read by the master.
 *
 * Between two instructions a worker may die. What it leaves is a strip marked
 * as taken (half made: to be made again), or one marked as done that its
 * semaphore does not know of yet. The worker's completion count tells: it moves
 * in the same semop as the barrier.
 *
 * Each worker counts its moves. Time alone says nothing: a worker that waits
 * for others is right not to move. One that was stopped on the way through a
 * barrier is told from it by the barrier, which is open then. */
#include "p13-shm-image/pool_watch.h"

#include <errno.h>
#include <sys/sem.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p13-shm-image/pool_worker.h"

enum { STEP_MAX_MS = 250 };

int pool_watch_settle(const struct pool_options *options, int set,
		      unsigned int worker, struct pool_loss *loss)
{
	uint32_t strips = pool_strips(options->rows);
	/* Relaxed: the worker ended before we heard of it. */
	uint32_t last_stage = __atomic_load_n(
		&options->board->slot[worker].stage, __ATOMIC_RELAXED);
	int done = 0, counted;

	loss->is_held = false;
	for (unsigned int stage = 0; stage < options->stages; stage++) {
		for (uint32_t strip = 0; strip < strips; strip++) {
			uint32_t state = __atomic_load_n(
				&options->board->strip[stage][strip],
				__ATOMIC_ACQUIRE);

			if (state == 2 * worker)
				*loss = (struct pool_loss){stage, strip, true};
			done += state == 2 * worker + 1;
		}
	}
	counted = semctl(set, (int)(POOL_COMPLETED + worker), GETVAL);
	if (counted < 0)
		return -errno;
	if (done == counted)
		return 0;
	/* One at most, and of the stage it came to last. */
	return sysv_sem_op(set, (unsigned short)(POOL_BARRIER + last_stage), -1,
			   0, tick_after(TICK_S));
}

int64_t pool_watch_begin(struct pool_stall *stall)
{
	int64_t now = tick_now(), step = now - stall->looked;

	stall->looked = now;
	return step < STEP_MAX_MS * TICK_MS ? step : STEP_MAX_MS * TICK_MS;
}

int64_t pool_watch_look(struct pool_stall *stall,
			const struct pool_options *options, int set,
			unsigned int worker, int64_t step_ns)
{
	const struct pool_slot *slot = &options->board->slot[worker];
	/* Relaxed: nothing else is read because of them. */
	uint32_t moves = __atomic_load_n(&slot->moves, __ATOMIC_RELAXED);
	uint32_t barrier = __atomic_load_n(&slot->barrier, __ATOMIC_RELAXED);
	int is_closed =
		barrier ? semctl(set, (int)(POOL_BARRIER + barrier - 1), GETVAL)
			: 0;

	if (is_closed < 0)
		return -errno;
	if (moves != stall->moves[worker] || is_closed)
		stall->still_ns[worker] = 0;
	else
		stall->still_ns[worker] += step_ns;
	stall->moves[worker] = moves;
	return stall->still_ns[worker];
}
