/* kind.h - what lies here: a lock of one process, a shared one, or none.
 *
 * One word says it all, and what it says decides whether a waiter relies on
 * others to give back what they have. So in doubt a lock is a shared one, where
 * nobody is relied on: who writes over a shared lock makes its waiters hang
 * only if he writes the very word of the other kind. inner.c then finds out
 * that it is no lock at all. For the files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_KIND_H
#define UNIXIPC_P08_RWLOCK_KIND_H

#include <assert.h>
#include <stdbool.h>

#include "p08-rwlock/myrwlock.h"

static_assert(sizeof(struct myrwlock) < 1 << 16, "its size has 16 bits");

static inline bool kind_is_shared(const struct myrwlock *lock)
{
	return lock->magic != MYRWLOCK_MAGIC;
}

static inline bool kind_is_lock(const struct myrwlock *lock)
{
	return lock->magic == MYRWLOCK_MAGIC ||
	       lock->magic == MYRWLOCK_MAGIC_SHARED;
}

#endif
