/* ring_handle.h - a handle, for the ring_….c files; nobody else includes this.
 *
 * Own position and what is known of the other side's live here, in memory of
 * this process alone: the other side cannot change them, and reading them
 * moves no cache line between processors.
 */
#ifndef UNIXIPC_P12_SHM_RING_RING_HANDLE_H
#define UNIXIPC_P12_SHM_RING_RING_HANDLE_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "p12-shm-ring/ring.h"
#include "p12-shm-ring/ring_format.h"
#include "p12-shm-ring/ring_map.h"

/* Who is in a ring: roles (lib/identity) that the kernel drops at a death, each
 * a byte far beyond the data. Behind the two sides', that of who makes the object
 * or removes its name, for moments. */
#define RING_BYTE ((int64_t)1 << 40)
enum { RING_BYTE_NAME = RING_RECEIVER + 1 };

struct ring_shared_map {
	struct ring_map map;
	atomic_int users; /* handles of this process */
};

struct ring {
	/* What every message touches. at: where the next record begins. limit:
	 * of a sender, where the room ends that we know of; of a receiver,
	 * where the records end that we know of. next: where the reserved
	 * record ends at most, or the peeked ones end; at is none. published:
	 * what the other side was told of at. */
	alignas(RING_LINE) uint64_t at;
	uint64_t limit, next, published;
	uint64_t lazy_bytes; /* a receiver publishes after so many */
	unsigned char *data;
	uint64_t mask;
	struct ring_header *header;
	struct ring_seat *own, *other;
	bool must_fence; /* or the other side could miss our sleep */

	/* A receiver's: see ring_gather.c. */
	uint64_t taken;        /* messages released */
	uint64_t taken_before; /* when it last had read all it knew of */
	unsigned int times;    /* that this happened */
	bool has_gathered, is_streaming;

	/* The rest. */
	enum ring_side side;
	enum ring_wait wait;
	enum ring_overflow overflow;
	size_t capacity;
	uint32_t awake; /* what own->asleep holds then */
	struct identity_role role;
	char *name;   /* NULL: it has none */
	bool has_met; /* the other side was there, as the kernel said, or as
		       * its index shows */
	int64_t usual_wait_ns; /* a moving mean */
	struct ring_calls calls;
	struct ring_shared_map *shared;
};

static inline unsigned char *ring_place(const struct ring *ring,
					uint64_t position)
{
	return ring->data + (position & ring->mask);
}

/* ---- ring.c ---- */

/* Take the seat and make a handle, which then owns the role. name may be NULL.
 * shared: a mapping to use, or NULL for one of its own. */
int ring_enter(struct ring **result, const struct identity_role *role,
	       const char *name, enum ring_side side,
	       const struct ring_options *options,
	       struct ring_shared_map *shared);

/* ---- ring_gather.c ---- */

/* A receiver has read all that it knows of, and is about to look for more. */
void ring_gather(struct ring *ring);

/* ---- ring_wait.c ---- */

static inline int64_t ring_other_byte(const struct ring *ring)
{
	return RING_BYTE +
	       (ring->side == RING_SENDER ? RING_RECEIVER : RING_SENDER);
}

/* Whether both sides last ran on the same processor. */
bool ring_shares_cpu(const struct ring *ring);

/* Keep this processor off the other's lines for a moment. */
void ring_pause(void);

/* Wait until is_ready(ring, need) is not 0, and return that: 1, or -EBADMSG.
 * Or -ETIMEDOUT, -EINTR, -EPIPE, -EOWNERDEAD. */
int ring_wait_for(struct ring *ring, int (*is_ready)(struct ring *, uint64_t),
		  uint64_t need, int64_t deadline);

/* The other side may be asleep: wake it. */
void ring_wake_other(struct ring *ring);

/* Call this after publishing an index. The other side has set asleep before it
 * looked at the index for the last time; we wrote the index before we look at
 * asleep. One of the two sees the other, if both processors keep that order:
 * ours either by a fence, or because the other side had membarrier(2) order it
 * for us, from afar, before that last look. */
static inline void ring_told(struct ring *ring)
{
	if (__builtin_expect(ring->must_fence, 0))
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(atomic_load_explicit(&ring->other->asleep,
						  memory_order_relaxed) != 0,
			     0))
		ring_wake_other(ring);
}

/* Have the kernel order accesses for us; what own->asleep is to hold while we
 * are awake. Also finds out whether we must fence. */
uint32_t ring_wait_prepare(struct ring *ring);

#endif
