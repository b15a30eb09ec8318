/* The receiver's half. It owns head and read; it learns tail only when it has
 * read all that it knows of. */
#include <errno.h>
#include <string.h>

#include "p12-shm-ring/ring_handle.h"

static void publish(struct ring *ring)
{
	ring->published = ring->at;
	/* Reading comes first; pairs with the acquire in
	 * ring_send.c:has_room. */
	atomic_store_explicit(&ring->header->head, ring->at,
			      memory_order_release);
	ring_told(ring);
}

/* How many bytes of records there are, beyond the ones that we knew. */
static int look_at_tail(struct ring *ring, uint64_t unused)
{
	/* Pairs with the release in ring_send.c:publish. */
	uint64_t tail =
		atomic_load_explicit(&ring->header->tail, memory_order_acquire);

	(void)unused;
	if (tail == ring->limit && tail == ring->at)
		return 0;
	if (tail - ring->at > ring->capacity || tail % 8 != 0)
		return -EBADMSG;
	ring->limit = tail;
	ring->has_met = true;
	return ring->limit != ring->at;
}

/* Kept out of ring_peek(), as make_room() is. */
static __attribute__((noinline)) int wait_for_message(struct ring *ring,
						      int64_t deadline)
{
	int rc;

	ring_gather(ring);
	rc = look_at_tail(ring, 0);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = ring_wait_for(ring, look_at_tail, 0, deadline);
	return rc < 0 ? rc : 0;
}

/* The record at a position, of which more bytes are there: its length. Words
 * are read once, and checked before use. */
static ssize_t check_record(const struct ring *ring, uint64_t position)
{
	const struct ring_record *record =
		(const struct ring_record *)ring_place(ring, position);
	const uint32_t length =
		__atomic_load_n(&record->length, __ATOMIC_RELAXED);
	const uint32_t mark = __atomic_load_n(&record->mark, __ATOMIC_RELAXED);

	if (__builtin_expect(ring_record_bytes(length) >
					     ring->limit - position ||
				     mark != ring_record_mark(position, length),
			     0))
		return -EBADMSG;
	return (ssize_t)length;
}

ssize_t ring_peek(struct ring *ring, void **message, int64_t deadline)
{
	ssize_t len;
	int rc;

	if (__builtin_expect(ring->at == ring->limit, 0)) {
		rc = wait_for_message(ring, deadline);
		if (rc)
			return rc;
	}
	len = check_record(ring, ring->at);
	if (len < 0)
		return len;
	ring->next = ring->at + ring_record_bytes((uint64_t)len);
	*message = ring_place(ring, ring->at) + sizeof(struct ring_record);
	return len;
}

int ring_peek_batch(struct ring *ring, struct iovec *messages, int n,
		    int64_t deadline)
{
	ssize_t len = ring_peek(ring, &messages[0].iov_base, deadline);
	int got = 1;

	if (len < 0)
		return (int)len;
	messages[0].iov_len = (size_t)len;
	for (; got < n && ring->next != ring->limit; got++) {
		len = check_record(ring, ring->next);
		if (len < 0)
			break; /* the next peek says so */
		messages[got].iov_base = ring_place(ring, ring->next) +
					 sizeof(struct ring_record);
		messages[got].iov_len = (size_t)len;
		ring->next += ring_record_bytes((uint64_t)len);
	}
	return got;
}

void ring_release(struct ring *ring)
{
	ring->at = ring->next;
	ring->taken++;
	/* For our successor, should we die, and for who finds no room: this
	 * line is ours alone otherwise. */
	atomic_store_explicit(&ring->header->read, ring->at,
			      memory_order_release);
	/* Lazily, as the sender's processor takes that line from ours each
	 * time; but not when we may have to wait for the sender, who may be
	 * waiting for room. */
	if (ring->at - ring->published >= ring->lazy_bytes ||
	    ring->at == ring->limit)
		publish(ring);
}

ssize_t ring_recv(struct ring *ring, void *buf, size_t room, int64_t deadline)
{
	void *message = NULL;
	ssize_t len = ring_peek(ring, &message, deadline);

	if (len < 0)
		return len;
	if ((size_t)len > room)
		return -EMSGSIZE;
	if (len > 0)
		memcpy(buf, message, (size_t)len);
	ring_release(ring);
	return len;
}
