/* entry.h - a table of entries in shared memory that processes take and release,
 * without locks. The slots of a pool are such entries, and so are those who wait
 * for one.
 *
 * An entry names its owner in one word, so that a single compare-and-swap puts
 * it into the table, name and all, and takes it out again.
 *
 *	bits 30 … 63  the low bits of its start time (lib/identity.h: a process
 *	      8 … 29  its pid                         in a word)
 *	      0 … 7   generation (an ABA tag): how often the entry has been
 *	              taken
 *
 * With the start time, a pid that the kernel gives to a later process is not
 * mistaken for the owner. Both mean something only where the pool was made:
 * the head of the memory says where. Without a process in it, only the
 * generation is left.
 *
 * Two words name no process (their pid is 0): ENTRY_LEFT is in a slot whose
 * owner went in order, while what inherited the slot's lock goes on; and a
 * slot that was granted names a waiter, see grant.h.
 */
#ifndef UNIXIPC_P10_SEMPOOL_ENTRY_H
#define UNIXIPC_P10_SEMPOOL_ENTRY_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

#define ENTRY_GENERATIONS UINT64_C(0xff)
#define ENTRY_LEFT (UINT64_C(1) << ENTRY_START)

enum {
	ENTRY_PID = 8, /* where these begin */
	ENTRY_START = ENTRY_PID + IDENTITY_PID_BITS,
	ENTRY_START_BITS = 64 - ENTRY_START,
};

/* The calling process, at generation 0. 0 when /proc does not show it. */
static inline uint64_t entry_self(void)
{
	struct identity_process self;

	if (identity_self(&self))
		return 0;
	return identity_word(&self, ENTRY_START_BITS) << ENTRY_PID;
}

/* The word without its generation; 0 for an entry that is free. */
static inline uint64_t entry_owner(uint64_t word)
{
	return word & ~ENTRY_GENERATIONS;
}

/* The next generation, which tells this holding from the same process's last. */
static inline uint64_t entry_generation_after(uint64_t word)
{
	return (word + 1) & ENTRY_GENERATIONS;
}

static inline pid_t entry_pid(uint64_t word)
{
	return identity_word_pid(word >> ENTRY_PID);
}

/* Whether that very process lives: a zombie does not, a stopped one does. Some
 * 10 us, as /proc is asked. */
static inline bool entry_owner_is_alive(uint64_t word)
{
	return identity_word_judge(word >> ENTRY_PID, ENTRY_START_BITS) !=
	       IDENTITY_DEAD;
}

/* Whether nobody has its pid any more: dead for certain. False says nothing: a
 * zombie still has it, and so may a later process. One short system call. */
static inline bool entry_owner_is_gone(uint64_t word)
{
	return identity_word_is_gone(word >> ENTRY_PID);
}

/* A cache line each, as neighbours belong to different processes. */
struct entry {
	alignas(64) _Atomic uint64_t word; /* who has it: see above */
	_Atomic int64_t since_ns;          /* the monotonic clock, coarse */

	/* Of waiters: see grant.h. */
	_Atomic int64_t asks_since_ns; /* 0: does not ask for a grant */
	uint32_t wakes;                /* to sleep on: lib/park.h */
};

static_assert(sizeof(struct entry) == 64, "a layout that all builds share");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "locks are not shared");

/* The clock of the last timer interrupt: it is for people, and to tell who came
 * first; the exact one would be half the cost of an acquire. */
int64_t entry_now(void);
void entry_date(struct entry *entry);

/* Take a free one of n entries for that owner, looking from first on. Returns
 * its index and *word, or -EAGAIN when each was taken as we looked at it. */
int entry_take(struct entry *entries, unsigned int n, unsigned int first,
	       uint64_t owner, uint64_t *word);

/* Free the entry if that word is still in it; whether it was. Of several who
 * try, the owner included, one alone succeeds. */
bool entry_release(struct entry *entry, uint64_t word);

/* The same, but it goes to that owner instead: *word is then what is in it. */
bool entry_pass(struct entry *entry, uint64_t *word, uint64_t owner);

unsigned int entry_count_free(const struct entry *entries, unsigned int n);

#endif
