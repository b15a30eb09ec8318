/* held.h - which locks the calling thread reads, and how often (its hold counts).
 *
 * The lock itself counts its readers and does not know them; this is what
 * tells a thread that reads again from one that comes, and an unlock by who
 * holds it from one by somebody else. Of a writer the lock has a note. Each
 * thread has a list of its own, so nothing here waits or is shared. For the
 * files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_HELD_H
#define UNIXIPC_P08_RWLOCK_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "p08-rwlock/myrwlock.h"

struct held {
	const struct myrwlock *lock;
	uint64_t generation; /* lock->generation */
	uint32_t count;      /* how often */
	uint32_t is_shared;
};

struct held_list {
	uint64_t self; /* the thread's number, or 0 */
	unsigned int length;
	struct held at[MYRWLOCK_HELD_MAX];
};
extern _Thread_local struct held_list held_list;

/* A number for the calling thread that no other of this process has, or had. A
 * forked child goes on with that of the thread that forked, as it does with
 * its copies of what that one held. */
uint64_t held_number_thread(void);
static inline uint64_t held_self(void)
{
	return held_list.self ? held_list.self : held_number_thread();
}

/* The entry for this lock, or NULL; good until the next call. What a thread
 * reads is seldom more than a few locks, and the last one taken is the first
 * one given back: the list is searched from its end. */
static inline struct held *held_find(const struct myrwlock *lock)
{
	for (unsigned int i = held_list.length; i-- > 0;)
		if (held_list.at[i].lock == lock &&
		    held_list.at[i].generation == lock->generation)
			return &held_list.at[i];
	return NULL;
}

static inline bool held_is_full(void)
{
	return held_list.length == MYRWLOCK_HELD_MAX;
}

static inline void held_add(const struct myrwlock *lock)
{
	held_list.at[held_list.length++] = (struct held){
		.lock = lock,
		.generation = lock->generation,
		.count = 1,
		.is_shared = myrwlock_is_shared(lock),
	};
}

static inline void held_remove(struct held *held)
{
	struct held *last = &held_list.at[--held_list.length];

	if (held != last)
		*held = *last;
}

/* In a forked child, of the locks that it shares with its parent. */
void held_forget_shared(void);

#endif
