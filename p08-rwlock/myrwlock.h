/* myrwlock.h - a reader-writer lock made of a mutex and condition variables.
 *
 * Many may hold it for reading, or one for writing (POSIX pthread_rwlock_*,
 * UNP2 8). Threads of one process may use it, and with MYRWLOCK's shared
 * attribute those of all processes that map the memory it lies in, each
 * through one address.
 *
 * Who goes first is its policy:
 *
 *	MYRWLOCK_FAIR    the default. Whoever has waited for MYRWLOCK_PATIENCE_NS
 *	                 is not overtaken any more: from then on the order of
 *	                 coming counts, in groups. See "The bound" below.
 *	MYRWLOCK_READER  readers enter whenever no writer holds it. Writers starve
 *	                 while readers overlap.
 *	MYRWLOCK_WRITER  no reader enters while a writer waits. Readers starve
 *	                 while writers queue up.
 *
 * The bound, for MYRWLOCK_FAIR, with M threads that write, read sections of
 * at most R and write sections of at most W, and what the scheduler takes:
 *
 *	a reader waits at most PATIENCE + (1 + PASSES) R + 2 M W
 *	a writer waits at most PATIENCE + (2 + PASSES) R + 2 M W
 *
 * PASSES is for lone readers, who are not asked each time whether somebody
 * waits; where readers overlap it is 0.
 *
 * A thread that holds it for reading is let in again at once, under each
 * policy: it would wait for a writer who waits for it.
 *
 * As of pthread functions, a result is 0 or an error number, not negative.
 * No wait is a cancellation point, and signal handlers do not end one. Misuse
 * is noticed and changes nothing:
 *
 *	EPERM    to unlock or downgrade what the calling thread does not hold
 *	EDEADLK  to wait for what it holds itself: writing twice, writing while
 *	         reading, reading while writing
 *	EBUSY    to destroy what is held or waited for
 *	EINVAL   a lock that was not made, or was destroyed
 *	EAGAIN   to hold more than MYRWLOCK_HELD_MAX locks in one thread
 *
 * A process that is killed while it holds or waits for a shared lock leaves it
 * so: only the forms with a deadline return then. If it is killed in one of
 * the moments in which it holds the lock's own mutex, they do too for who comes
 * later. But who is asleep in line already can hang past its deadline, as
 * waking up takes that mutex and has no deadline for it; and so can unlock and
 * the try forms.
 */
#ifndef UNIXIPC_P08_RWLOCK_MYRWLOCK_H
#define UNIXIPC_P08_RWLOCK_MYRWLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define MYRWLOCK_PATIENCE_NS 1000000 /* 1 ms */
#define MYRWLOCK_PASSES 8
#define MYRWLOCK_HELD_MAX 64

enum myrwlock_policy {
	MYRWLOCK_FAIR,
	MYRWLOCK_READER,
	MYRWLOCK_WRITER,
};

/* All in it is the lock's own. */
struct myrwlock {
	uint32_t magic;
	uint16_t policy;
	uint16_t is_shared;
	uint64_t born; /* of two locks in one place, which */

	/* Held by the writer, or by the one reader who is not counted. */
	pthread_mutex_t alone;
	uint32_t passes; /* of such readers to come; guarded by alone */

	pthread_mutex_t mutex; /* guards what follows; held for moments */
	uint32_t readers;      /* who hold it, and are counted */
	uint32_t writers;      /* who holds it, or is about to: 0 or 1 */
	uint32_t is_entering;  /* that one waits for alone */
	uint32_t is_crowded;   /* readers met */

	/* Who wait: readers in one batch, writers in two groups, of which
	 * one is served while the other gathers. */
	uint32_t served;    /* which of the two */
	uint32_t is_called; /* one of it was woken, and is on its way */
	uint32_t batch;     /* how often all waiting readers were let in */
	struct myrwlock_line {
		uint32_t waiting;
		uint32_t is_due;  /* the first ran out of patience */
		uint64_t arrived; /* the number of the first … */
		pthread_cond_t turn;
	} reading, writing[2];
	uint64_t arrivals; /* … counted here */
};

#define MYRWLOCK_MAGIC 0x6d795257
#define MYRWLOCK_INITIALIZER_OF(of_policy)                       \
	{                                                        \
		.magic = MYRWLOCK_MAGIC, .policy = (of_policy),  \
		.alone = PTHREAD_MUTEX_INITIALIZER,              \
		.mutex = PTHREAD_MUTEX_INITIALIZER,              \
		.reading = {.turn = PTHREAD_COND_INITIALIZER},   \
		.writing = {{.turn = PTHREAD_COND_INITIALIZER},  \
			    {.turn = PTHREAD_COND_INITIALIZER}}, \
	}
#define MYRWLOCK_INITIALIZER MYRWLOCK_INITIALIZER_OF(MYRWLOCK_FAIR)

/* ---- making ---- */

struct myrwlock_attr {
	uint32_t magic;
	int policy;
	int pshared;
};

/* Fair, and for one process: PTHREAD_PROCESS_PRIVATE. Setters return EINVAL
 * for a value that is none, all but init for an attr that is none. */
int myrwlock_attr_init(struct myrwlock_attr *attr);
int myrwlock_attr_destroy(struct myrwlock_attr *attr);
int myrwlock_attr_getpshared(const struct myrwlock_attr *attr, int *pshared);
int myrwlock_attr_setpshared(struct myrwlock_attr *attr, int pshared);
int myrwlock_attr_getpolicy(const struct myrwlock_attr *attr, int *policy);
int myrwlock_attr_setpolicy(struct myrwlock_attr *attr, int policy);

/* attr may be NULL, for the defaults. Returns 0, EINVAL (attr), ENOMEM,
 * EAGAIN. */
int myrwlock_init(struct myrwlock *lock, const struct myrwlock_attr *attr);

/* Returns 0, EBUSY, EINVAL. */
int myrwlock_destroy(struct myrwlock *lock);

/* ---- locking ---- */

/* Wait. Return 0, EDEADLK, EAGAIN, EINVAL. */
int myrwlock_rdlock(struct myrwlock *lock);
int myrwlock_wrlock(struct myrwlock *lock);

/* Do not wait. Return EBUSY instead, also for EDEADLK. */
int myrwlock_tryrdlock(struct myrwlock *lock);
int myrwlock_trywrlock(struct myrwlock *lock);

/* Wait until a moment, of CLOCK_REALTIME or of that clock. Return ETIMEDOUT,
 * or EINVAL for a time that is none and a clock other than CLOCK_REALTIME and
 * CLOCK_MONOTONIC; a lock that is free is taken however late it is. */
int myrwlock_timedrdlock(struct myrwlock *lock, const struct timespec *until);
int myrwlock_timedwrlock(struct myrwlock *lock, const struct timespec *until);
int myrwlock_clockrdlock(struct myrwlock *lock, clockid_t clock,
			 const struct timespec *until);
int myrwlock_clockwrlock(struct myrwlock *lock, clockid_t clock,
			 const struct timespec *until);

/* Give back one lock of the calling thread. Returns 0, EPERM, EINVAL. The
 * lock is not touched any more once another can take it: who takes it
 * may destroy it. */
int myrwlock_unlock(struct myrwlock *lock);

/* From writing to reading; no writer comes between. Returns as unlock. */
int myrwlock_downgrade(struct myrwlock *lock);

/* ---- looking ---- */

struct myrwlock_state {
	unsigned int readers, writers; /* who hold it */
	unsigned int waiting_readers, waiting_writers;
};

/* How it is at this moment. Returns 0 or EINVAL. */
int myrwlock_look(struct myrwlock *lock, struct myrwlock_state *state);

/* The bound of the fair policy, in nanoseconds, for sections of at most read_ns
 * and write_ns: see above. */
int64_t myrwlock_bound_ns(bool is_writer, unsigned int writers, int64_t read_ns,
			  int64_t write_ns);

#endif
