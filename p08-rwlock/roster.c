/* roster.c - see the header. */
#include "p08-rwlock/roster.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "p08-rwlock/held.h"
#include "p08-rwlock/inner.h"

enum { START_BITS = 64 - IDENTITY_PID_BITS };

/* ---- me ---- */

static _Thread_local struct {
	uint64_t word;
	struct identity_place place; /* of a lock that let us in */
	bool has_left;               /* an entry behind, without the mutex */
} self;

/* A child is another process, and holds nothing of what it shares. */
static void begin_child(void)
{
	memset(&self, 0, sizeof(self));
	held_forget_shared();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static void watch_forks(void)
{
	once_error = pthread_atfork(NULL, NULL, begin_child);
}

/* A thread has an id and a start of its own: the lock is a thread's, and who
 * ends without giving it back is as dead as a process. */
static int find_self(const struct myrwlock *lock)
{
	struct identity_process thread = {.pid = gettid()};
	int error;

	pthread_once(&once, watch_forks);
	if (once_error)
		return once_error;
	error = identity_place_check(&lock->place);
	if (error)
		return -error;
	thread.start = identity_start_time(thread.pid);
	self.word = identity_word(&thread, START_BITS);
	self.place = lock->place;
	return self.word ? 0 : ENOSYS;
}

int roster_self(const struct myrwlock *lock, uint64_t *me)
{
	int rc = 0;

	if (!self.word ||
	    memcmp(&self.place, &lock->place, sizeof(self.place)) != 0)
		rc = find_self(lock);
	*me = self.word;
	return rc;
}

/* ---- entries ---- */

/* Begin where nobody else is likely to: mostly this is the first one. */
static struct myrwlock_thread *find(const struct myrwlock *lock, uint64_t id,
				    uint64_t me)
{
	for (uint64_t i = 0; i < MYRWLOCK_THREADS_MAX; i++) {
		const struct myrwlock_thread *thread =
			&lock->threads[(me + i) % MYRWLOCK_THREADS_MAX];

		if (thread->id == id)
			return (struct myrwlock_thread *)thread;
	}
	return NULL;
}

void roster_leave_behind(void)
{
	self.has_left = true;
}

bool roster_has_room(struct myrwlock *lock, uint64_t me)
{
	struct myrwlock_thread *left;

	if (!myrwlock_is_shared(lock))
		return true;
	left = self.has_left ? find(lock, me, me) : NULL;
	if (left) {
		left->id = 0;
		roster_count_anew(lock);
	}
	return find(lock, 0, me) != NULL;
}

static uint32_t now_ms(void)
{
	return (uint32_t)(tick_now() / TICK_MS);
}

static void change(struct myrwlock_thread *thread, enum roster_state state)
{
	if (state >= ROSTER_WAITS)
		thread->looked_ms = now_ms();
	thread->state = state;
}

/* An entry is there as soon as it has an owner: that is written last. NULL can
 * only be when somebody has written over the lock. */
void roster_enter(struct myrwlock *lock, uint64_t me, enum roster_state state)
{
	struct myrwlock_thread *thread =
		myrwlock_is_shared(lock) ? find(lock, 0, me) : NULL;

	if (!thread)
		return;
	change(thread, state);
	__atomic_store_n(&thread->id, me, __ATOMIC_RELEASE);
}

void roster_note(struct myrwlock *lock, uint64_t me, enum roster_state state)
{
	struct myrwlock_thread *thread =
		myrwlock_is_shared(lock) ? find(lock, me, me) : NULL;

	if (thread)
		change(thread, state);
}

void roster_leave(struct myrwlock *lock, uint64_t me)
{
	struct myrwlock_thread *thread =
		myrwlock_is_shared(lock) ? find(lock, me, me) : NULL;

	if (thread)
		thread->id = 0;
}

uint32_t roster_look(const struct myrwlock *lock, uint64_t me)
{
	const struct myrwlock_thread *thread =
		myrwlock_is_shared(lock) ? find(lock, me, me) : NULL;

	return thread ? thread->state : 0;
}

void roster_let_in(struct myrwlock *lock)
{
	for (int i = 0; myrwlock_is_shared(lock) && i < MYRWLOCK_THREADS_MAX;
	     i++)
		if (lock->threads[i].id &&
		    lock->threads[i].state == ROSTER_WAITS)
			lock->threads[i].state = ROSTER_LET_IN;
}

/* ---- who is there ---- */

static void strike_out(struct myrwlock *lock, struct myrwlock_thread *thread)
{
	if (thread->state == ROSTER_WRITES && !lock->torn)
		lock->torn = ROSTER_TORN;
	thread->id = 0;
}

static void see(struct myrwlock *lock, struct myrwlock_thread *thread,
		uint32_t now)
{
	if (identity_word_judge(thread->id, START_BITS) == IDENTITY_DEAD)
		strike_out(lock, thread);
	else if ((thread->state >= ROSTER_WAITS ||
		  thread->state == ROSTER_LET_IN) &&
		 now - thread->looked_ms > ROSTER_ABSENT_MS)
		thread->state = ROSTER_ABSENT;
}

/* The state is read once: it is an index, and others may write over it. */
static void count(struct myrwlock *lock, const struct myrwlock_thread *thread)
{
	const uint32_t state =
		__atomic_load_n(&thread->state, __ATOMIC_RELAXED);

	if (!thread->id)
		return;
	switch (state) {
	case ROSTER_READS:
	case ROSTER_LET_IN:
		lock->readers++;
		break;
	case ROSTER_WRITES:
		lock->writers = 1;
		break;
	case ROSTER_WAITS:
		lock->reading.waiting++;
		break;
	case ROSTER_WAITS_0:
	case ROSTER_WAITS_1:
		lock->writing[state - ROSTER_WAITS_0].waiting++;
		break;
	default:
		break;
	}
}

/* By one store: whose it is reads it without the mutex. */
static void name_writer(struct myrwlock *lock)
{
	uint64_t writer = 0;

	for (int i = 0; i < MYRWLOCK_THREADS_MAX; i++)
		if (lock->threads[i].id &&
		    lock->threads[i].state == ROSTER_WRITES)
			writer = lock->threads[i].id;
	__atomic_store_n(&lock->writer, writer, __ATOMIC_RELAXED);
}

/* What follows from the counts: see queue.c:leave(). */
static void close_empty_queues(struct myrwlock *lock)
{
	if (!lock->reading.waiting)
		lock->reading.is_expired = false;
	for (int i = 0; i < 2; i++)
		if (!lock->writing[i].waiting)
			lock->writing[i].is_expired = false;
	if (!lock->writing[inner_served(lock)].waiting)
		lock->served ^= 1;
	/* Whoever was called may be the one. */
	lock->is_called = false;
}

void roster_count_anew(struct myrwlock *lock)
{
	const uint32_t now = now_ms();

	lock->readers = 0;
	lock->writers = lock->torn == ROSTER_LOST;
	lock->reading.waiting = 0;
	lock->writing[0].waiting = lock->writing[1].waiting = 0;
	for (int i = 0; i < MYRWLOCK_THREADS_MAX; i++) {
		if (lock->threads[i].id)
			see(lock, &lock->threads[i], now);
		count(lock, &lock->threads[i]);
	}
	name_writer(lock);
	close_empty_queues(lock);
	lock->patrolled_ms = now;
}

void roster_patrol(struct myrwlock *lock)
{
	if (myrwlock_is_shared(lock) &&
	    now_ms() - lock->patrolled_ms > ROSTER_PATROL_MS)
		roster_count_anew(lock);
}
