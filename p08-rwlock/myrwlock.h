/* myrwlock.h - a reader-writer lock made of a mutex and three queues.
 *
 * Many may hold it for reading, or one for writing (POSIX pthread_rwlock_*,
 * UNP2 8). Threads of one process may use it, and with MYRWLOCK's shared
 * attribute those of all processes that map the memory it lies in, each
 * through one address.
 *
 * Who goes first is its policy:
 *
 *	MYRWLOCK_FAIR    the default. Whoever has waited for MYRWLOCK_BYPASS_LIMIT_NS
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
 *	a reader waits at most BYPASS_LIMIT + R + 2 M W
 *	a writer waits at most BYPASS_LIMIT + 2 R + 2 M W
 *
 * A thread that holds it for reading is let in again at once, under each
 * policy: it would wait for a writer who waits for it. Priorities of threads,
 * by which POSIX orders those of SCHED_FIFO and its like, are not looked at.
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
 *	EAGAIN   to read more than MYRWLOCK_HELD_MAX locks in one thread; writing
 *	         has no such limit
 *
 * Between processes
 *
 * Whoever is killed, in whatever moment, keeps nobody from going on. As long
 * as a thread that holds it lives, stopped or not, the lock is its own, as is
 * any lock. A death is noticed by the kernel's word (pid and start,
 * lib/identity.h): within 0.02 s by who comes, within 0.1 s by who waits.
 *
 *	while it waits, killed or stopped    the others go on without it, after
 *		0.4 s at the most if it was its turn; if it is continued, it
 *		waits on, behind those who wait then
 *	a reader, killed     is not counted any more
 *	a writer, killed     the next ones are told, as by a robust mutex
 *		(pthread_mutexattr_setrobust(3)): locking returns EOWNERDEAD
 *		instead of 0, and they hold it. A writer mends the data and
 *		calls myrwlock_consistent(); until then each is told. A writer
 *		that was told and unlocks without that gives the lock up: every
 *		call returns ENOTRECOVERABLE from then on, also those who wait,
 *		until it is destroyed and made anew
 *	killed inside these functions        as killed before or after them
 *	stopped inside these functions, which takes microseconds    all wait for
 *		it to be continued; the forms with a deadline return within
 *		0.1 s after it, the others do not
 *
 * More:
 *	fork     the child holds nothing of what it shares with its parent. It has
 *		to be fork(3): who calls clone(2) by himself is taken for his parent
 *	exec     what the first thread holds stays held until the process ends
 *	a thread that ends holding it    as killed; of a process's first thread
 *		that is noticed when the process ends
 *	another PID or time namespace than where it was made, or another boot
 *		EXDEV: pids tell nothing there
 *	another version of this, or a build whose mutex has another size    EINVAL
 *	/proc missing    ENOSYS, also when it is made
 *	descriptors      none are used
 *	more than MYRWLOCK_THREADS_MAX threads that hold or wait    the rest waits, until
 *		one of these has gone, in no order
 *	somebody writes over it    ENOTRECOVERABLE or EINVAL where that is noticed,
 *		and calls with a deadline return; but a process can crash by what
 *		is written into a robust mutex, as by any shared memory that
 *		somebody else may write. So only those share a lock who trust
 *		each other with their data; who cannot, opens no such memory
 */
#ifndef UNIXIPC_P08_RWLOCK_MYRWLOCK_H
#define UNIXIPC_P08_RWLOCK_MYRWLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/identity.h"
#include "lib/park.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MYRWLOCK_BYPASS_LIMIT_NS 1000000 /* 1 ms */
#define MYRWLOCK_HELD_MAX 64             /* locks that one thread reads */
#define MYRWLOCK_THREADS_MAX 64          /* threads at one shared lock */

enum myrwlock_policy {
	MYRWLOCK_FAIR,
	MYRWLOCK_READER,
	MYRWLOCK_WRITER,
};

/* All in it is the lock's own. */
struct myrwlock {
	uint32_t magic; /* and whether it is shared */
	uint32_t policy;
	uint64_t generation; /* of two locks in one place, which */
	uint64_t writer;     /* which thread writes, or 0 */
	uint32_t door;       /* the fast path, past the mutex: fastpath.h */

	uint32_t calls;        /* whom to wake when the mutex is given back */
	pthread_mutex_t mutex; /* guards what follows; held for moments */
	uint32_t readers;      /* who hold it */
	uint32_t writers;      /* who holds it: 0 or 1 */

	/* Who wait: readers in one batch, writers in two groups, of which
	 * one is served while the other gathers. */
	uint32_t served;    /* which of the two */
	uint32_t is_called; /* one of it was woken, and is on its way */
	uint32_t batch;     /* how often all waiting readers were let in */
	uint32_t torn;      /* a writer died inside */
	struct myrwlock_queue {
		uint32_t waiting;
		uint32_t is_expired; /* the first is past the limit */
		uint64_t arrived;    /* the number of the first … */
		struct park wakeup;
	} reading, writing[2];
	uint64_t arrivals; /* … counted here */

	/* Of a shared lock: where it was made, and who is there (roster.h). */
	struct identity_place place;
	uint32_t patrolled_ms;
	struct myrwlock_thread {
		uint64_t id;    /* pid and start time, or 0 */
		uint32_t state; /* what it is about */
		uint32_t looked_ms;
	} threads[MYRWLOCK_THREADS_MAX];
};

#define MYRWLOCK_MAGIC 0x6d795257 /* of one process */

/* Of several, which may be of several builds: a letter, the version of the layout,
 * and its size, by which a mutex of another size is seen, too. */
#define MYRWLOCK_VERSION 1U
#define MYRWLOCK_MAGIC_SHARED                            \
	(UINT32_C(0x53) << 24 | MYRWLOCK_VERSION << 16 | \
	 (uint32_t)sizeof(struct myrwlock))
#define MYRWLOCK_DOOR_OPEN 1
/* clang-format off: each member in its order, as C++ with -Wextra asks for. */
#define MYRWLOCK_NO_QUEUE    \
	{                    \
		0, 0, 0,     \
		{            \
			0, 0 \
		}            \
	}
#define MYRWLOCK_INITIALIZER_OF(of_policy)                                \
	{                                                                 \
		MYRWLOCK_MAGIC, (of_policy), 0, 0, MYRWLOCK_DOOR_OPEN, 0, \
			PTHREAD_MUTEX_INITIALIZER, 0, 0, 0, 0, 0, 0,      \
			MYRWLOCK_NO_QUEUE,                                \
			{MYRWLOCK_NO_QUEUE, MYRWLOCK_NO_QUEUE}, 0,        \
			{{0}, {0, 0}, {0, 0}}, 0,                         \
		{                                                         \
			{                                                 \
				0, 0, 0                                   \
			}                                                 \
		}                                                         \
	}
/* clang-format on */
#define MYRWLOCK_INITIALIZER MYRWLOCK_INITIALIZER_OF(MYRWLOCK_FAIR)

/* Which kind of lock lies here, if one does. In doubt it is a shared one, whose
 * waiters rely on nobody to give back what they have: a process that writes over
 * a shared lock makes its waiters hang only by writing the very word of the
 * other kind. */
static inline bool myrwlock_is_shared(const struct myrwlock *lock)
{
	return lock->magic != MYRWLOCK_MAGIC;
}

static inline bool myrwlock_is_lock(const struct myrwlock *lock)
{
	return lock->magic == MYRWLOCK_MAGIC ||
	       lock->magic == MYRWLOCK_MAGIC_SHARED;
}

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

/* attr may be NULL, for the defaults. Returns 0, EINVAL (attr), ENOSYS (shared,
 * and /proc does not tell where we are), ENOMEM, EAGAIN. */
int myrwlock_init(struct myrwlock *lock, const struct myrwlock_attr *attr);

/* Returns 0, EBUSY, EINVAL, of a shared one also ENOTRECOVERABLE: somebody has
 * written over it, and it can but be made anew. What only the dead hold can be
 * destroyed. */
int myrwlock_destroy(struct myrwlock *lock);

/* ---- locking ---- */

/* Wait. Return 0, EDEADLK, EAGAIN (reading), EINVAL; of a shared one also
 * EOWNERDEAD, which is a success, ENOTRECOVERABLE, EXDEV, ENOSYS, ENOMEM. */
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

/* By a writer that was told EOWNERDEAD: the data are sound again. Returns 0;
 * EINVAL when nobody died, or it is no lock; EPERM when the caller does not
 * write. */
int myrwlock_consistent(struct myrwlock *lock);

/* ---- looking ---- */

struct myrwlock_state {
	unsigned int readers, writers; /* who hold it */
	unsigned int waiting_readers, waiting_writers;
};

/* How it is at this moment. Returns 0, EINVAL, ENOTRECOVERABLE. */
int myrwlock_look(struct myrwlock *lock, struct myrwlock_state *state);

/* The bound of the fair policy, in nanoseconds, for sections of at most read_ns
 * and write_ns: see above. */
int64_t myrwlock_bound_ns(bool is_writer, unsigned int writers, int64_t read_ns,
			  int64_t write_ns);

#ifdef __cplusplus
}
#endif

#endif
