/* sysv_barrier.h - a reusable barrier made of one System V semaphore set.
 *
 * count participants meet in rounds: sysv_barrier_wait() lets nobody go before
 * all are there. Participants are processes, or threads with a handle each,
 * related or not. There is no memory to share: all state is in the set (UNP2
 * 11, TLPI 47), and so no participant can damage it, nor hold a lock when it
 * dies.
 *
 * A participant that ends without sysv_barrier_close() - killed, crashed,
 * returned from main() - breaks the barrier, wherever it was: the kernel does
 * that with the adjustments of SEM_UNDO. All others then get
 * SYSV_BARRIER_BROKEN from the round that cannot be completed, at once, and
 * from every later one. A round that was complete before the death is complete
 * for everybody. A broken barrier stays broken: destroy it and create another.
 * The kernel does not miss a process that dies before it has joined: a deadline
 * is for that.
 *
 * The kernel counts adjustments for processes, not for threads: a thread that
 * ends without closing breaks nothing.
 *
 * fork      does not hand the adjustments down, so a child is no participant:
 *           the handle that it inherits is none there, and it opens the barrier
 *           itself
 * exec      the same process still: it stays a participant until its end, and
 *           has no handle any more
 * closefrom, dup     nothing: there is no descriptor
 * another PID, time or mount namespace    nothing: the kernel counts, no pids
 *           are noted. Participants in several of them are told of each death
 * another IPC namespace    has other sets: no participant finds the barrier
 *           there, and the same key or id may be that of another set
 *
 * All functions return -errno on failure; any thread may call them, one at a
 * time for one handle.
 */
#ifndef UNIXIPC_P11_BARRIER_SYSV_BARRIER_H
#define UNIXIPC_P11_BARRIER_SYSV_BARRIER_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYSV_BARRIER_MAX 32767 /* participants: what a semaphore can count to */

/* What one takes of the system's limits: semaphores in its set (semmsl), and
 * operations in its longest call (semopm). */
#define SYSV_BARRIER_SEMAPHORES 10
#define SYSV_BARRIER_OPERATIONS 8

/* Of wait, beside 0 and errors. The first is -1 in the C library, which would
 * be -EPERM: no wait fails with that. */
#define SYSV_BARRIER_SERIAL PTHREAD_BARRIER_SERIAL_THREAD
#define SYSV_BARRIER_BROKEN (-EOWNERDEAD)

/* A participant's handle, of which there is no copy. Its owner reads id and
 * count, and writes nothing. */
struct sysv_barrier {
	int id; /* -1: closed */
	unsigned int count;
	unsigned int phase;   /* which turnstile is the next round's */
	uint32_t *has_joined; /* a page that is empty in a child */
};

/* Make a barrier for count participants. key may be IPC_PRIVATE; mode as of
 * chmod(2), 0600 for processes of one user. The caller is its creator and not a
 * participant. What stands there of a creator of this user and of participants
 * that are all dead is replaced. A set that is empty is not: its creator may
 * have died before it filled it, but it may as well be anybody's. Returns its
 * id, or -EINVAL (count, or the system's limit of semaphores in a set, semmsl,
 * is below 10), -EBUSY (a barrier in use), -EEXIST (a set of something else, or
 * of another version), -ETIMEDOUT (an empty one, for a second or more), -EACCES
 * (of another user), -ENOSPC (the system's limits of sets or semaphores, semmni
 * or semmns), -E2BIG (of operations in a call, semopm, below 8), ...
 *
 * A process that is going to remove it later notes its identity now,
 * identity_of_sysv(), and compares then: an id is given again. Its ctime does
 * not change any more. */
int sysv_barrier_create(key_t key, unsigned int count, int mode);

/* Remove what a dead creator and dead participants left at this key. Returns 0,
 * -ENOENT, or as above. */
int sysv_barrier_reap(key_t key);

/* Join the barrier of this key as a participant, waiting until the deadline for
 * its creator to finish making it. Returns 0, -ENOENT (no such barrier, yet),
 * -ETIMEDOUT (half-made), -EBADMSG (something else, or another version),
 * -EUSERS (it has all its participants), SYSV_BARRIER_BROKEN, -EACCES (its
 * creator is neither this user nor root: whoever takes a key first could keep
 * us waiting), -ENOMEM. */
int sysv_barrier_open(struct sysv_barrier *barrier, key_t key,
		      int64_t deadline);

/* The same for an id that create gave, whatever user created it: for a process
 * that has the id from one that it trusts. */
int sysv_barrier_join(struct sysv_barrier *barrier, int id);

/* Leave in order: nothing breaks, and the place is free for another
 * participant, without whom no round will be completed. Not between two
 * threads' waits on one handle. Returns 0, -EIDRM, or -EINVAL for a handle that
 * is closed, or was joined by another process: a parent's, before fork(2). That
 * is closed here alone. A handle is closed after a close and after an open or
 * join that failed; so is one of zeros. */
int sysv_barrier_close(struct sysv_barrier *barrier);

/* Wait for all others. Returns 0, or SYSV_BARRIER_SERIAL for exactly one
 * participant of each round; SYSV_BARRIER_BROKEN; -EIDRM (a process removed the
 * set); -EINVAL, as for close; -ETIMEDOUT, or -EINTR after a signal handler
 * ran: the caller is then not in the round any more, and may come again. */
int sysv_barrier_wait(struct sysv_barrier *barrier);
int sysv_barrier_wait_until(struct sysv_barrier *barrier, int64_t deadline);

/* Remove the barrier. Participants that a completed round has let go may still
 * be on their way out of wait: they are waited for, and none sees -EIDRM. Its
 * creator and its participants may do this, once. Returns 0, -EBUSY after a
 * second when participants are still inside (the round is not complete, or one
 * is stopped; nothing is removed then), -EIDRM, -EPERM, -EBADMSG (no barrier
 * has that id). */
int sysv_barrier_destroy(int id);

/* A snapshot to show to people. */
struct sysv_barrier_state {
	unsigned int count;        /* participants it is made for */
	unsigned int participants; /* have joined, and live */
	unsigned int arrived;      /* at the round that is not complete */
	unsigned int inside; /* in wait, those on their way out included */
	bool is_broken, has_creator;
};
int sysv_barrier_look(int id, struct sysv_barrier_state *state);

#ifdef __cplusplus
}
#endif

#endif
