/* crew_stall.c - each worker counts its moves on the board. Time alone says
 * nothing: who waits for others is right not to move, and is told from one
 * that was stopped on the way through by the gate, which is open then. */
#include "p13-shm-image/crew_stall.h"

#include <errno.h>
#include <sys/sem.h>

#include "lib/tick.h"
#include "p13-shm-image/crew_worker.h"

enum { STEP_MAX_MS = 250 };

int64_t crew_stall_begin(struct crew_stall *stall)
{
	int64_t now = tick_now(), step = now - stall->looked;

	stall->looked = now;
	return step < STEP_MAX_MS * TICK_MS ? step : STEP_MAX_MS * TICK_MS;
}

int64_t crew_stall_look(struct crew_stall *stall, const struct crew_job *job,
			int set, unsigned int worker, int64_t step_ns)
{
	const struct crew_slot *slot = &job->board->slot[worker];
	/* Relaxed: nothing else is read because of them. */
	uint32_t moves =
		atomic_load_explicit(&slot->moves, memory_order_relaxed);
	uint32_t gate = atomic_load_explicit(&slot->gate, memory_order_relaxed);
	int is_closed =
		gate ? semctl(set, (int)(CREW_GATE + gate - 1), GETVAL) : 0;

	if (is_closed < 0)
		return -errno;
	if (moves != stall->moves[worker] || is_closed)
		stall->still_ns[worker] = 0;
	else
		stall->still_ns[worker] += step_ns;
	stall->moves[worker] = moves;
	return stall->still_ns[worker];
}
