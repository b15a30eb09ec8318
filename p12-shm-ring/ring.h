/* ring.h - messages from one process to another through shared memory.
 *
 * A ring has one sender and one receiver: processes that know its name, or
 * that were given its descriptor, or threads. Messages have any length up to
 * ring_message_max(), keep their boundaries and their order, and lie in one
 * piece, so that they can be written and read where they are:
 *
 *	sender    ring_reserve() … write … ring_commit()      or ring_send()
 *	receiver  ring_peek() … read … ring_release()         or ring_recv()
 *
 * While both sides are awake no system call is made. Who waits sleeps on a
 * futex, or spins (enum ring_wait). A receiver that is faster than a steady
 * stream lets messages gather for up to 16 us before it looks for more, at most
 * 16 KB or half of the ring (ring_gather.c); single messages, and those that come
 * now and then, are delayed so one time in 256, to find out whether they are a
 * stream by now.
 *
 * Ends. A side that closes tells the other: -EPIPE, for the receiver after the
 * last message. A side that dies, wherever it was, is missed within a second by
 * one who waits, which looks five times a second: -EOWNERDEAD, for the receiver after the last
 * committed message. A message that was not committed was never there; what
 * was released is not given again, what was only peeked at is. In both cases
 * another process may take the seat, and the survivor's next call goes on with
 * it. A survivor that does not wait meanwhile sees no change: who must know
 * tells it in the first message. Who waits for a side that has not come yet,
 * while the ring's name leads elsewhere, waits for nobody: -EIDRM.
 *
 * Life. That a side is there the kernel says, by a lock (identity_role of
 * lib/identity), in whatever PID namespace it is; what is in the memory is
 * believed when it says "closed", and never about life. The handle has a
 * descriptor for that.
 *	fork       a child has its parent's seat too: it calls ring_forget() if
 *	           it goes on without exec, or ends. Who goes on with the handle
 *	           is one of the two; the other's end is then no death
 *	exec       the seat ends, unless a parent has it
 *	closefrom and the like    behind our back: a wait that would have to look
 *	           for the other side says -EBADF, or -ESTALE when the number is
 *	           another file's by now; the seat is ours until the handle is
 *	           closed
 *	unlink     the two that are in the ring go on
 *
 * Trust. Indices and lengths that the other side wrote are checked before use
 * and lead nowhere outside the ring; what cannot be is -EBADMSG. A message
 * that was peeked at can still be changed by a hostile sender: copy it
 * (ring_recv) before you check it. Memory that comes from a descriptor
 * (ring_memfd) is sealed and cannot shrink. A named object cannot be sealed:
 * its size is checked and allocated in full beforehand, but who may write to
 * it may also truncate it later, and then the next access is a SIGBUS.
 *
 * A handle belongs to one thread at a time, and is not for use after fork(2)
 * in both processes: a child opens the ring itself. Every wait ends with its
 * deadline (lib/tick; one in the past: do not wait) with -ETIMEDOUT, or with
 * -EINTR after a signal handler ran while it slept; nothing was done then.
 * Functions return -errno on failure.
 */
#ifndef UNIXIPC_P12_SHM_RING_RING_H
#define UNIXIPC_P12_SHM_RING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RING_CAPACITY_MIN ((size_t)4096)
#define RING_CAPACITY_MAX ((size_t)1 << 30)

enum ring_side { RING_SENDER, RING_RECEIVER };

enum ring_wait {
	RING_ADAPTIVE, /* spin as long as that has lately been enough, or, while
			* the other side has the same CPU, yield it once;
			* then sleep */
	RING_SPIN,     /* never sleep: a CPU is spent on it */
	RING_BLOCK,    /* sleep at once */
};

enum ring_overflow {
	RING_WAIT_FOR_ROOM,
	RING_DROP_NEWEST, /* -ENOBUFS, and count it */
};

/* Zero is a good default, but for capacity where the ring is to be made. */
struct ring_options {
	size_t capacity;  /* of the ring to make when there is none: bytes,
			  * rounded up to a power of two. 0: make none */
	mode_t mode;      /* of the object to make, as of chmod(2); 0: 0600. Who
			  * may read may write: else -EINVAL */
	bool is_anybodys; /* also one that another user than us or root made,
			   * who can truncate it under us; else -EACCES */
	bool is_fresh;    /* only a ring whose seat nobody has had before, and
			  * in which the other side, if it has come, still is:
			  * one that dead or closed sides left is replaced, a
			  * used one with somebody in it is -EBUSY */
	enum ring_wait wait;
	enum ring_overflow overflow; /* of a sender */
};

struct ring; /* a handle */

/* Open the named ring, and take a seat in it. Where there is none and
 * options->capacity is given, it is made; what a creator that died did not
 * finish is replaced. Waits until the deadline for others who are making it
 * or leaving. Returns 0, -ENOENT (none, and none to make), -EBUSY (the seat is
 * taken), -EBADMSG (not a ring, of another version, damaged, truncated, or of a
 * mode that lets somebody read who may not write),
 * -EINVAL (a bad name, capacity or mode), -ENOSPC (not enough shared memory),
 * -EACCES, -ETIMEDOUT, ... *ring is to be given to ring_close(), once; it is NULL
 * after an error, here and below. */
int ring_open(struct ring **ring, const char *name, enum ring_side side,
	      const struct ring_options *options, int64_t deadline);

/* A ring without a name, as a sealed, close-on-exec descriptor to inherit or
 * to send. Returns it, or -errno. */
int ring_memfd(size_t capacity);

/* Take a seat in the ring of a descriptor, which stays the caller's. -EPERM:
 * it is not sealed. Otherwise as ring_open(). */
int ring_attach(struct ring **ring, int fd, enum ring_side side,
		const struct ring_options *options);

/* Both seats for two threads, on one mapping: pair[RING_SENDER] and
 * pair[RING_RECEIVER]. */
int ring_pair(struct ring *pair[2], const struct ring_options *options);

/* Leave. ring_close() says that this is the end; after ring_abandon() the
 * other side sees a death. NULL is allowed. */
void ring_close(struct ring *ring);
void ring_abandon(struct ring *ring);

/* In a forked child: let go of the parent's handle, who keeps the seat. */
void ring_forget(struct ring *ring);

/* Remove the name, if nobody is in the ring: 0, -EBUSY, -ENOENT, -EBADMSG (not
 * a ring: not touched). */
int ring_remove(const char *name);

/* ---- sending ---- */

/* Room for a message of len bytes, at *message, aligned to 8. Returns 0,
 * -EMSGSIZE (longer than ring_message_max()), -ENOBUFS (RING_DROP_NEWEST, and
 * there is no room), -EPIPE or -EOWNERDEAD (no room, and no receiver any
 * more), -ETIMEDOUT, -EINTR, -EBADMSG. A second reservation replaces the
 * first. */
int ring_reserve(struct ring *ring, size_t len, void **message,
		 int64_t deadline);

/* The first len bytes of the reservation are a message. _later: it is handed
 * over together with the next ring_commit(), ring_flush(), or a reservation
 * that has to wait for room. Return 0; -EINVAL (nothing is reserved) or -EMSGSIZE
 * (more than was, rounded up to 8): there is no message then, and the reservation
 * stays. */
int ring_commit(struct ring *ring, size_t len);
int ring_commit_later(struct ring *ring, size_t len);
void ring_flush(struct ring *ring);

/* Reserve, copy, commit. */
int ring_send(struct ring *ring, const void *message, size_t len,
	      int64_t deadline);

/* Send up to n messages, handed over at once; waits only for room for the
 * first. Returns how many, or as ring_reserve(). */
int ring_send_batch(struct ring *ring, const struct iovec *messages, int n,
		    int64_t deadline);

/* Wait until the receiver has released everything. 0, -EPIPE, -EOWNERDEAD,
 * -ETIMEDOUT, -EINTR, -EBADMSG. */
int ring_drain(struct ring *ring, int64_t deadline);

/* ---- receiving ---- */

/* The next message, at *message until ring_release(). Returns its length,
 * -EPIPE or -EOWNERDEAD (no message, and no sender any more), -ETIMEDOUT,
 * -EINTR, -EBADMSG. Peeking again shows the same message. */
ssize_t ring_peek(struct ring *ring, void **message, int64_t deadline);

/* Up to n (at least 1) messages that are there; waits only for the first.
 * Returns how many, or as ring_peek(). */
int ring_peek_batch(struct ring *ring, struct iovec *messages, int n,
		    int64_t deadline);

/* Give back all that the last peek showed. */
void ring_release(struct ring *ring);

/* Peek, copy, release. -EMSGSIZE: longer than room; it stays. */
ssize_t ring_recv(struct ring *ring, void *buf, size_t room, int64_t deadline);

/* ---- looking ---- */

/* Who has the other seat now: 0 (somebody), -ENOTCONN (nobody has come yet),
 * -EIDRM (nor can), -EPIPE, -EOWNERDEAD, -EBADF, -ESTALE. Two system calls, or
 * three. */
int ring_peer(struct ring *ring);

/* Wait until the other seat is taken, by whomever: 0, -ETIMEDOUT, -EINTR,
 * -EIDRM, -EBADF, -ESTALE. */
int ring_wait_peer(struct ring *ring, int64_t deadline);

/* Whether the ring's name leads elsewhere by now, so that nobody can come, and
 * the name is not ours to remove. One system call. */
bool ring_is_lost(const struct ring *ring);

size_t ring_capacity(const struct ring *ring);
size_t ring_message_max(const struct ring *ring);
uint64_t ring_dropped(const struct ring *ring); /* by senders, so far */

/* How often this handle has slept, let the other side have the processor that
 * both run on, and woken it: system calls. */
struct ring_calls {
	uint64_t sleeps, yields, wakes;
};
struct ring_calls ring_calls(const struct ring *ring);

#ifdef __cplusplus
}
#endif

#endif
