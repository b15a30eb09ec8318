/* crew_death.h - what a dead worker had in hand. For crew.c alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CREW_DEATH_H
#define UNIXIPC_P13_SHM_IMAGE_CREW_DEATH_H

#include "p13-shm-image/crew.h"

struct crew_loss {
	unsigned int stage;
	uint32_t band;
	int is_held; /* whether it had one */
};

/* Settle the accounts of a worker that has ended: a band that it finished
 * without counting it is counted, and the one it had is told, and still
 * marked as taken. Returns 0 or -errno of semop(2). */
int crew_death_settle(const struct crew_job *job, int set, unsigned int worker,
		      struct crew_loss *loss);

#endif
