/* An unnamed POSIX semaphore in shared memory, with one unit in it. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>

static void destroy(void *state)
{
	sem_destroy(state);
	syncop_unshare(state, sizeof(sem_t));
}

static int create(void **state, int members)
{
	sem_t *sem = syncop_share(sizeof(*sem));

	(void)members;
	if (!sem)
		return -ENOMEM;
	if (sem_init(sem, 1, 1)) {
		int error = -errno;

		syncop_unshare(sem, sizeof(*sem));
		return error;
	}
	*state = sem;
	return 0;
}

static int enter(void *state)
{
	while (sem_wait(state))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int leave(void *state)
{
	return sem_post(state) ? -errno : 0;
}

static int check(struct syncop_limit *limit)
{
	snprintf(limit->most, sizeof(limit->most), "%u units",
		 (unsigned int)SEM_VALUE_MAX);
	return 0;
}

const struct syncop syncop_posix_sem = {
	.name = "posix-sem",
	.title = "POSIX semaphore",
	.summary =
		"a counter in shared memory; no owner, so a death loses units",
	.check = check,
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
