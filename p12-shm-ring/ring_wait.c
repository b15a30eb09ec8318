/* Waiting: spin for a while, then sleep.
 *
 * Why nothing is missed: lib/park.h has the protocol, and why it is enough that
 * the sleeper pays for both fences. Asleep is RING_ASLEEP in the sleeper's own
 * seat, which the waker takes down before it wakes.
 *
 * Should a wake-up be missed all the same (the other side writes what it
 * likes, or is another program), it costs the rest of a slice: no sleep is
 * longer, as the death of the other side must be noticed too, and nothing
 * wakes us for that.
 */
#include "p12-shm-ring/ring_handle.h"

#include <errno.h>
#include <sched.h>

#include "lib/park.h"
#include "lib/shmname.h"

#define SLICE_NS (200 * TICK_MS)

/* What a sleep and a wake-up cost on another processor, about. Spinning longer
 * than that is worse than to have slept. */
#define SPIN_MAX_NS (100 * TICK_US)
#define SPIN_MIN_NS (1 * TICK_US)

/* Between two looks at the clock while spinning. */
enum { LOOKS = 32 };

void ring_pause(void)
{
	park_relax();
}

/* ---- sleep and wake-up --------------------------------------------------------- */

/* What lib/park touches: no more than its bytes. */
static const uint32_t *word_of(const struct ring_seat *seat)
{
	return (const uint32_t *)&seat->asleep;
}

void ring_wake_other(struct ring *ring)
{
	_Atomic uint32_t *asleep = &ring->other->asleep;
	uint32_t word;

	if (atomic_load_explicit(asleep, memory_order_relaxed) &
	    RING_NEEDS_FENCE)
		atomic_thread_fence(memory_order_seq_cst);
	word = atomic_load_explicit(asleep, memory_order_relaxed);
	if (!(word & RING_ASLEEP))
		return;
	atomic_fetch_and_explicit(asleep, ~(uint32_t)RING_ASLEEP,
				  memory_order_relaxed);
	ring->calls.wakes++;
	park_word_wake(word_of(ring->other), 1, true);
}

/* ---- order ---------------------------------------------------------------------- */

uint32_t ring_wait_prepare(struct ring *ring)
{
	/* Where we cannot be ordered from afar, we cannot order the other side
	 * either. */
	ring->must_fence = park_fence_accept();
	return ring->must_fence ? RING_NEEDS_FENCE : 0;
}

static void order_both(const struct ring *ring)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!ring->must_fence)
		park_fence_others();
}

/* ---- the other side ---------------------------------------------------------- */

bool ring_is_lost(const struct ring *ring)
{
	return ring->name && shmname_is_lost(&ring->role, ring->name);
}

/* 0: it lives, or may still come. Who is there the kernel says; what the other
 * side wrote is believed when it says that it has closed. The state first:
 * whoever it says is there had the role before. */
static int look_after_other(struct ring *ring)
{
	const uint32_t state =
		atomic_load_explicit(&ring->other->state, memory_order_acquire);
	int peer;

	if (state != RING_VACANT)
		ring->has_met = true;
	if (state == RING_CLOSED)
		return -EPIPE;
	peer = identity_role_look(&ring->role, ring_other_byte(ring),
				  &ring->has_met);
	if (peer < 0 || peer == IDENTITY_PEER_PRESENT)
		return peer < 0 ? peer : 0;
	if (peer == IDENTITY_PEER_ABSENT)
		return ring_is_lost(ring) ? -EIDRM : 0;
	return atomic_load_explicit(&ring->other->state,
				    memory_order_acquire) == RING_CLOSED
		       ? -EPIPE
		       : -EOWNERDEAD;
}

int ring_peer(struct ring *ring)
{
	int error = look_after_other(ring);

	return error || ring->has_met ? error : -ENOTCONN;
}

static inline bool has_closed(const struct ring *ring)
{
	return atomic_load_explicit(&ring->other->state,
				    memory_order_acquire) == RING_CLOSED;
}

/* It may have published something, and then gone. */
static int end_of(struct ring *ring, int (*is_ready)(struct ring *, uint64_t),
		  uint64_t need, int error)
{
	int rc = is_ready(ring, need);

	return rc ? rc : error;
}

/* ---- waiting --------------------------------------------------------------------- */

bool ring_shares_cpu(const struct ring *ring)
{
	return atomic_load_explicit(&ring->other->cpu, memory_order_relaxed) ==
	       atomic_load_explicit(&ring->own->cpu, memory_order_relaxed);
}

/* For how long to spin. Where both sides need one processor, once: what we wait
 * for cannot happen meanwhile, unless we let the other side run (see spin()). */
static int64_t spin_ns(const struct ring *ring)
{
	switch (ring->wait) {
	case RING_SPIN:
		return TICK_NEVER;
	case RING_BLOCK:
		return 0;
	case RING_ADAPTIVE:
		break;
	}
	if (ring_shares_cpu(ring))
		return 1;
	if (ring->usual_wait_ns > SPIN_MAX_NS)
		return SPIN_MIN_NS;
	return 2 * ring->usual_wait_ns + SPIN_MIN_NS;
}

static void learn(struct ring *ring, int64_t waited_ns)
{
	/* One long wait is not to be remembered for ever. */
	if (waited_ns > 10 * SPIN_MAX_NS)
		waited_ns = 10 * SPIN_MAX_NS;
	ring->usual_wait_ns += (waited_ns - ring->usual_wait_ns) / 4;
}

static int look_often(struct ring *ring,
		      int (*is_ready)(struct ring *, uint64_t), uint64_t need)
{
	int rc = 0;

	for (int i = 0; i < LOOKS && !rc; i++) {
		ring_pause();
		rc = is_ready(ring, need);
	}
	return rc;
}

/* On the processor of the other side: let it run. Where it wants to, that is
 * one system call and one switch, while a sleep takes two calls and its wake-up
 * a third. */
static int look_after_yield(struct ring *ring,
			    int (*is_ready)(struct ring *, uint64_t),
			    uint64_t need)
{
	ring->calls.yields++;
	sched_yield();
	return is_ready(ring, need);
}

/* Look again and again until the moment, once at least; 0 when it came. */
static int spin(struct ring *ring, int (*is_ready)(struct ring *, uint64_t),
		uint64_t need, int64_t until)
{
	const bool shares_cpu = ring_shares_cpu(ring);
	int rc;

	do {
		rc = shares_cpu ? look_after_yield(ring, is_ready, need)
				: look_often(ring, is_ready, need);
		if (rc || has_closed(ring))
			return rc;
	} while (!tick_is_over(until));
	return 0;
}

/* One sleep. Returns what is_ready() says after setting the flag, 0 or
 * -EINTR. */
static int doze(struct ring *ring, int (*is_ready)(struct ring *, uint64_t),
		uint64_t need, int64_t until)
{
	const uint32_t asleep = ring->awake | RING_ASLEEP;
	int rc;

	atomic_store_explicit(&ring->own->asleep, asleep, memory_order_relaxed);
	order_both(ring);
	rc = is_ready(ring, need);
	if (!rc && !has_closed(ring)) {
		ring->calls.sleeps++;
		rc = park_word_sleep(word_of(ring->own), asleep, until, true);
		rc = rc == -ETIMEDOUT ? 0 : rc;
	}
	atomic_store_explicit(&ring->own->asleep, ring->awake,
			      memory_order_relaxed);
	return rc;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int wait_in_slices(struct ring *ring,
			  int (*is_ready)(struct ring *, uint64_t),
			  uint64_t need, int64_t start, int64_t deadline)
{
	int64_t spin_left = spin_ns(ring), now = start, slice;
	int rc;

	for (;;) {
		slice = earlier(deadline, now + SLICE_NS);
		if (spin_left > 0)
			rc = spin(ring, is_ready, need,
				  spin_left == TICK_NEVER
					  ? slice
					  : earlier(slice, now + spin_left));
		else
			rc = doze(ring, is_ready, need, slice);
		if (spin_left != TICK_NEVER)
			spin_left = 0;
		if (!rc)
			rc = is_ready(ring, need);
		if (rc)
			return rc;
		now = tick_now();
		if (now >= slice || has_closed(ring)) {
			rc = look_after_other(ring);
			if (rc)
				return end_of(ring, is_ready, need, rc);
		}
		if (now >= deadline)
			return -ETIMEDOUT;
	}
}

/* Written only when it has changed: the other side looks at this line with
 * every message. */
static void note_cpu(struct ring *ring)
{
	const uint32_t cpu = (uint32_t)sched_getcpu();

	if (atomic_load_explicit(&ring->own->cpu, memory_order_relaxed) != cpu)
		atomic_store_explicit(&ring->own->cpu, cpu,
				      memory_order_relaxed);
}

int ring_wait_for(struct ring *ring, int (*is_ready)(struct ring *, uint64_t),
		  uint64_t need, int64_t deadline)
{
	int rc = is_ready(ring, need);
	int64_t start;

	if (rc)
		return rc;
	start = tick_now();
	if (deadline <= start) {
		rc = look_after_other(ring);
		return end_of(ring, is_ready, need, rc ? rc : -ETIMEDOUT);
	}
	note_cpu(ring);
	/* What comes at once is not timed: a look at the clock would make a
	 * round trip a tenth longer. */
	if (ring->wait != RING_BLOCK && !ring_shares_cpu(ring)) {
		rc = look_often(ring, is_ready, need);
		if (rc) {
			learn(ring, 0);
			return rc;
		}
	}
	rc = wait_in_slices(ring, is_ready, need, start, deadline);
	if (rc > 0)
		learn(ring, tick_now() - start);
	return rc;
}
