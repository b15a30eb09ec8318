/* myrwlock_make.c - attributes, making, destroying, looking. */
#include "p08-rwlock/myrwlock.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "lib/tick.h"
#include "p08-rwlock/fastpath.h"
#include "p08-rwlock/inner.h"
#include "p08-rwlock/roster.h"

static_assert(sizeof(struct myrwlock) < 1 << 16, "its size has 16 bits");

enum { ATTR_MAGIC = 0x6d795241 };

static bool is_attr(const struct myrwlock_attr *attr)
{
	return attr->magic == ATTR_MAGIC;
}

int myrwlock_attr_init(struct myrwlock_attr *attr)
{
	*attr = (struct myrwlock_attr){
		.magic = ATTR_MAGIC,
		.policy = MYRWLOCK_FAIR,
		.pshared = PTHREAD_PROCESS_PRIVATE,
	};
	return 0;
}

int myrwlock_attr_destroy(struct myrwlock_attr *attr)
{
	if (!is_attr(attr))
		return EINVAL;
	attr->magic = 0;
	return 0;
}

int myrwlock_attr_getpshared(const struct myrwlock_attr *attr, int *pshared)
{
	if (!is_attr(attr))
		return EINVAL;
	*pshared = attr->pshared;
	return 0;
}

int myrwlock_attr_setpshared(struct myrwlock_attr *attr, int pshared)
{
	if (!is_attr(attr) || (pshared != PTHREAD_PROCESS_PRIVATE &&
			       pshared != PTHREAD_PROCESS_SHARED))
		return EINVAL;
	attr->pshared = pshared;
	return 0;
}

int myrwlock_attr_getpolicy(const struct myrwlock_attr *attr, int *policy)
{
	if (!is_attr(attr))
		return EINVAL;
	*policy = attr->policy;
	return 0;
}

int myrwlock_attr_setpolicy(struct myrwlock_attr *attr, int policy)
{
	if (!is_attr(attr) || policy < MYRWLOCK_FAIR ||
	    policy > MYRWLOCK_WRITER)
		return EINVAL;
	attr->policy = policy;
	return 0;
}

static int make_mutex(pthread_mutex_t *mutex, bool is_shared)
{
	pthread_mutexattr_t attr;
	int rc;

	pthread_mutexattr_init(&attr);
	if (is_shared) {
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	}
	rc = pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return rc;
}

int myrwlock_init(struct myrwlock *lock, const struct myrwlock_attr *attr)
{
	const bool is_shared = attr && attr->pshared == PTHREAD_PROCESS_SHARED;
	int rc = 0;

	if (attr && !is_attr(attr))
		return EINVAL;
	*lock = (struct myrwlock){
		.policy = attr ? (uint32_t)attr->policy : MYRWLOCK_FAIR,
		.generation = (uint64_t)tick_now(),
		.door = FASTPATH_OPEN,
	};
	if (is_shared) {
		lock->door = FASTPATH_SHUT;
		rc = -identity_place_here(&lock->place);
	}
	if (!rc)
		rc = make_mutex(&lock->mutex, is_shared);
	if (!rc)
		lock->magic =
			is_shared ? MYRWLOCK_MAGIC_SHARED : MYRWLOCK_MAGIC;
	return rc;
}

/* With the mutex held. Who came by the fast path stays where it is. */
static void look(struct myrwlock *lock, struct myrwlock_state *state)
{
	const uint32_t door = __atomic_load_n(&lock->door, __ATOMIC_RELAXED);

	roster_patrol(lock);
	*state = (struct myrwlock_state){
		.readers = lock->readers + (door == FASTPATH_READS),
		.writers = lock->writers + (door == FASTPATH_WRITES),
		.waiting_readers = lock->reading.waiting,
		.waiting_writers =
			lock->writing[0].waiting + lock->writing[1].waiting,
	};
}

int myrwlock_look(struct myrwlock *lock, struct myrwlock_state *state)
{
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = inner_take(lock, NULL);
	if (rc)
		return rc;
	look(lock, state);
	inner_drop(lock);
	return 0;
}

int64_t myrwlock_bound_ns(bool is_writer, unsigned int writers, int64_t read_ns,
			  int64_t write_ns)
{
	return MYRWLOCK_BYPASS_LIMIT_NS + (1 + is_writer) * read_ns +
	       2 * (int64_t)writers * write_ns;
}

int myrwlock_destroy(struct myrwlock *lock)
{
	struct myrwlock_state state;
	bool is_used;
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = inner_take(lock, NULL);
	if (rc)
		return rc;
	fastpath_shut(lock);
	look(lock, &state);
	is_used = state.readers || state.waiting_readers ||
		  state.waiting_writers ||
		  (state.writers && lock->torn != ROSTER_LOST);
	if (!is_used)
		lock->magic = 0;
	inner_drop(lock);
	if (is_used)
		return EBUSY;
	pthread_mutex_destroy(&lock->mutex);
	return 0;
}
