/* The barrier of p11-barrier: a member joins when it comes for the first time,
 * and never leaves, for a round that is complete stays so when members end. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "lib/objname.h"
#include "lib/sysv.h"
#include "p11-barrier/sysv_barrier.h"

/* Each process has its own. */
struct crossing {
	int id;
	struct identity_object set; /* as it was made */
	bool has_joined;
	struct sysv_barrier barrier;
};

static void destroy(void *state)
{
	struct crossing *crossing = state;

	/* Nobody is there any more, so nobody is to be waited for. */
	sysv_sem_remove(crossing->id, &crossing->set);
	objname_release_id(OBJNAME_SYSV_SEM, crossing->id);
	free(crossing);
}

static int create(void **state, int members)
{
	struct crossing *crossing = calloc(1, sizeof(*crossing));
	int id;

	if (!crossing)
		return -ENOMEM;
	id = sysv_barrier_create(IPC_PRIVATE, (unsigned int)members, 0600);
	if (id < 0) {
		free(crossing);
		return id;
	}
	identity_of_sysv(IDENTITY_SYSV_SEM, id, &crossing->set);
	objname_claim_id(OBJNAME_SYSV_SEM, id);
	crossing->id = id;
	*state = crossing;
	return 0;
}

static int enter(void *state)
{
	struct crossing *crossing = state;
	int result;

	if (!crossing->has_joined) {
		result = sysv_barrier_join(&crossing->barrier, crossing->id);
		if (result)
			return result;
		crossing->has_joined = true;
	}
	do
		result = sysv_barrier_wait(&crossing->barrier);
	while (result == -EINTR);
	return result == SYSV_BARRIER_SERIAL ? 0 : result;
}

static int check(struct syncop_limit *limit)
{
	struct seminfo info = {0};

	if (semctl(0, 0, IPC_INFO, (union semun){.info = &info}) < 0)
		return -errno;
	snprintf(limit->most, sizeof(limit->most), "%d members",
		 SYSV_BARRIER_MAX);
	if (info.semopm >= SYSV_BARRIER_OPERATIONS &&
	    info.semmsl >= SYSV_BARRIER_SEMAPHORES)
		return 0;
	snprintf(limit->why, sizeof(limit->why),
		 "needs sets of %d and semops of %d; raise: sysctl -w "
		 "kernel.sem='32000 1024000000 500 32000'",
		 SYSV_BARRIER_SEMAPHORES, SYSV_BARRIER_OPERATIONS);
	return -E2BIG;
}

const struct syncop syncop_sysv_barrier = {
	.name = "sysv-barrier",
	.title = "System V semaphore barrier",
	.summary = "a barrier in the kernel, which a dead member breaks",
	.meets = true,
	.check = check,
	.create = create,
	.enter = enter,
	.destroy = destroy,
};
