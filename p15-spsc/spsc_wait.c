/* Falling asleep, and waking the other side.
 *
 * The classic bug is the lost wake-up: one side looks at the index, finds
 * nothing, and falls asleep just after the other has moved the index and found
 * nobody asleep. lib/park.h has the protocol against that, and says why it is
 * enough that the sleeper pays for both fences: here asleep is SPSC_SLEEPS in
 * the sleeper's flags, and a publisher has but to keep the compiler from
 * swapping the two accesses. Where membarrier(2) is missing, a publisher
 * is_fenced: it has the fence in a read-modify-write of the flags.
 *
 * Sleeps are cut into slices, after which a sleeper looks whether the other
 * process still lives, and whether it died between publishing and waking. */
#include "p15-spsc/internal.h"

#include <limits.h>
#include <sched.h>

#include "lib/park.h"
#include "lib/tick.h"

#define SLICE (100 * TICK_MS)
#define SLICE_BLIND TICK_MS /* when no fence can be had */
#define SPINS 500           /* some 10 us, less than a sleep and a wake-up */

static uint32_t *flags_of(struct spsc *shared, enum spsc_role role)
{
	return role == SPSC_PRODUCER ? &shared->producer_flags
				     : &shared->consumer_flags;
}

/* What the other side moves. Acquire, so that who finds it moved may act on
 * it; the functions in spsc.h look again anyway. */
static uint64_t index_of(struct spsc *shared, enum spsc_role role)
{
	return __atomic_load_n(role == SPSC_PRODUCER ? &shared->tail
						     : &shared->head,
			       __ATOMIC_ACQUIRE);
}

static enum spsc_role other_of(enum spsc_role role)
{
	return role == SPSC_PRODUCER ? SPSC_CONSUMER : SPSC_PRODUCER;
}

/* Where we are, for the other side to know. Relaxed: a guess will do. A side that
 * never waits is heard of when it wakes the other. */
static uint32_t note_cpu(struct spsc *shared, enum spsc_role self)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1; /* 0 is nobody's */

	if (__atomic_load_n(&shared->cpu[self], __ATOMIC_RELAXED) != cpu)
		__atomic_store_n(&shared->cpu[self], cpu, __ATOMIC_RELAXED);
	return cpu;
}

/* ---- who publishes ----------------------------------------------------------- */

void spsc_wake(struct spsc *shared, enum spsc_role other)
{
	uint32_t *flags = flags_of(shared, other);
	/* A read-modify-write that changes nothing: either it comes first, and
	 * the sleeper's own, which reads from it, shows that the index has moved
	 * (release, acquire); or it comes second and sees the flag. */
	uint32_t seen = __atomic_fetch_or(flags, 0, __ATOMIC_ACQ_REL);

	/* Whoever takes the flag down calls futex: one wake-up for one sleep.
	 * Acq_rel, as above. */
	if (seen & SPSC_SLEEPS &&
	    __atomic_fetch_and(flags, ~(uint32_t)SPSC_SLEEPS,
			       __ATOMIC_ACQ_REL) &
		    SPSC_SLEEPS) {
		note_cpu(shared, other_of(other));
		park_word_wake(flags, 1, true);
	}
}

/* ---- who sleeps -------------------------------------------------------------- */

static bool has_news(struct spsc *shared, enum spsc_role other, uint64_t seen)
{
	/* Acquire: who finds it closed sees all that was published before. */
	return index_of(shared, other) != seen ||
	       __atomic_load_n(flags_of(shared, other), __ATOMIC_ACQUIRE) &
		       SPSC_CLOSED;
}

/* Spinning on the processor where the other side is to run is in its way.
 * Relaxed, as it is a guess. */
static bool shares_cpu(struct spsc *shared, enum spsc_role self)
{
	return __atomic_load_n(&shared->cpu[other_of(self)],
			       __ATOMIC_RELAXED) == note_cpu(shared, self);
}

static bool spin(struct spsc *shared, enum spsc_role self, uint64_t seen)
{
	enum spsc_role other = other_of(self);

	for (int i = shares_cpu(shared, self) ? SPINS : 0; i < SPINS; i++) {
		park_relax();
		if (index_of(shared, other) != seen)
			return true;
	}
	return has_news(shared, other, seen);
}

/* One sleep, until woken or the slice is over. */
static int sleep_once(struct spsc *shared, enum spsc_role self, uint64_t seen,
		      int64_t deadline)
{
	enum spsc_role other = other_of(self);
	uint32_t *flags = flags_of(shared, self);
	int64_t slice = tick_after(SLICE);
	/* Acq_rel: pairs with the read-modify-write in spsc_wake(). Seq_cst
	 * besides, towards spsc_join() and spsc_leave(). */
	uint32_t now = __atomic_fetch_or(flags, SPSC_SLEEPS, __ATOMIC_SEQ_CST);
	int error = 0;

	now |= SPSC_SLEEPS;
	if (__atomic_load_n(&shared->is_remote[other], __ATOMIC_SEQ_CST) &&
	    park_fence_others())
		slice = tick_after(SLICE_BLIND);
	if (!has_news(shared, other, seen))
		error = park_word_sleep(
			flags, now, slice < deadline ? slice : deadline, true);
	/* Relaxed: nobody concludes anything from its being gone. */
	__atomic_fetch_and(flags, ~(uint32_t)SPSC_SLEEPS, __ATOMIC_RELAXED);
	return error;
}

static int wait_in_slices(struct spsc *shared, enum spsc_role self,
			  uint64_t seen, int64_t deadline,
			  struct spsc_seat *seat, uint64_t *peer)
{
	enum spsc_role other = other_of(self);
	int error;

	if (spin(shared, self, seen))
		return 0;
	while (!tick_is_over(deadline)) {
		error = sleep_once(shared, self, seen, deadline);
		if (has_news(shared, other, seen))
			return 0;
		if (error == -ETIMEDOUT)
			error = spsc_role_look(shared, other, seen, seat, peer);
		if (error)
			/* It may have published in between. */
			return has_news(shared, other, seen) ? 0 : error;
	}
	return -ETIMEDOUT;
}

struct spsc_waited spsc_wait(struct spsc *shared, enum spsc_role self,
			     uint64_t seen, int64_t deadline,
			     struct spsc_seat *seat, uint64_t peer)
{
	int error = wait_in_slices(shared, self, seen, deadline, seat, &peer);

	return (struct spsc_waited){.error = error, .peer = peer};
}

/* ---- begin and end of a role -------------------------------------------------- */

int spsc_join(struct spsc *shared, enum spsc_role role)
{
	bool is_remote = park_fence_accept() == 0;

	/* What a dead predecessor left. */
	__atomic_store_n(flags_of(shared, role), 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->is_remote[role], is_remote, __ATOMIC_SEQ_CST);
	note_cpu(shared, role);
	/* A sleeper that has not seen is_remote has its flag up: this reads it,
	 * or comes first, and then the sleeper sees is_remote. Same reasoning
	 * as in spsc_wake(). */
	spsc_wake(shared, other_of(role));
	return !is_remote;
}

void spsc_leave(struct spsc *shared, enum spsc_role role)
{
	/* Release and more: see spsc_find_items() and sleep_once(). */
	__atomic_fetch_or(flags_of(shared, role), SPSC_CLOSED,
			  __ATOMIC_SEQ_CST);
	spsc_wake(shared, other_of(role));
}
