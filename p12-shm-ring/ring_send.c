/* The sender's half. It owns tail; it learns head only when the room that it
 * knows of is used up. */
#include <errno.h>
#include <string.h>

#include "lib/park.h"
#include "p12-shm-ring/ring_handle.h"

static void publish(struct ring *ring)
{
	ring->published = ring->at;
	/* The records before it come first; pairs with the acquire in
	 * ring_recv.c:look_at_tail. */
	atomic_store_explicit(&ring->header->tail, ring->at,
			      memory_order_release);
	ring_told(ring);
}

/* The receiver's index is not before our own by more than a capacity, and by as
 * much again if it is head, which lags behind read: anything else is a lie.
 * What is behind what we know already is no news. */
static int take_head(struct ring *ring, uint64_t head)
{
	const uint64_t used = ring->at - head;

	if (used > 2 * ring->capacity || head % 8 != 0)
		return -EBADMSG;
	if (used <= ring->capacity &&
	    ring->capacity - used > ring->limit - ring->at) {
		ring->limit = head + ring->capacity;
		ring->has_met = true;
	}
	return 0;
}

static int has_room(struct ring *ring, uint64_t need)
{
	/* What was read before head is free to be written over; pairs with
	 * the release in ring_recv.c:publish. */
	int rc = take_head(ring, atomic_load_explicit(&ring->header->head,
						      memory_order_acquire));

	return rc ? rc : ring->limit - ring->at >= need;
}

/* head lags behind. Before we say that there is no room we look at the exact
 * one; not sooner, as it moves with every message. */
static int has_room_exactly(struct ring *ring, uint64_t need)
{
	int rc = take_head(ring, atomic_load_explicit(&ring->header->read,
						      memory_order_acquire));

	return rc ? rc : ring->limit - ring->at >= need;
}

/* A receiver that has read something, and does not come back for more, owes us
 * that room; and it may not come back before it has our next message. So a
 * wait is interrupted for a look at the exact index. */
#define EXACT_NS (50 * TICK_MS)

static int wait_for_room(struct ring *ring, uint64_t need, int64_t deadline)
{
	int64_t step;
	int rc, late;

	do {
		step = tick_after(EXACT_NS);
		if (deadline < step)
			step = deadline;
		rc = ring_wait_for(ring, has_room, need, step);
		if (rc != -ETIMEDOUT)
			return rc < 0 ? rc : 0;
		late = has_room_exactly(ring, need);
		if (late)
			return late < 0 ? late : 0;
	} while (step < deadline);
	return -ETIMEDOUT;
}

static int drop(struct ring *ring, uint64_t need)
{
	int rc = has_room_exactly(ring, need);

	if (rc)
		return rc < 0 ? rc : 0;
	/* Its only writer is whoever has our seat. */
	atomic_store_explicit(&ring->header->dropped, ring_dropped(ring) + 1,
			      memory_order_relaxed);
	return -ENOBUFS;
}

/* Kept out of ring_reserve(), which then needs no stack in the usual case. */
static __attribute__((noinline)) int make_room(struct ring *ring, uint64_t need,
					       int64_t deadline)
{
	int rc = has_room(ring, need);

	if (rc)
		return rc < 0 ? rc : 0;
	if (ring->published != ring->at)
		publish(ring);
	return ring->overflow == RING_DROP_NEWEST
		       ? drop(ring, need)
		       : wait_for_room(ring, need, deadline);
}

int ring_reserve(struct ring *ring, size_t len, void **message,
		 int64_t deadline)
{
	const uint64_t need = ring_record_bytes(len);
	int rc;

	if (__builtin_expect(len > ring->mask + 1 - sizeof(struct ring_record),
			     0))
		return -EMSGSIZE;
	if (__builtin_expect(ring->limit - ring->at < need, 0)) {
		rc = make_room(ring, need, deadline);
		if (rc)
			return rc;
	}
	ring->next = ring->at + need;
	*message = ring_place(ring, ring->at) + sizeof(struct ring_record);
	return 0;
}

/* How far in front of the pen the sender's processor takes lines from the
 * receiver's, so that stores need not wait for them: a processor keeps only
 * some dozens of stores that wait, and they leave in order. Never where the
 * receiver has yet to read. */
#define AHEAD_BYTES 1024

/* Longer records memcpy(3) writes in whole lines, and does not need what was in
 * them before. */
#ifndef RING_AHEAD_MAX
#define RING_AHEAD_MAX ((uint64_t)2112)
#endif

static inline void take_lines_ahead(const struct ring *ring, uint64_t bytes)
{
	const uint64_t from = ring->at + AHEAD_BYTES, to = from + bytes;

	if (bytes > RING_AHEAD_MAX || ring->limit - ring->at < to - ring->at)
		return;
	for (uint64_t line = (from + 63) & ~UINT64_C(63); line < to; line += 64)
		park_prefetch_to_write(ring_place(ring, line));
}

int ring_commit_later(struct ring *ring, size_t len)
{
	struct ring_record *record =
		(struct ring_record *)ring_place(ring, ring->at);
	const uint64_t room = ring->next - ring->at;
	const uint64_t end = ring->at + ring_record_bytes(len);

	if (__builtin_expect(room == 0, 0))
		return -EINVAL;
	if (__builtin_expect(len > room - sizeof(*record), 0))
		return -EMSGSIZE;
	record->length = (uint32_t)len;
	record->mark = ring_record_mark(ring->at, (uint32_t)len);
	ring->at = ring->next = end;
	take_lines_ahead(ring, ring_record_bytes(len));
	return 0;
}

int ring_commit(struct ring *ring, size_t len)
{
	int rc = ring_commit_later(ring, len);

	if (!rc)
		publish(ring);
	return rc;
}

void ring_flush(struct ring *ring)
{
	if (ring->published != ring->at)
		publish(ring);
}

int ring_send(struct ring *ring, const void *message, size_t len,
	      int64_t deadline)
{
	void *place;
	int rc = ring_reserve(ring, len, &place, deadline);

	if (rc)
		return rc;
	if (len > 0) /* an empty one may be NULL, which memcpy(3) may not */
		memcpy(place, message, len);
	return ring_commit(ring, len);
}

int ring_send_batch(struct ring *ring, const struct iovec *messages, int n,
		    int64_t deadline)
{
	void *place;
	int sent = 0, rc = 0;

	for (; sent < n; sent++) {
		const size_t len = messages[sent].iov_len;

		/* Only the first may wait. */
		if (sent > 0 &&
		    ring->limit - ring->at < ring_record_bytes(len) &&
		    has_room(ring, ring_record_bytes(len)) <= 0)
			break;
		rc = ring_reserve(ring, len, &place, deadline);
		if (rc)
			break;
		if (len > 0)
			memcpy(place, messages[sent].iov_base, len);
		ring_commit_later(ring, len);
	}
	ring_flush(ring);
	return sent ? sent : rc;
}

static int is_drained(struct ring *ring, uint64_t need)
{
	int rc = has_room(ring, need);

	return rc < 0 ? rc : ring->limit - ring->at == ring->capacity;
}

int ring_drain(struct ring *ring, int64_t deadline)
{
	int rc;

	ring_flush(ring);
	rc = ring_wait_for(ring, is_drained, 0, deadline);
	return rc < 0 ? rc : 0;
}
