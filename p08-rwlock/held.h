/* held.h - which locks the calling thread holds, and how.
 *
 * The lock itself counts its readers and does not know them; this is what
 * tells a thread that reads again from one that comes, and an unlock by who
 * holds it from one by somebody else. Each thread has a list of its own, so
 * nothing here waits or is shared. For the files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_HELD_H
#define UNIXIPC_P08_RWLOCK_HELD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "p08-rwlock/myrwlock.h"

enum held_how { HELD_COUNTED = 1, HELD_ALONE, HELD_WRITING };

struct held {
	const struct myrwlock *lock;
	uint64_t born;  /* lock->born */
	uint32_t count; /* how often */
	uint16_t how;   /* enum held_how */
	uint16_t is_shared;
};

struct held_list {
	/* Most threads hold one lock, once: that is noted here, as long as it
	 * is all, and is half the work. Not for locks that are shared. */
	struct held_sole {
		const struct myrwlock *lock; /* or NULL */
		uint64_t born;
		uint32_t how;
	} sole;
	unsigned int length;
	struct held at[MYRWLOCK_HELD_MAX];
};
extern _Thread_local struct held_list held_list;

static inline bool held_is_nothing(void)
{
	return !held_list.sole.lock && !held_list.length;
}

static inline bool held_is_sole(const struct myrwlock *lock)
{
	return held_list.sole.lock == lock && held_list.sole.born == lock->born;
}

static inline void held_set_sole(const struct myrwlock *lock, enum held_how how)
{
	held_list.sole = (struct held_sole){lock, lock->born, how};
}

/* The entry for this lock, or NULL. From then on all that is held stands in
 * the list, and the entry is good until the next call. */
struct held *held_find(const struct myrwlock *lock);

/* Whether there is room for one more. Returns 0 or EAGAIN. */
int held_make_room(const struct myrwlock *lock);
static inline int held_reserve(const struct myrwlock *lock)
{
	return lock->is_shared || held_list.length == MYRWLOCK_HELD_MAX
		       ? held_make_room(lock)
		       : 0;
}

/* Note it, having reserved it. */
static inline void held_add(const struct myrwlock *lock, enum held_how how)
{
	held_list.at[held_list.length++] = (struct held){
		.lock = lock,
		.born = lock->born,
		.count = 1,
		.how = (uint16_t)how,
		.is_shared = lock->is_shared,
	};
}

static inline void held_remove(struct held *held)
{
	struct held *last = &held_list.at[--held_list.length];

	if (held != last)
		*held = *last;
}

#endif
