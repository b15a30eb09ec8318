#include "p07-prodcons/bounded_cond.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tick.h"

/* The C library has no function for it. Private: the kernel need not ask which
 * file is mapped here. */
static long futex(_Atomic uint32_t *word, int operation, bool is_shared,
		  uint32_t value, const struct timespec *until)
{
	if (!is_shared)
		operation |= FUTEX_PRIVATE_FLAG;
	return syscall(SYS_futex, word, operation, value, until, NULL,
		       FUTEX_BITSET_MATCH_ANY);
}

uint32_t bounded_cond_announce(struct bounded_cond *cond)
{
	cond->is_awaited = true;
	/* Relaxed, here and below: it is the lock that orders things, and the
	 * kernel compares under a lock of its own. */
	return atomic_load_explicit(&cond->wakeups, memory_order_relaxed);
}

int bounded_cond_sleep(struct bounded_cond *cond, uint32_t ticket,
		       int64_t deadline, bool is_shared)
{
	struct timespec until;

	if (deadline != TICK_NEVER)
		until = tick_to_timespec(deadline);
	/* WAIT_BITSET: the one whose time is a moment, of the monotonic
	 * clock. */
	if (futex(&cond->wakeups, FUTEX_WAIT_BITSET, is_shared, ticket,
		  deadline == TICK_NEVER ? NULL : &until) == 0)
		return 0;
	/* EAGAIN: woken before we slept. */
	return errno == EAGAIN ? 0 : -errno;
}

void bounded_cond_awake(struct bounded_cond *cond)
{
	cond->is_awaited = true;
}

bool bounded_cond_claim(struct bounded_cond *cond)
{
	if (!cond->is_awaited)
		return false;
	cond->is_awaited = false;
	return true;
}

static void wake(struct bounded_cond *cond, bool is_shared, uint32_t sleepers)
{
	/* First, so that who is on its way to sleep does not. */
	atomic_fetch_add_explicit(&cond->wakeups, 1, memory_order_relaxed);
	futex(&cond->wakeups, FUTEX_WAKE, is_shared, sleepers, NULL);
}

void bounded_cond_wake(struct bounded_cond *cond, bool is_shared)
{
	wake(cond, is_shared, 1);
}

void bounded_cond_wake_all(struct bounded_cond *cond, bool is_shared)
{
	wake(cond, is_shared, INT_MAX);
}
