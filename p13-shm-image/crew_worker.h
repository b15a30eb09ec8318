/* crew_worker.h - one worker of a crew, a process of its own. For crew.c
 * alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CREW_WORKER_H
#define UNIXIPC_P13_SHM_IMAGE_CREW_WORKER_H

#include "p13-shm-image/crew.h"

/* The semaphores: NEWS goes up whenever a worker ends, FED is the number of
 * bands from the top that the first stage may read, GATE + stage counts
 * the bands of the stage that are not done, TALLY + worker those that the
 * worker has counted. A set has no more of the last than there may be workers:
 * where kernel.sem allows 250 in a set, as databases want it, 203 have room. */
enum {
	CREW_NEWS,
	CREW_FED,
	CREW_GATE,
	CREW_TALLY = CREW_GATE + CREW_STAGES_MAX,
	CREW_SEMAPHORES = CREW_TALLY + CREW_SLOTS + 1,
};

struct crew_worker {
	const struct crew_job *job;
	int set;
	unsigned int number, home; /* whose bands it takes first, from 0 */
};

/* The first band of that home; that of home = workers is the number of all. */
uint32_t crew_worker_home(const struct crew_job *job, unsigned int home);

/* Work through all stages. arg is the struct crew_worker. Returns the exit
 * status: 0, or 1 and the error in its slot. Waits for the others without a
 * deadline: the master watches all, and the kernel ends us with it. */
int crew_worker_run(void *arg);

#endif
