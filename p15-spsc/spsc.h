/* spsc.h - a queue from one producer to one consumer, without locks.
 *
 * Items of one size, copied byte by byte, in a ring in memory that the caller
 * provides: private to two threads, or mapped by two processes at whatever
 * addresses. It holds offsets and counts, no pointers. Lamport (1983), with
 * the other side's index remembered (FastForward 2008, MCRingBuffer 2010).
 *
 * At any time there is at most one producer and one consumer, each with a
 * handle of its own that it alone uses. No call allocates. Calls named try_
 * never wait and make no system call, except to wake a partner that sleeps;
 * the bare names wait for as long as it takes, those named _until until a
 * deadline (lib/tick). All return 0, or a count, or an error, after which the
 * item that was to be pushed is not in, and none was popped:
 *
 *	-EAGAIN	    full, or empty: try again
 *	-EMSGSIZE   bytes is not the size of this queue's items
 *	-EPIPE	    the other side had closed (and all its items were taken).
 *		    What it did not take, or closed too late to refuse, is for
 *		    the next consumer
 *	-EBADMSG    the other side's index is nonsense: it has been overwritten
 *	-ETIMEDOUT  the deadline is over
 *	-EINTR	    a signal handler ran while we slept
 *	-EOWNERDEAD the other side's process is dead, or has dropped its role
 *		    without closing, as we found when we slept; a new one may
 *		    attach and go on where the last had published
 *	-EIDRM	    the other side has not come, and cannot any more: the name
 *		    leads elsewhere
 *	-EBADF, -ESTALE  the handle's descriptor was closed behind our back, or
 *		    its number is another file's by now
 *
 * Who has a role is known in one of two ways.
 *
 * By name (spsc_open_producer()): by a lock of the file (lib/identity), which
 * the kernel drops at a death, and nothing that is written into the memory can
 * forge or lose; PID namespaces do not matter. A forked child has its parent's
 * roles too: what it does not go on with it gives to spsc_…_forget(). They end
 * with exec, and with closefrom(3) once the memory is unmapped, too.
 *
 * In memory alone (spsc_producer_attach()): by a word with the process's pid and
 * start. It means something in the PID and time namespace of the queue's maker,
 * who is noted in the header, and to who can read /proc; others are refused. It
 * is the process's that attached: a forked child that is to go on when its
 * parent ends calls spsc_…_adopt(), and exec keeps the role of who has no
 * handle any more. A word that was zeroed is noticed by who has seen it before;
 * a hostile side that writes another living process's word is not: who must
 * not trust the other side opens by name.
 *
 * What the other side wrote is never used as an address or a length: a
 * process that scribbles over the memory can spoil items and stop the queue,
 * but not make us touch a byte outside of it.
 *
 * Room: the consumer tells it in pieces, an eighth of the capacity at a time
 * and whenever it finds the queue empty, so that its index does not travel for
 * each item. A push may thus be refused while up to capacity / 8 - 1 slots are
 * free: spsc_consumer_flush() tells of them at once.
 *
 * Looking: a consumer on the heels of a producer pauses before it looks again,
 * for up to some 2 us, as long as the items that gather are worth it.
 *
 * Lines: a producer that is ahead claims those of the next slots before it
 * writes to them.
 *
 * A loop that must be fast keeps the handle in a local variable whose address
 * it gives to nobody else: these functions are inline, so that its fields then
 * live in registers. That is also why this header is as long as it is.
 */
#ifndef UNIXIPC_P15_SPSC_SPSC_H
#define UNIXIPC_P15_SPSC_SPSC_H

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "lib/park.h"
#include "p15-spsc/spsc_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a handle by name has: the file with its lock. */
struct spsc_seat;

/* A side's own: nothing in here is shared, so that nobody can spoil it. */
struct spsc_producer {
	struct spsc *shared;
	unsigned char *slots;
	uint64_t mask, item_bytes;
	uint64_t tail;      /* next to write */
	uint64_t limit;     /* may write below this, and must then look up */
	uint64_t room;      /* the head seen, plus capacity */
	uint64_t published; /* what the consumer may see */
	uint64_t defer;     /* spsc_try_put publishes that many at once */
	uint64_t stride;    /* items between two looks up */
	uint64_t ahead;     /* items whose lines to claim */
	uint64_t claimed;   /* the lines below this were */
	int is_ahead;       /* the consumer had some left, last we looked */
	int is_fenced;      /* must fence by itself, see spsc_wait.c */
	struct spsc_seat *seat; /* NULL: in memory alone */
	uint64_t owner, peer;   /* words: our own; the other side's, last met */
};

struct spsc_consumer {
	struct spsc *shared;
	unsigned char *slots;
	uint64_t mask, item_bytes;
	uint64_t head;     /* next to read */
	uint64_t limit;    /* may read below this: the tail seen */
	uint64_t released; /* what the producer may see */
	uint64_t slack;    /* releases to keep back */
	uint64_t lag;      /* items that are worth a look */
	uint64_t slip;     /* pauses before the next look */
	int is_fenced;
	struct spsc_seat *seat;
	uint64_t owner, peer;
};

/* ---- life ------------------------------------------------------------------ */

/* Bytes that a queue needs; 0 when there can be none: item_bytes 0 or beyond
 * 2^40, capacity not a power of two or beyond SPSC_CAPACITY_MAX. */
size_t spsc_bytes(uint64_t item_bytes, uint64_t capacity);

/* Make one in this memory, aligned to SPSC_LINE, which nobody else looks at
 * yet. Returns 0 or -EINVAL. */
int spsc_init(void *memory, size_t bytes, uint64_t item_bytes,
	      uint64_t capacity);

/* Take a role in a queue that was made, by us or by another process. bytes is
 * the size of the memory; item_bytes what we believe to be an item's size.
 * Returns 0, -EINVAL (not aligned), -EBADMSG (no queue, or more of one than
 * there is memory), -EPROTONOSUPPORT (another version's), -EMSGSIZE (items of
 * another size), -EBUSY (a process that lives has the role, or may live), -EXDEV
 * (made in another PID or time namespace), -ENOSYS (/proc does not tell who we
 * are), -EACCES (made by name: open it so). What a dead process had is taken
 * over at the index that it last published: what it had put and not published
 * is lost, what it had popped and not released comes again. */
int spsc_producer_attach(struct spsc_producer *producer, void *memory,
			 size_t bytes, uint64_t item_bytes);
int spsc_consumer_attach(struct spsc_consumer *consumer, void *memory,
			 size_t bytes, uint64_t item_bytes);

/* The same for a queue with a name (as of shm_open(3)), which is made if there is
 * none and capacity is not 0, with mode 0600; what there is keeps its capacity.
 * Maps the memory, for this handle alone; a process that has both roles calls
 * both. Waits until the deadline for others who are making it or removing its
 * name. Besides: -ENOENT, -EINVAL, -ENAMETOOLONG (the name), -ENOSPC (not enough
 * shared memory), -EACCES (another user's; root's is taken), -ENOMEM,
 * -ETIMEDOUT, -EINTR, and -EBUSY is certain. Memory that is too short is
 * -EBADMSG; who truncates it later ends us by SIGBUS. */
int spsc_open_producer(struct spsc_producer *producer, const char *name,
		       uint64_t item_bytes, uint64_t capacity,
		       int64_t deadline);
int spsc_open_consumer(struct spsc_consumer *consumer, const char *name,
		       uint64_t item_bytes, uint64_t capacity,
		       int64_t deadline);

/* Remove the name, if nobody has a role: 0, -EBUSY, -ENOENT, -EBADMSG (no queue:
 * not touched). */
int spsc_remove(const char *name);

/* After fork(2), in the child that goes on with the handle: the role is its own
 * now, and the parent does nothing with the handle any more. 0, -EBUSY (somebody
 * else has it by now), -EXDEV, -ENOSYS. By name nothing needs to be done, and 0
 * is returned. */
int spsc_producer_adopt(struct spsc_producer *producer);
int spsc_consumer_adopt(struct spsc_consumer *consumer);

/* After fork(2), in the process that does not go on with it: let go of the handle,
 * and leave the role to the other. */
void spsc_producer_forget(struct spsc_producer *producer);
void spsc_consumer_forget(struct spsc_consumer *consumer);

/* Publish what is kept back and give the role up: the other side gets -EPIPE
 * once it has taken what is there, until somebody attaches again. Nothing is done
 * to a handle that is closed already, was forgotten, or is all zeros; no other
 * call takes one. */
void spsc_producer_close(struct spsc_producer *producer);
void spsc_consumer_close(struct spsc_consumer *consumer);

/* How many items there are about now; for anybody who has the memory. Nothing to
 * build on where somebody scribbles over it. */
uint64_t spsc_count(const struct spsc *shared);

/* ---- what the inline functions need ----------------------------------------- */

/* Wake the other role if it sleeps. Called when its flags say something, or when
 * we must fence first. */
void spsc_wake(struct spsc *shared, enum spsc_role other);

/* Wait until the other role's index is no longer the one that was seen. peer is
 * the handle's, by value, so that a handle in registers can stay there. */
struct spsc_waited {
	int error;
	uint64_t peer;
};
struct spsc_waited spsc_wait(struct spsc *shared, enum spsc_role self,
			     uint64_t seen, int64_t deadline,
			     struct spsc_seat *seat, uint64_t peer);

/* ---- producer ---------------------------------------------------------------- */

/* Let the consumer see all that was put. */
SPSC_INLINE void spsc_flush(struct spsc_producer *p)
{
	/* Release: the items are written before the index says so. Pairs with
	 * the acquire in spsc_find_items(). */
	__atomic_store_n(&p->shared->tail, p->tail, __ATOMIC_RELEASE);
	p->published = p->tail;
	/* The index has to be out before the flag is looked at, or a consumer
	 * that is falling asleep is missed. The compiler is told here; the
	 * processor by the one who falls asleep (spsc_wait.c), or if that cannot
	 * be, by spsc_wake(). Relaxed: nothing is read on the strength of it. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(p->is_fenced | (int)__atomic_load_n(
						    &p->shared->consumer_flags,
						    __ATOMIC_RELAXED),
			     0))
		spsc_wake(p->shared, SPSC_CONSUMER);
}

/* The consumer's processor still has the lines that it read the last time round.
 * A store to one waits until they have come, and all stores behind it wait too,
 * the index's among them. So they are sent for beforehand, many at once. */
SPSC_INLINE void spsc_claim(struct spsc_producer *p)
{
	const uint64_t room = p->room - p->tail;
	const uint64_t end = p->tail + (room < p->ahead ? room : p->ahead);
	uint64_t slot, n;
	const unsigned char *line;

	if (p->claimed - p->tail > p->mask + 1) /* overtaken by a batch */
		p->claimed = p->tail;
	slot = p->claimed & p->mask;
	n = end - p->claimed;
	if (n > p->mask + 1) /* claimed that far already */
		return;
	if (n > p->mask + 1 - slot)
		n = p->mask + 1 - slot;
	p->claimed += n;
	line = p->slots + slot * p->item_bytes;
	for (n *= p->item_bytes; n > 0; n -= n < 64 ? n : 64, line += 64)
		park_prefetch_to_write(line);
}

/* There is room: on to the next look up. A consumer that has taken everything
 * may be answering item by item: it has each line back sooner from a processor
 * that did not claim it. */
SPSC_INLINE void spsc_stride(struct spsc_producer *p)
{
	const uint64_t room = p->room - p->tail;

	if (p->is_ahead)
		spsc_claim(p);
	p->limit = p->tail + (room < p->stride ? room : p->stride);
}

/* The other side's line is fetched only when, by what we know, the queue is
 * full. */
SPSC_INLINE int spsc_find_room(struct spsc_producer *p)
{
	/* Acquire: the consumer has read the slot before we write it anew. Pairs
	 * with the release in spsc_consumer_flush(). */
	uint64_t head = __atomic_load_n(&p->shared->head, __ATOMIC_ACQUIRE);

	if (__builtin_expect(p->tail - head > p->mask + 1, 0))
		return -EBADMSG;
	p->room = head + p->mask + 1;
	p->is_ahead = head != p->tail;
	if (p->tail != p->room)
		return 0;
	/* Full: what was only put must become visible, or both sides wait. */
	if (p->published != p->tail)
		spsc_flush(p);
	return -EAGAIN;
}

/* Asked before each item is written, as later it could not be taken back: the
 * next consumer may have come. */
SPSC_INLINE int spsc_has_consumer(const struct spsc_producer *p)
{
	/* Relaxed: that it closed is all we want to know. */
	return !(__atomic_load_n(&p->shared->consumer_flags, __ATOMIC_RELAXED) &
		 SPSC_CLOSED);
}

/* In place: where the next item is to be written, before spsc_commit(). Aligned
 * as a multiple of item_bytes from SPSC_LINE is. */
SPSC_INLINE int spsc_try_reserve(struct spsc_producer *p, void **slot)
{
	if (__builtin_expect(!spsc_has_consumer(p), 0))
		return -EPIPE;
	if (__builtin_expect(p->tail == p->limit, 0)) {
		int error = p->tail == p->room ? spsc_find_room(p) : 0;

		if (error)
			return error;
		spsc_stride(p);
	}
	*slot = p->slots + (p->tail & p->mask) * p->item_bytes;
	return 0;
}

/* The reserved item is written: let the consumer have it. */
SPSC_INLINE void spsc_commit(struct spsc_producer *p)
{
	p->tail++;
	spsc_flush(p);
}

/* bytes is sizeof(*item): a constant, so that the copy is a move or two. */
SPSC_INLINE int spsc_try_push(struct spsc_producer *p, const void *item,
			      size_t bytes)
{
	void *slot;
	int error;

	if (__builtin_expect(bytes != p->item_bytes, 0))
		return -EMSGSIZE;
	error = spsc_try_reserve(p, &slot);
	if (error)
		return error;
	memcpy(slot, item, bytes);
	spsc_commit(p);
	return 0;
}

/* Push, but let the consumer see it later: after `defer` of them, when the
 * queue is full, or with spsc_flush(). Before any pause, flush. */
SPSC_INLINE int spsc_try_put(struct spsc_producer *p, const void *item,
			     size_t bytes)
{
	void *slot;
	int error;

	if (__builtin_expect(bytes != p->item_bytes, 0))
		return -EMSGSIZE;
	error = spsc_try_reserve(p, &slot);
	if (error)
		return error;
	memcpy(slot, item, bytes);
	p->tail++;
	if (p->tail - p->published >= p->defer)
		spsc_flush(p);
	return 0;
}

SPSC_INLINE int spsc_push_until(struct spsc_producer *p, const void *item,
				size_t bytes, int64_t deadline)
{
	for (;;) {
		int error = spsc_try_push(p, item, bytes);
		struct spsc_waited waited;

		if (__builtin_expect(error != -EAGAIN, 1))
			return error;
		waited = spsc_wait(p->shared, SPSC_PRODUCER,
				   p->room - p->mask - 1, deadline, p->seat,
				   p->peer);
		p->peer = waited.peer;
		if (waited.error)
			return waited.error;
	}
}

SPSC_INLINE int spsc_push(struct spsc_producer *p, const void *item,
			  size_t bytes)
{
	return spsc_push_until(p, item, bytes, INT64_MAX);
}

/* As many of n items as there is room for, made visible at once; how many, or
 * an error when it is none (n = 0: 0). */
ssize_t spsc_try_push_many(struct spsc_producer *p, const void *items,
			   size_t n);
ssize_t spsc_push_many_until(struct spsc_producer *p, const void *items,
			     size_t n, int64_t deadline);

/* ---- consumer ---------------------------------------------------------------- */

/* Let the producer have the room of all that was released. */
SPSC_INLINE void spsc_consumer_flush(struct spsc_consumer *c)
{
	/* Release: the items are read before the producer may write over them.
	 * Pairs with the acquire in spsc_find_room(). */
	__atomic_store_n(&c->shared->head, c->head, __ATOMIC_RELEASE);
	c->released = c->head;
	/* As in spsc_flush(): the index is out before the flag is looked at. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(c->is_fenced | (int)__atomic_load_n(
						    &c->shared->producer_flags,
						    __ATOMIC_RELAXED),
			     0))
		spsc_wake(c->shared, SPSC_PRODUCER);
}

/* On the producer's heels, a consumer takes the line with the index from it, and
 * the one with the slot, for every item or two. While items flow, it learns to
 * look so seldom that it finds `lag` of them; where few come, they are not kept
 * waiting. */
SPSC_INLINE void spsc_learn(struct spsc_consumer *c, uint64_t found)
{
	if (found < SPSC_FEW || found >= 2 * c->lag)
		c->slip /= 2;
	else if (found < c->lag && c->slip < SPSC_SLIP_MAX)
		c->slip = c->slip > 0 ? 2 * c->slip : 1;
}

SPSC_INLINE int spsc_find_items(struct spsc_consumer *c)
{
	uint64_t tail;

	for (uint64_t i = c->slip; i > 0; i--)
		park_relax();
	/* Acquire: the items are there, and not just the index that says so.
	 * Pairs with the release in spsc_flush(). */
	tail = __atomic_load_n(&c->shared->tail, __ATOMIC_ACQUIRE);
	if (__builtin_expect(tail - c->head > c->mask + 1, 0))
		return -EBADMSG;
	c->limit = tail;
	if (c->head != tail) {
		spsc_learn(c, tail - c->head);
		return 0;
	}
	c->slip = 0;
	/* Empty: the producer may be waiting for the room that we keep back. */
	if (c->released != c->head)
		spsc_consumer_flush(c);
	/* Acquire: a producer that has closed had published everything before,
	 * so one more look at the tail decides. Pairs with the release in
	 * spsc_producer_close(). */
	if (__builtin_expect(!(__atomic_load_n(&c->shared->producer_flags,
					       __ATOMIC_ACQUIRE) &
			       SPSC_CLOSED),
			     1))
		return -EAGAIN;
	return __atomic_load_n(&c->shared->tail, __ATOMIC_ACQUIRE) == c->head
		       ? -EPIPE
		       : -EAGAIN;
}

/* In place: where the next item stands, until spsc_release(). Memory that the
 * producer can write to: who does not trust it copies before looking. */
SPSC_INLINE int spsc_try_front(struct spsc_consumer *c, const void **slot)
{
	if (__builtin_expect(c->head == c->limit, 0)) {
		int error = spsc_find_items(c);

		if (error)
			return error;
	}
	*slot = c->slots + (c->head & c->mask) * c->item_bytes;
	return 0;
}

/* Done with the front item. */
SPSC_INLINE void spsc_release(struct spsc_consumer *c)
{
	c->head++;
	if (__builtin_expect(c->head - c->released >= c->slack, 0))
		spsc_consumer_flush(c);
}

SPSC_INLINE int spsc_try_pop(struct spsc_consumer *c, void *item, size_t bytes)
{
	const void *slot;
	int error;

	if (__builtin_expect(bytes != c->item_bytes, 0))
		return -EMSGSIZE;
	error = spsc_try_front(c, &slot);
	if (error)
		return error;
	memcpy(item, slot, bytes);
	spsc_release(c);
	return 0;
}

SPSC_INLINE int spsc_pop_until(struct spsc_consumer *c, void *item,
			       size_t bytes, int64_t deadline)
{
	for (;;) {
		int error = spsc_try_pop(c, item, bytes);
		struct spsc_waited waited;

		if (__builtin_expect(error != -EAGAIN, 1))
			return error;
		waited = spsc_wait(c->shared, SPSC_CONSUMER, c->head, deadline,
				   c->seat, c->peer);
		c->peer = waited.peer;
		if (waited.error)
			return waited.error;
	}
}

SPSC_INLINE int spsc_pop(struct spsc_consumer *c, void *item, size_t bytes)
{
	return spsc_pop_until(c, item, bytes, INT64_MAX);
}

/* As many of n items as there are; how many, or an error when it is none (n = 0:
 * 0). */
ssize_t spsc_try_pop_many(struct spsc_consumer *c, void *items, size_t n);
ssize_t spsc_pop_many_until(struct spsc_consumer *c, void *items, size_t n,
			    int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
