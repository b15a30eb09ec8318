/* place.h - a table of places in shared memory that processes take and leave,
 * without locks. The slots of a pool are such places, and so are the seats of
 * those who wait for one. */
#ifndef UNIXIPC_P10_SEMPOOL_PLACE_H
#define UNIXIPC_P10_SEMPOOL_PLACE_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A cache line each, as neighbours belong to different processes. */
struct place {
	alignas(64) _Atomic uint64_t word; /* who has it: holder.h */
	_Atomic int64_t since_ns;          /* the monotonic clock, coarse */

	/* Of seats: see grant.h. */
	_Atomic int64_t asks_since_ns; /* 0: does not ask for a grant */
	uint32_t calls;                /* to sleep on: lib/park.h */
};

static_assert(sizeof(struct place) == 64, "a layout that all builds share");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "locks are not shared");

/* The clock of the last timer interrupt: it is for people, and to tell who came
 * first; the exact one would be half the cost of an acquire. */
int64_t place_now(void);
void place_date(struct place *place);

/* Take a free one of n places for that holder, looking from first on. Returns
 * its index and *word, or -EAGAIN when each was taken as we looked at it. */
int place_take(struct place *places, unsigned int n, unsigned int first,
	       uint64_t holder, uint64_t *word);

/* Free the place if that word is still in it; whether it was. Of several who
 * try, the owner included, one alone succeeds. */
bool place_leave(struct place *place, uint64_t word);

/* The same, but it goes to that holder instead: *word is then what is in it. */
bool place_pass(struct place *place, uint64_t *word, uint64_t holder);

unsigned int place_count_free(const struct place *places, unsigned int n);

#endif
