/* fastpath.h - the fast path in and out, of a reader and of a writer who
 * find nobody there. The lock is right without them: with MYRWLOCK_PLAIN
 * defined this file does nothing, and queue.c does it all.
 *
 * A door that stands open leads past the mutex: one compare-and-swap lets one
 * reader or one writer in, and one lets it out. Who comes while that one is
 * inside, or wants to wait, takes the mutex and shuts the door first: the one
 * inside is counted from then on, as if it had come by the mutex, and finds the
 * door shut when it leaves. So whoever has the mutex and has shut the door
 * sees everybody, and what is decided there needs to know nothing of this.
 *
 * The door is opened when the last one leaves and nobody is expired, by who has the
 * mutex. So nobody is in by the door beside one who is counted, and who leaves
 * and finds it as it left it is the one who came by it.
 *
 * Not for locks that processes share: a note of who is inside comes first
 * there (roster.h). For the files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_FASTPATH_H
#define UNIXIPC_P08_RWLOCK_FASTPATH_H

#include <stdbool.h>

#include "p08-rwlock/myrwlock.h"

enum fastpath_door {
	FASTPATH_SHUT,
	FASTPATH_OPEN = MYRWLOCK_DOOR_OPEN,
	FASTPATH_READS,
	FASTPATH_WRITES,
};

#ifndef MYRWLOCK_PLAIN

/* Acquire: pairs with the release of who left by the door, or opened it. */
static inline bool fastpath_enter(struct myrwlock *lock, enum fastpath_door as)
{
	uint32_t open = FASTPATH_OPEN;

	return __atomic_compare_exchange_n(&lock->door, &open, as, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* False: one who is counted, and leaves by the mutex. Nothing is touched after
 * the swap, as another may destroy the lock then. */
static inline bool fastpath_leave(struct myrwlock *lock, enum fastpath_door as)
{
	uint32_t door = as;

	return __atomic_compare_exchange_n(&lock->door, &door, FASTPATH_OPEN,
					   false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

/* With the mutex held, before anything is decided. */
static inline void fastpath_shut(struct myrwlock *lock)
{
	/* Relaxed: only with the mutex is it shut, or opened. */
	if (__atomic_load_n(&lock->door, __ATOMIC_RELAXED) == FASTPATH_SHUT)
		return;
	switch (__atomic_exchange_n(&lock->door, FASTPATH_SHUT,
				    __ATOMIC_ACQ_REL)) {
	case FASTPATH_READS:
		lock->readers++;
		break;
	case FASTPATH_WRITES:
		lock->writers++;
		break;
	default:
		break;
	}
}

/* With the mutex held; nobody is inside, and nobody waits. */
static inline void fastpath_open(struct myrwlock *lock)
{
	if (!myrwlock_is_shared(lock))
		__atomic_store_n(&lock->door, FASTPATH_OPEN, __ATOMIC_RELEASE);
}

#else

static inline bool fastpath_enter(struct myrwlock *lock, enum fastpath_door as)
{
	(void)lock;
	(void)as;
	return false;
}

static inline bool fastpath_leave(struct myrwlock *lock, enum fastpath_door as)
{
	(void)lock;
	(void)as;
	return false;
}

static inline void fastpath_shut(struct myrwlock *lock)
{
	(void)lock;
}

static inline void fastpath_open(struct myrwlock *lock)
{
	(void)lock;
}

#endif

#endif
