/* The C library's barrier, in shared memory. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <pthread.h>

static void destroy(void *state)
{
	/* Not pthread_barrier_destroy(): it would wait for a member that was
	 * killed inside. */
	syncop_unshare(state, sizeof(pthread_barrier_t));
}

static int create(void **state, int members)
{
	pthread_barrier_t *barrier = syncop_share(sizeof(*barrier));
	pthread_barrierattr_t attr;
	int error;

	if (!barrier)
		return -ENOMEM;
	pthread_barrierattr_init(&attr);
	error = pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_barrier_init(barrier, &attr, (unsigned)members);
	pthread_barrierattr_destroy(&attr);
	if (error) {
		syncop_unshare(barrier, sizeof(*barrier));
		return -error;
	}
	*state = barrier;
	return 0;
}

static int enter(void *state)
{
	int result = pthread_barrier_wait(state);

	return result == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : -result;
}

const struct syncop syncop_barrier = {
	.name = "barrier",
	.title = "Barrier in shared memory",
	.summary =
		"wait until all have come, round after round; a death goes unnoticed",
	.meets = true,
	.create = create,
	.enter = enter,
	.destroy = destroy,
};
