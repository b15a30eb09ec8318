/* A System V semaphore, taken with SEM_UNDO as one does who must not leave it
 * locked by dying: a system call each way, and the kernel's bookkeeping. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "lib/objname.h"
#include "lib/sysv.h"

struct counter {
	int id;
	struct identity_object set; /* as it was made */
};

static void destroy(void *state)
{
	struct counter *counter = state;

	sysv_sem_remove(counter->id, &counter->set);
	objname_release_id(OBJNAME_SYSV_SEM, counter->id);
	free(counter);
}

static int create(void **state, int members)
{
	static const unsigned short one[] = {1};
	struct counter *counter = calloc(1, sizeof(*counter));
	int id;

	(void)members;
	if (!counter)
		return -ENOMEM;
	id = sysv_sem_create(IPC_PRIVATE, 1, one, 0600);
	if (id < 0) {
		free(counter);
		return id;
	}
	identity_of_sysv(IDENTITY_SYSV_SEM, id, &counter->set);
	objname_claim_id(OBJNAME_SYSV_SEM, id);
	counter->id = id;
	*state = counter;
	return 0;
}

static int change(const struct counter *counter, short by)
{
	struct sembuf op = {.sem_op = by, .sem_flg = SEM_UNDO};

	while (semop(counter->id, &op, 1))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int enter(void *state)
{
	return change(state, -1);
}

static int leave(void *state)
{
	return change(state, 1);
}

static int check(struct syncop_limit *limit)
{
	struct seminfo info = {0};

	if (semctl(0, 0, IPC_INFO, (union semun){.info = &info}) < 0)
		return -errno;
	snprintf(limit->most, sizeof(limit->most), "%d units", info.semvmx);
	snprintf(limit->why, sizeof(limit->why),
		 "a semaphore counts to %d, always; a machine has at most %d "
		 "sets: the fourth of sysctl kernel.sem",
		 info.semvmx, info.semmni);
	return 0;
}

const struct syncop syncop_sysv_sem = {
	.name = "sysv-sem",
	.title = "System V semaphore (undo)",
	.summary =
		"a counter in the kernel, which gives back what a dead process took",
	.check = check,
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
