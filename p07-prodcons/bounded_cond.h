/* bounded_cond.h - a condition variable that survives the death of waiters.
 *
 * pthread_cond_t, in the C library, is no such thing, robust mutex or not: it
 * counts who waits and who has been signalled. A process that is killed there
 * is counted for ever, and a later signal waits for it to leave, or it dies
 * with the variable's own inner lock taken; either way the rest hangs.
 *
 * So this one counts nothing. It has a number that changes with each wake-up,
 * on which the kernel lets sleepers sleep (futex(2)), and one bit: somebody
 * may be asleep. A death can leave the bit set, which costs one system call,
 * or make a wake-up vanish, which no variable can help: who shares one with
 * processes that may die sleeps for a limited time, and looks again.
 *
 * One wake-up is on its way at a time: waking clears the bit, and who wakes up
 * sets it again, as there may be others. It has to pass on what it does not
 * need: see bounded.c:leave.
 */
#ifndef UNIXIPC_P07_PRODCONS_BOUNDED_COND_H
#define UNIXIPC_P07_PRODCONS_BOUNDED_COND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bounded_cond {
	_Atomic uint32_t wakeups;
	uint32_t is_awaited; /* under the lock */
};
_Static_assert(sizeof(struct bounded_cond) == 8, "it is in shared memory");

/* Holding the lock: announce that we go to sleep. Returns what to give to
 * bounded_cond_sleep(), which is to be called without the lock. */
uint32_t bounded_cond_announce(struct bounded_cond *cond);

/* Sleep until somebody has woken this variable since the announcement. Returns
 * 0, also for no reason, -ETIMEDOUT or -EINTR. Then take the lock, and call
 * bounded_cond_awake(). */
int bounded_cond_sleep(struct bounded_cond *cond, uint32_t ticket,
		       int64_t deadline, bool is_shared);
void bounded_cond_awake(struct bounded_cond *cond);

/* Holding the lock: whether somebody is to be woken. If so, call
 * bounded_cond_wake(), best when the lock is free again. */
bool bounded_cond_claim(struct bounded_cond *cond);

/* Wake one who sleeps, or all. */
void bounded_cond_wake(struct bounded_cond *cond, bool is_shared);
void bounded_cond_wake_all(struct bounded_cond *cond, bool is_shared);

#endif
