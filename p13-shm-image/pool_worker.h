/* pool_worker.h - one worker of a pool, a process of its own. For pool.c
 * alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_POOL_WORKER_H
#define UNIXIPC_P13_SHM_IMAGE_POOL_WORKER_H

#include "p13-shm-image/pool.h"

/* The semaphores: EXITS goes up whenever a worker ends, LOADED is the number of
 * strips from the top that the first stage may read, BARRIER + stage counts
 * the strips of the stage that are not done, COMPLETED + worker those that the
 * worker has counted. A set has no more of the last than there may be workers:
 * where kernel.sem allows 250 in a set, as databases want it, 203 have room. */
enum {
	POOL_EXITS,
	POOL_LOADED,
	POOL_BARRIER,
	POOL_COMPLETED = POOL_BARRIER + POOL_STAGES_MAX,
	POOL_SEMAPHORES = POOL_COMPLETED + POOL_SLOTS + 1,
};

struct pool_worker {
	const struct pool_options *options;
	int set;
	unsigned int number;
	unsigned int partition; /* whose strips it takes first, from 0 */
};

/* The first strip of a partition: there are as many of these as workers. Of
 * partition = workers: the number of all strips. */
uint32_t pool_worker_begin(const struct pool_options *options,
			   unsigned int partition);

/* Work through all stages. arg is the struct pool_worker. Returns the exit
 * status: 0, or 1 and the error in its slot. Waits for other workers
 * without a deadline: the master watches all, and the kernel ends a worker with
 * its master. */
int pool_worker_run(void *arg);

#endif
