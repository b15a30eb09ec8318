/* crew_stall.h - workers that live and do not move: stopped by a signal, or
 * hung. For crew.c alone. */
#ifndef UNIXIPC_P13_SHM_IMAGE_CREW_STALL_H
#define UNIXIPC_P13_SHM_IMAGE_CREW_STALL_H

#include "p13-shm-image/crew.h"

/* Zeros at first. */
struct crew_stall {
	int64_t looked;                   /* when */
	uint32_t moves[CREW_SLOTS + 1];   /* as they were then */
	int64_t still_ns[CREW_SLOTS + 1]; /* since then they are the same */
};

/* Begin a round of looks at all workers. Returns the time since the one
 * before, but not more than a look takes on a machine that is busy: when the
 * master itself was stopped, its workers were too. */
int64_t crew_stall_begin(struct crew_stall *stall);

/* How long this worker has not moved, step_ns after the look before. To wait
 * at a gate that is not open yet is no standing still. Returns -errno of
 * semctl(2) when the set is gone. */
int64_t crew_stall_look(struct crew_stall *stall, const struct crew_job *job,
			int set, unsigned int worker, int64_t step_ns);

#endif
