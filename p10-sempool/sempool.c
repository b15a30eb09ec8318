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
 * A patrol (sempool_patrol.c) sets both right, and anybody may be on patrol, a
 * dying process included. A slot of a dead owner is taken from it by swapping
 * exactly its entry out, so of many who try one succeeds; the owner itself,
 * should it live after all, would fail in step 3 and say so. Then the patrol
 * goes on with 4 and 5 for it. Missing units are put back when two patrols in
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
 * is also how often a waiter goes on patrol: a pool works without a manager.
 */
#include "p10-sempool/sempool.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/tick.h"
#include "p10-sempool/holder.h"
#include "p10-sempool/memory.h"

#define NAP_NS (50 * TICK_MS)

/* The page it lies in is empty in a child after fork: a new holder. */
static uint64_t self_of(const struct sempool *pool)
{
	uint64_t self = __atomic_load_n(pool->self, __ATOMIC_RELAXED);

	if (self)
		return self;
	self = holder_self();
	__atomic_store_n(pool->self, self, __ATOMIC_RELAXED);
	return self;
}

static bool is_closed(const struct sempool *pool)
{
	return atomic_load_explicit(&pool->memory->is_closed,
				    memory_order_relaxed) != 0;
}

bool sempool_is_removed(const struct sempool *pool)
{
	struct stat st;

	return is_closed(pool) || fstat(pool->fd, &st) < 0 || st.st_nlink == 0;
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
		slot = place_take(
			memory->place, pool->slots,
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
	lease->word = 0;
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
	error = sempool_patrol(pool);
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

static int wait_for_slot(struct sempool *pool, struct sempool_lease *lease,
			 int64_t deadline)
{
	int error, damage;

	for (;;) {
		error = wait_for_unit(pool, deadline);
		if (is_closed(pool))
			return -EIDRM;
		if (!error)
			error = take_slot(pool, lease);
		if (error != -EAGAIN && error != -ETIMEDOUT)
			return error;
		damage = sempool_patrol(pool);
		if (damage)
			return damage;
		if (sempool_is_removed(pool))
			return -EIDRM;
		if (pool->is_stopped && pool->is_stopped())
			return -EINTR;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

int sempool_acquire_until(struct sempool *pool, struct sempool_lease *lease,
			  int64_t deadline)
{
	struct place *seats = pool->memory->place + pool->slots;
	uint64_t self, word;
	int error = try_once(pool, lease), seat;

	if (error != -EAGAIN)
		return error;
	/* The seat says that we wait, to people: without one we wait too. */
	self = self_of(pool);
	if (!self)
		return -ENOSYS;
	seat = place_take(seats, SEMPOOL_WAITERS,
			  (unsigned int)holder_pid(self) % SEMPOOL_WAITERS,
			  self, &word);
	error = wait_for_slot(pool, lease, deadline);
	if (seat >= 0)
		place_leave(&seats[seat], word);
	return error;
}

int sempool_acquire(struct sempool *pool, struct sempool_lease *lease)
{
	return sempool_acquire_until(pool, lease, TICK_NEVER);
}

int sempool_release(struct sempool *pool, struct sempool_lease *lease)
{
	struct sempool_memory *memory = pool->memory;
	uint64_t word = lease->word;

	if (!word || lease->slot >= pool->slots)
		return -EINVAL;
	if (holder_process(word) != self_of(pool))
		return -EPERM;
	lease->word = 0;
	if (!place_leave(&memory->place[lease->slot], word))
		return -EBADMSG;
	atomic_fetch_add(&memory->returns, 1);
	/* Fails when the count is at its maximum, which no pool has. */
	return sem_post(&memory->units) ? -EBADMSG : 0;
}

unsigned int sempool_count_free(const struct sempool *pool)
{
	return place_count_free(pool->memory->place, pool->slots);
}
