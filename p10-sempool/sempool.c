/* sempool.c - to take a slot, to wait for one, to give it back.
 *
 * A semaphore does not know who took its units: whoever is killed with one
 * takes it to the grave. SEM_UNDO would help, at a system call for each step.
 * Here the semaphore is only where one waits. The table of slots is what
 * counts, and an entry names its owner, written by the very compare-and-swap
 * that takes the slot:
 *
 *	acquire   1. take a unit of the semaphore     units--
 *	          2. put ourselves into a free slot   free--
 *	release   3. take ourselves out of it         free++
 *	          4. count it                         returns++
 *	          5. put a unit into the semaphore    units++
 *
 * At every instant units <= free, and at rest they are equal. No intent has to
 * be noted before a step, as each is whole or has not happened, and what kill
 * -9 leaves between two of them is one of two things:
 *
 *	before 1, after 5   nothing: all is as if it had not run
 *	after 1 or 3 or 4   a unit is missing: units < free, for good
 *	after 2             a slot whose owner is dead
 *
 * A reclaim (sempool_reclaim.c) sets both right, and anybody may reclaim, a
 * dying process included. A slot of a dead owner is taken from it by swapping
 * exactly its entry out, so of many who try one succeeds; the owner itself,
 * should it live after all, would fail in step 3 and say so. Then the reclaim
 * goes on with 4 and 5 for it. Missing units are put back when two reclaims in
 * a row found them missing: a process between two steps makes it look so for a
 * moment.
 *
 * If that process was only stopped there, its unit comes twice. So units may
 * exceed the free slots by a few: this lends no slot twice, since there is none
 * in step 2, and who comes there with such a unit and finds nothing lets it go
 * and waits again. It may do so when no slot was returned (4) while it looked:
 * all slots then have owners, so that its unit cannot have been a right one.
 * (If it was, a slot was free for it at the end, and was not at the moment when
 * we looked at it, so it was freed in between; and as that was not counted,
 * its unit has not been put in either, and it was not there for us.)
 *
 * A wake-up can be spent on a waiter that is killed before it runs, while the
 * others sleep on beside a unit. So nobody sleeps longer than NAP_NS, and that
 * is also how often a waiter reclaims: a pool works without a manager.
 *
 * A unit goes to the quickest, and who was asleep never is. So who has slept
 * through a nap no longer waits for a unit: it asks to be given a slot, which
 * then is not free in between (grant.h).
 */
#include "p10-sempool/sempool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p10-sempool/grant.h"
#include "p10-sempool/memory.h"

#define NAP_NS (50 * TICK_MS)

/* The page it lies in is empty in a child after fork: a new owner. */
static uint64_t self_of(const struct sempool *pool)
{
	uint64_t self = __atomic_load_n(pool->self, __ATOMIC_RELAXED);

	if (self)
		return self;
	self = entry_self();
	__atomic_store_n(pool->self, self, __ATOMIC_RELAXED);
	return self;
}

static bool is_closed(const struct sempool *pool)
{
	return atomic_load_explicit(&pool->memory->is_closed,
				    memory_order_relaxed) != 0;
}

/* Step 2, with a unit in hand. -EAGAIN: it was one too many, and is gone. */
static int take_slot(struct sempool *pool, struct sempool_lease *lease)
{
	struct sempool_memory *memory = pool->memory;
	uint64_t self = self_of(pool), returns;
	int slot;

	if (!self) {
		sem_post(&memory->units);
		return -ENOSYS;
	}
	do {
		returns = atomic_load(&memory->returns);
		slot = entry_take(
			memory->entry, pool->slots,
			__atomic_load_n(&pool->hint, __ATOMIC_RELAXED), self,
			&lease->word);
	} while (slot < 0 && atomic_load(&memory->returns) != returns);
	if (slot < 0) {
		lease->word = 0;
		return slot;
	}
	/* Likely free again when we come back, and in our cache. */
	lease->slot = (unsigned int)slot;
	__atomic_store_n(&pool->hint, lease->slot, __ATOMIC_RELAXED);
	return 0;
}

static int try_once(struct sempool *pool, struct sempool_lease *lease)
{
	*lease = (struct sempool_lease){0};
	if (is_closed(pool))
		return -EIDRM;
	while (sem_trywait(&pool->memory->units))
		if (errno != EINTR)
			return -errno;
	return take_slot(pool, lease);
}

int sempool_try_acquire(struct sempool *pool, struct sempool_lease *lease)
{
	int error = try_once(pool, lease);

	if (error != -EAGAIN)
		return error;
	/* Perhaps for a dead one's sake, and nobody else is there to see. */
	error = sempool_reclaim(pool);
	return error ? error : try_once(pool, lease);
}

/* Step 1, but no longer than for a nap. The C library looks for a unit first,
 * whatever the time. */
static int wait_for_unit(struct sempool *pool, int64_t deadline)
{
	int64_t nap = tick_after(NAP_NS);
	struct timespec until =
		tick_to_timespec(nap < deadline ? nap : deadline);

	/* sem_timedwait(3) would do, but for the clock, which can be set. */
	return sem_clockwait(&pool->memory->units, CLOCK_MONOTONIC, &until)
		       ? -errno
		       : 0;
}

/* A waiter's entry, which people see, and grants name. */
struct waiter {
	int index; /* -EAGAIN: all are taken */
	uint64_t word;
	int64_t since_ns;
	struct entry *entry;
};

static int take_grant(struct sempool *pool, const struct waiter *waiter,
		      struct sempool_lease *lease)
{
	uint64_t word;
	int slot = grant_take(pool->memory, pool->slots,
			      (unsigned int)waiter->index, waiter->word,
			      entry_owner(waiter->word), &word);

	if (slot < 0)
		return slot;
	*lease = (struct sempool_lease){.slot = (unsigned int)slot,
					.word = word};
	return 0;
}

static int wait_for_grant(struct sempool *pool, const struct waiter *waiter,
			  struct sempool_lease *lease, int64_t deadline)
{
	int64_t nap = tick_after(NAP_NS);
	uint32_t wakes =
		grant_ask(pool->memory, waiter->entry, waiter->since_ns);
	int error = take_grant(pool, waiter, lease);

	/* A unit that came before we asked, or that a reclaim put back. */
	if (error == -EAGAIN)
		error = try_once(pool, lease);
	if (error != -EAGAIN)
		return error;
	error = grant_sleep(waiter->entry, wakes,
			    nap < deadline ? nap : deadline);
	return error ? error : take_grant(pool, waiter, lease);
}

static int wait_once(struct sempool *pool, const struct waiter *waiter,
		     struct sempool_lease *lease, int64_t deadline)
{
	int error;

	if (waiter->index >= 0 &&
	    tick_now() - waiter->since_ns >= GRANT_AFTER_NS)
		return wait_for_grant(pool, waiter, lease, deadline);
	error = wait_for_unit(pool, deadline);
	if (is_closed(pool))
		return -EIDRM;
	return error ? error : take_slot(pool, lease);
}

static int wait_for_slot(struct sempool *pool, const struct waiter *waiter,
			 struct sempool_lease *lease, int64_t deadline)
{
	int error;

	for (;;) {
		error = wait_once(pool, waiter, lease, deadline);
		if (error != -EAGAIN && error != -ETIMEDOUT)
			return error;
		error = sempool_reclaim(pool);
		if (!error)
			error = sempool_check(pool);
		if (error)
			return error;
		if (pool->is_stopped && pool->is_stopped())
			return -EINTR;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

static void add_waiter(const struct sempool *pool, struct waiter *waiter,
		       uint64_t self)
{
	struct entry *waiters = pool->memory->entry + pool->slots;
	unsigned int first = (unsigned int)entry_pid(self) % SEMPOOL_WAITERS;

	*waiter = (struct waiter){.since_ns = tick_now()};
	waiter->index = entry_take(waiters, SEMPOOL_WAITERS, first, self,
				   &waiter->word);
	if (waiter->index < 0)
		return;
	waiter->entry = &waiters[waiter->index];
	/* Of one who died there. */
	atomic_store(&waiter->entry->asks_since_ns, 0);
}

/* Who left may have been given a slot a moment before. */
static int remove_waiter(struct sempool *pool, const struct waiter *waiter,
			 struct sempool_lease *lease, int error)
{
	if (waiter->index < 0)
		return error;
	atomic_store(&waiter->entry->asks_since_ns, 0);
	entry_release(waiter->entry, waiter->word);
	return error && take_grant(pool, waiter, lease) == 0 ? 0 : error;
}

int sempool_acquire_until(struct sempool *pool, struct sempool_lease *lease,
			  int64_t deadline)
{
	int error = try_once(pool, lease);
	struct waiter waiter;
	uint64_t self;

	if (error != -EAGAIN)
		return error;
	self = self_of(pool);
	if (!self)
		return -ENOSYS;
	add_waiter(pool, &waiter, self);
	error = wait_for_slot(pool, &waiter, lease, deadline);
	return remove_waiter(pool, &waiter, lease, error);
}

int sempool_acquire(struct sempool *pool, struct sempool_lease *lease)
{
	return sempool_acquire_until(pool, lease, TICK_NEVER);
}

static int check_lease(struct sempool *pool, const struct sempool_lease *lease)
{
	if (!lease->word || lease->slot >= pool->slots)
		return -EINVAL;
	return entry_owner(lease->word) == self_of(pool) ? 0 : -EPERM;
}

/* An open file description of its own: a role belongs to one. */
static int open_again(const struct sempool *pool, struct identity_role *role)
{
	char path[32];
	int fd, error;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pool->role.fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EBADF : -errno;
	fd = fdio_above_std(fd);
	if (fd < 0)
		return fd;
	error = identity_role_open(role, fd);
	if (error) {
		close(fd);
		return error;
	}
	if (role->device == pool->role.device &&
	    role->inode == pool->role.inode)
		return 0;
	identity_role_close(role);
	return -ESTALE;
}

int sempool_hand_down(struct sempool *pool, struct sempool_lease *lease)
{
	struct identity_role role = {.fd = -1};
	int error = check_lease(pool, lease);

	if (!error && lease->lock)
		error = -EINVAL;
	if (!error)
		error = open_again(pool, &role);
	if (error)
		return error;
	error = identity_role_take(&role, MEMORY_SLOTS + (int64_t)lease->slot);
	if (error) {
		identity_role_close(&role);
		return error == -EBUSY ? -EBADMSG : error;
	}
	lease->lock = role.fd;
	return 0;
}

/* Give up our part of the lock. Whether others have it; in doubt they do. */
static bool is_left(const struct sempool *pool, struct sempool_lease *lease)
{
	struct identity_role role = pool->role;
	bool has_met = false;

	if (!lease->lock)
		return false;
	role.fd = lease->lock;
	lease->lock = 0;
	identity_role_close(&role);
	return identity_role_look(&pool->role,
				  MEMORY_SLOTS + (int64_t)lease->slot,
				  &has_met) != IDENTITY_PEER_ABSENT;
}

int sempool_release(struct sempool *pool, struct sempool_lease *lease)
{
	int error = check_lease(pool, lease);
	uint64_t word = lease->word;

	if (error)
		return error;
	lease->word = 0;
	if (!is_left(pool, lease))
		return grant_return(pool->memory, pool->slots, lease->slot,
				    word);
	return entry_pass(&pool->memory->entry[lease->slot], &word, ENTRY_LEFT)
		       ? SEMPOOL_LEFT
		       : -EBADMSG;
}

unsigned int sempool_count_free(const struct sempool *pool)
{
	return entry_count_free(pool->memory->entry, pool->slots);
}
