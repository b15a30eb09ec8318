/* The reader-writer lock of P08, taken for writing: what excluding costs under
 * each of its policies. */
#include "suite/sync/syncop.h"

#include <errno.h>

#include "p08-rwlock/myrwlock.h"

static void destroy(void *state)
{
	myrwlock_destroy(state);
	syncop_unshare(state, sizeof(struct myrwlock));
}

static int create(void **state, enum myrwlock_policy policy)
{
	struct myrwlock *lock = syncop_share(sizeof(*lock));
	struct myrwlock_attr attr;
	int error;

	if (!lock)
		return -ENOMEM;
	myrwlock_attr_init(&attr);
	error = myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = myrwlock_attr_setpolicy(&attr, (int)policy);
	if (!error)
		error = myrwlock_init(lock, &attr);
	myrwlock_attr_destroy(&attr);
	if (error) {
		syncop_unshare(lock, sizeof(*lock));
		return -error;
	}
	*state = lock;
	return 0;
}

static int create_fair(void **state, int members)
{
	(void)members;
	return create(state, MYRWLOCK_FAIR);
}

static int create_reader(void **state, int members)
{
	(void)members;
	return create(state, MYRWLOCK_READER);
}

static int create_writer(void **state, int members)
{
	(void)members;
	return create(state, MYRWLOCK_WRITER);
}

static int enter(void *state)
{
	return -myrwlock_wrlock(state);
}

static int leave(void *state)
{
	return -myrwlock_unlock(state);
}

const struct syncop syncop_rwlock_fair = {
	.name = "rwlock-fair",
	.title = "Read-write lock, fair",
	.summary = "many readers or one writer; both wait for a bounded time",
	.create = create_fair,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};

const struct syncop syncop_rwlock_reader = {
	.name = "rwlock-reader",
	.title = "Read-write lock, readers first",
	.summary = "the same, but readers who overlap starve a writer",
	.create = create_reader,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};

const struct syncop syncop_rwlock_writer = {
	.name = "rwlock-writer",
	.title = "Read-write lock, writers first",
	.summary = "the same, but writers who queue up starve readers",
	.create = create_writer,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
