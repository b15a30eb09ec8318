/* crew_death.c - between two instructions a worker may die. What it leaves is
 * a band marked as taken (half made: to be made again), or one marked as done
 * that its semaphore does not know of yet. The tally tells: it moves in the
 * same semop as the gate. */
#include "p13-shm-image/crew_death.h"

#include <errno.h>
#include <sys/sem.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p13-shm-image/crew_worker.h"

int crew_death_settle(const struct crew_job *job, int set, unsigned int worker,
		      struct crew_loss *loss)
{
	uint32_t bands = crew_bands(job->rows);
	/* Relaxed: it ended before we were told. */
	uint32_t last_stage = atomic_load_explicit(
		&job->board->slot[worker].stage, memory_order_relaxed);
	int done = 0, counted;

	loss->is_held = 0;
	for (unsigned int stage = 0; stage < job->stages; stage++) {
		for (uint32_t band = 0; band < bands; band++) {
			uint32_t state = atomic_load_explicit(
				&job->board->band[stage][band],
				memory_order_acquire);

			if (state == 2 * worker)
				*loss = (struct crew_loss){stage, band, 1};
			done += state == 2 * worker + 1;
		}
	}
	counted = semctl(set, (int)(CREW_TALLY + worker), GETVAL);
	if (counted < 0)
		return -errno;
	if (done == counted)
		return 0;
	/* One at most, and of the stage it came to last. */
	return sysv_sem_op(set, (unsigned short)(CREW_GATE + last_stage), -1, 0,
			   tick_after(TICK_S));
}
