/* myrwlock_make.c - attributes, making, destroying, looking. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/tick.h"

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

/* One mutex and three condition variables for these processes. Returns 0 or
 * an error, with nothing left to destroy. */
static int make_parts(struct myrwlock *lock, int pshared)
{
	pthread_mutexattr_t mutexattr;
	pthread_condattr_t condattr;
	int rc;

	pthread_mutexattr_init(&mutexattr);
	pthread_mutexattr_setpshared(&mutexattr, pshared);
	rc = pthread_mutex_init(&lock->mutex, &mutexattr);
	if (!rc)
		rc = pthread_mutex_init(&lock->alone, &mutexattr);
	pthread_mutexattr_destroy(&mutexattr);
	if (rc)
		return rc;
	/* Each wait names its clock, so the attribute for that stays. */
	pthread_condattr_init(&condattr);
	pthread_condattr_setpshared(&condattr, pshared);
	rc = pthread_cond_init(&lock->reading.turn, &condattr);
	for (int i = 0; !rc && i < 2; i++)
		rc = pthread_cond_init(&lock->writing[i].turn, &condattr);
	pthread_condattr_destroy(&condattr);
	return rc;
}

int myrwlock_init(struct myrwlock *lock, const struct myrwlock_attr *attr)
{
	int pshared = attr ? attr->pshared : PTHREAD_PROCESS_PRIVATE, rc;

	if (attr && !is_attr(attr))
		return EINVAL;
	*lock = (struct myrwlock){
		.policy = attr ? (uint16_t)attr->policy : MYRWLOCK_FAIR,
		.is_shared = pshared == PTHREAD_PROCESS_SHARED,
		.born = (uint64_t)tick_now(),
	};
	rc = make_parts(lock, pshared);
	if (!rc)
		lock->magic = MYRWLOCK_MAGIC;
	return rc;
}

/* Whether a reader is inside who is not counted. With the mutex held. */
static bool is_read_alone(struct myrwlock *lock)
{
	if (lock->writers && !lock->is_entering)
		return false;
	if (pthread_mutex_trylock(&lock->alone))
		return true;
	pthread_mutex_unlock(&lock->alone);
	return false;
}

static void look(struct myrwlock *lock, struct myrwlock_state *state)
{
	*state = (struct myrwlock_state){
		.readers = lock->readers + is_read_alone(lock),
		.writers = lock->writers - lock->is_entering,
		.waiting_readers = lock->reading.waiting,
		.waiting_writers = lock->writing[0].waiting +
				   lock->writing[1].waiting + lock->is_entering,
	};
}

int myrwlock_look(struct myrwlock *lock, struct myrwlock_state *state)
{
	if (lock->magic != MYRWLOCK_MAGIC)
		return EINVAL;
	pthread_mutex_lock(&lock->mutex);
	look(lock, state);
	pthread_mutex_unlock(&lock->mutex);
	return 0;
}

int64_t myrwlock_bound_ns(bool is_writer, unsigned int writers, int64_t read_ns,
			  int64_t write_ns)
{
	return MYRWLOCK_PATIENCE_NS +
	       (MYRWLOCK_PASSES + 1 + is_writer) * read_ns +
	       2 * (int64_t)writers * write_ns;
}

int myrwlock_destroy(struct myrwlock *lock)
{
	struct myrwlock_state state;
	bool is_used;

	if (lock->magic != MYRWLOCK_MAGIC)
		return EINVAL;
	pthread_mutex_lock(&lock->mutex);
	look(lock, &state);
	is_used = state.readers || state.writers || state.waiting_readers ||
		  state.waiting_writers;
	if (!is_used)
		lock->magic = 0;
	pthread_mutex_unlock(&lock->mutex);
	if (is_used)
		return EBUSY;
	for (int i = 0; i < 2; i++)
		pthread_cond_destroy(&lock->writing[i].turn);
	pthread_cond_destroy(&lock->reading.turn);
	pthread_mutex_destroy(&lock->mutex);
	pthread_mutex_destroy(&lock->alone);
	return 0;
}
