/* A mutex in shared memory: no system call unless somebody waits. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <pthread.h>

static void destroy(void *state)
{
	pthread_mutex_destroy(state);
	syncop_unshare(state, sizeof(pthread_mutex_t));
}

static int create(void **state, int members)
{
	pthread_mutex_t *mutex = syncop_share(sizeof(*mutex));
	pthread_mutexattr_t attr;
	int error;

	(void)members;
	if (!mutex)
		return -ENOMEM;
	pthread_mutexattr_init(&attr);
	error = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	if (error) {
		syncop_unshare(mutex, sizeof(*mutex));
		return -error;
	}
	*state = mutex;
	return 0;
}

static int enter(void *state)
{
	return -pthread_mutex_lock(state);
}

static int leave(void *state)
{
	return -pthread_mutex_unlock(state);
}

const struct syncop syncop_mutex = {
	.name = "mutex",
	.title = "Mutex in shared memory",
	.summary = "the C library's, with no system call unless somebody waits",
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
