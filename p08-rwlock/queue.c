/* queue.c - two queues before one door.
 *
 * Who comes enters at once when those inside allow it, even past others who
 * wait: a thread that runs makes better use of the lock than one that must
 * be woken first. That is what makes the lock fast, and what starves. The fair
 * policy lets it go on only until the first in the queue has waited for
 * MYRWLOCK_BYPASS_LIMIT_NS; that one then wakes by itself and declares the queue
 * expired, and nobody passes it any more.
 *
 * Readers wait in one batch. When their turn has come and they are expired, all of
 * them are counted as inside before they wake, so that nobody can come
 * between; who comes later belongs to the next batch.
 *
 * Writers wait in two groups. One of the group that is served is called, and
 * enters if nobody was faster; who comes meanwhile joins the other group,
 * which is served when the first has gone in whole. So nobody waits for
 * another writer more than twice, whichever of them the kernel wakes.
 *
 * Invariant: writers <= 1, and writers == 0 or readers == 0. When the lock is
 * free and somebody waits, somebody who waits has been woken and is on the way
 * here. Between processes a wake-up can be lost with one that is killed: who
 * waits looks ten times a second, notes that it did, and sees who is not there
 * any more (roster.h). The model is tests/models/p08_queue.pml. */
#include "p08-rwlock/queue.h"

#include <errno.h>

#include "lib/tick.h"
#include "p08-rwlock/fastpath.h"
#include "p08-rwlock/roster.h"

/* How often who finds no room for an entry looks again. */
#define ROOM_AGAIN_NS (2 * TICK_MS)

/* ---- the policies ---- */

/* The group of writers that is served is empty only if both are. */
static const struct myrwlock_queue *served(const struct myrwlock *lock)
{
	return &lock->writing[inner_served(lock)];
}

/* Whether somebody is not to be overtaken any more. Not only the first in the queue:
 * it may not have woken yet to say that it is expired, when others behind it have. */
static bool is_expired(const struct myrwlock *lock)
{
	return served(lock)->is_expired ||
	       (lock->policy == MYRWLOCK_FAIR &&
		(lock->reading.is_expired ||
		 lock->writing[!inner_served(lock)].is_expired));
}

/* Whether one who comes now may enter without waiting. */
static bool may_read(const struct myrwlock *lock)
{
	if (lock->writers)
		return false;
	switch (lock->policy) {
	case MYRWLOCK_READER:
		return true;
	case MYRWLOCK_WRITER:
		return !served(lock)->waiting;
	default:
		return !is_expired(lock);
	}
}

static bool may_write(const struct myrwlock *lock)
{
	return !lock->writers && !lock->readers && !is_expired(lock);
}

/* Of those who wait, whose turn is it? */
static bool are_readers_next(const struct myrwlock *lock)
{
	if (!served(lock)->waiting)
		return true;
	switch (lock->policy) {
	case MYRWLOCK_READER:
		return true;
	case MYRWLOCK_WRITER:
		return false;
	default:
		return lock->reading.arrived < served(lock)->arrived;
	}
}

/* ---- whose turn it is ---- */

static void call_readers(struct myrwlock *lock)
{
	if (park_claim(&lock->reading.wakeup))
		lock->calls |= INNER_CALL_READERS;
}

static void let_readers_in(struct myrwlock *lock)
{
	roster_let_in(lock);
	lock->readers += lock->reading.waiting;
	lock->reading.waiting = 0;
	lock->reading.is_expired = false;
	lock->batch++;
	call_readers(lock);
}

static void call_writer(struct myrwlock *lock)
{
	lock->is_called = true;
	if (park_claim(&lock->writing[inner_served(lock)].wakeup))
		lock->calls |= (uint32_t)INNER_CALL_WRITER
			       << inner_served(lock);
}

static void call_next(struct myrwlock *lock)
{
	if (lock->writers)
		return;
	if (lock->reading.waiting && are_readers_next(lock)) {
		if (lock->policy == MYRWLOCK_READER || lock->reading.is_expired)
			let_readers_in(lock);
		else
			call_readers(lock);
	} else if (!lock->readers && served(lock)->waiting &&
		   !lock->is_called) {
		call_writer(lock);
	}
}

/* Whether who comes may enter without asking, by the fast path, until the next
 * one who has the mutex shuts it. Those who wait are on their way then, or wake
 * when they are past its bypass limit. */
static bool may_all_enter(const struct myrwlock *lock)
{
	return !lock->readers && !lock->writers && !is_expired(lock) &&
	       (lock->policy != MYRWLOCK_WRITER || !served(lock)->waiting);
}

/* Somebody has left, the lock or a queue. */
static void pass_on(struct myrwlock *lock)
{
	if (lock->reading.waiting || served(lock)->waiting)
		call_next(lock);
	if (may_all_enter(lock))
		fastpath_open(lock);
}

/* ---- the queues ---- */

/* One who waits, until it goes in or gives up. */
struct wait {
	uint64_t me;
	const struct inner_limit *limit;
	struct myrwlock_queue *queue;
	enum roster_state state;
	uint32_t batch;  /* how often readers had been let in when it came */
	int64_t expires; /* when it is past its bypass limit */
	int rc;          /* why it gives up, or 0 as yet */
	bool is_outside; /* it gave up without the mutex */
};

static void join(struct myrwlock *lock, struct wait *wait)
{
	wait->batch = lock->batch;
	if (wait->queue->waiting++ == 0)
		wait->queue->arrived = lock->arrivals++;
}

static void leave(struct myrwlock *lock, struct myrwlock_queue *queue)
{
	if (--queue->waiting)
		return;
	queue->is_expired = false;
	if (queue == served(lock)) {
		lock->served ^= 1;
		lock->is_called = false;
	}
}

/* The call may have been for us, and readers may have waited for us alone. */
static void give_up(struct myrwlock *lock, struct wait *wait)
{
	roster_leave(lock, wait->me);
	leave(lock, wait->queue);
	pass_on(lock);
}

/* Sleep until called, or past its bypass limit, or long enough to look again. */
static void sleep_in_queue(struct myrwlock *lock, struct wait *wait)
{
	const uint32_t ticket = park_announce(&wait->queue->wakeup);
	const int64_t limit_ns = inner_left(wait->limit);
	const int64_t bypass_ns = tick_left(wait->expires);
	const int64_t ns = bypass_ns ? bypass_ns : INNER_LOOK_AGAIN_NS;

	inner_drop(lock);
	park_sleep(&wait->queue->wakeup, ticket,
		   tick_after(ns < limit_ns ? ns : limit_ns),
		   myrwlock_is_shared(lock));
	/* Who owns the mutex of a lock that is not shared gives it back soon;
	 * that of another may be stopped. */
	wait->rc =
		inner_take(lock, myrwlock_is_shared(lock) ? wait->limit : NULL);
	if (wait->rc) {
		wait->is_outside = true;
		roster_leave_behind();
		return;
	}
	fastpath_shut(lock);
	park_awake(&wait->queue->wakeup);
	if (inner_left(wait->limit) == 0)
		wait->rc = ETIMEDOUT;
}

/* Whether we have been let in. If we were taken for absent, we join anew. */
static bool was_let_in(struct myrwlock *lock, struct wait *wait)
{
	uint32_t state;

	if (!myrwlock_is_shared(lock))
		return wait->batch != lock->batch;
	state = roster_look(lock, wait->me);
	if (state == ROSTER_LET_IN)
		return true;
	if (state != (uint32_t)wait->state) {
		roster_leave(lock, wait->me);
		roster_enter(lock, wait->me, wait->state);
		join(lock, wait);
	}
	roster_note(lock, wait->me, wait->state);
	return false;
}

static void look_around(struct myrwlock *lock, struct wait *wait)
{
	if (tick_is_over(wait->expires))
		wait->queue->is_expired = true;
	roster_patrol(lock);
	if (lock->torn == ROSTER_LOST)
		wait->rc = ENOTRECOVERABLE;
}

/* ---- coming ---- */

/* The mutex, and room to note who we are. In a shared lock there may be none,
 * and who comes then waits for it without a place in the queue. */
static int come(struct myrwlock *lock, const struct wait *wait, bool is_try)
{
	int rc;

	for (;;) {
		rc = inner_take(lock, wait->limit);
		if (rc)
			return rc;
		fastpath_shut(lock);
		if (lock->torn == ROSTER_LOST)
			rc = ENOTRECOVERABLE;
		else if (roster_has_room(lock, wait->me))
			return 0;
		else if (is_try)
			rc = EBUSY;
		else if (inner_left(wait->limit) == 0)
			rc = ETIMEDOUT;
		roster_patrol(lock);
		inner_drop(lock);
		if (rc)
			return rc;
		tick_sleep_until(tick_after(ROOM_AGAIN_NS));
	}
}

/* The end of coming, whether it led inside or not. */
static int finish(struct myrwlock *lock, const struct wait *wait)
{
	int rc = wait->rc;

	if (wait->is_outside)
		return rc;
	if (!rc && lock->torn)
		rc = EOWNERDEAD;
	inner_drop(lock);
	return rc;
}

/* ---- reading ---- */

static void wait_to_read(struct myrwlock *lock, struct wait *wait)
{
	roster_enter(lock, wait->me, wait->state);
	join(lock, wait);
	while (!may_read(lock)) {
		if (!lock->writers && are_readers_next(lock)) {
			let_readers_in(lock);
			break;
		}
		if (wait->rc) {
			give_up(lock, wait);
			return;
		}
		sleep_in_queue(lock, wait);
		if (wait->is_outside)
			return;
		/* Late or not: who has been let in is in. */
		if (was_let_in(lock, wait))
			break;
		look_around(lock, wait);
	}
	if (!was_let_in(lock, wait)) {
		leave(lock, wait->queue);
		lock->readers++;
	}
	roster_note(lock, wait->me, ROSTER_READS);
	wait->rc = 0;
}

int queue_read(struct myrwlock *lock, uint64_t me, bool is_try,
	       const struct inner_limit *limit)
{
	struct wait wait = {
		.me = me,
		.limit = limit,
		.queue = &lock->reading,
		.state = ROSTER_WAITS,
	};
	int rc = come(lock, &wait, is_try);

	if (rc)
		return rc;
	if (!may_read(lock))
		roster_patrol(lock);
	if (may_read(lock)) {
		roster_enter(lock, me, ROSTER_READS);
		lock->readers++;
	} else if (is_try) {
		wait.rc = EBUSY;
	} else {
		wait.expires = tick_after(MYRWLOCK_BYPASS_LIMIT_NS);
		wait_to_read(lock, &wait);
	}
	return finish(lock, &wait);
}

/* ---- writing ---- */

static bool is_my_turn_to_write(const struct myrwlock *lock,
				const struct myrwlock_queue *queue)
{
	return !lock->writers && !lock->readers &&
	       (queue == served(lock) || !is_expired(lock));
}

static void wait_to_write(struct myrwlock *lock, struct wait *wait)
{
	roster_enter(lock, wait->me, wait->state);
	join(lock, wait);
	while (!is_my_turn_to_write(lock, wait->queue)) {
		if (wait->rc) {
			give_up(lock, wait);
			return;
		}
		sleep_in_queue(lock, wait);
		if (wait->is_outside)
			return;
		was_let_in(lock, wait);
		if (wait->queue == served(lock))
			lock->is_called = false;
		look_around(lock, wait);
	}
	leave(lock, wait->queue);
	roster_note(lock, wait->me, ROSTER_WRITES);
	wait->rc = 0;
}

int queue_write(struct myrwlock *lock, uint64_t me, bool is_try,
		const struct inner_limit *limit)
{
	struct wait wait = {.me = me, .limit = limit};
	int rc = come(lock, &wait, is_try);

	if (rc)
		return rc;
	if (!may_write(lock))
		roster_patrol(lock);
	if (may_write(lock)) {
		roster_enter(lock, me, ROSTER_WRITES);
	} else if (is_try) {
		wait.rc = EBUSY;
	} else {
		/* Not the group that is served, if there is one. */
		uint32_t group = served(lock)->waiting ? !inner_served(lock)
						       : inner_served(lock);

		wait.queue = &lock->writing[group];
		wait.state = ROSTER_WAITS_0 + group;
		wait.expires = tick_after(MYRWLOCK_BYPASS_LIMIT_NS);
		wait_to_write(lock, &wait);
	}
	if (!wait.rc) {
		lock->writers = 1;
		__atomic_store_n(&lock->writer, me, __ATOMIC_RELAXED);
	}
	return finish(lock, &wait);
}

/* ---- leaving ---- */

int queue_leave_reading(struct myrwlock *lock, uint64_t me)
{
	int rc = inner_take(lock, NULL);

	if (rc)
		return rc;
	roster_leave(lock, me);
	if (lock->readers && --lock->readers == 0)
		pass_on(lock);
	inner_drop(lock);
	return 0;
}

/* Who was told that a writer died, and leaves without a word, says that the
 * data are beyond repair: then this counts as a writer who stays. */
int queue_leave_writing(struct myrwlock *lock, uint64_t me)
{
	int rc = inner_take(lock, NULL);

	if (rc)
		return rc;
	roster_leave(lock, me);
	__atomic_store_n(&lock->writer, 0, __ATOMIC_RELAXED);
	if (lock->torn) {
		lock->torn = ROSTER_LOST;
		inner_call_all(lock);
	} else {
		lock->writers = 0;
		pass_on(lock);
	}
	inner_drop(lock);
	return 0;
}

int queue_downgrade(struct myrwlock *lock, uint64_t me)
{
	int rc = inner_take(lock, NULL);

	if (rc)
		return rc;
	fastpath_shut(lock);
	roster_note(lock, me, ROSTER_READS);
	__atomic_store_n(&lock->writer, 0, __ATOMIC_RELAXED);
	lock->writers = 0;
	lock->readers++;
	pass_on(lock);
	inner_drop(lock);
	return 0;
}

int queue_make_consistent(struct myrwlock *lock, uint64_t me)
{
	int rc = inner_take(lock, NULL);

	if (rc)
		return rc;
	if (!lock->torn)
		rc = EINVAL;
	else if (__atomic_load_n(&lock->writer, __ATOMIC_RELAXED) != me)
		rc = EPERM;
	else
		lock->torn = 0;
	inner_drop(lock);
	return rc;
}
