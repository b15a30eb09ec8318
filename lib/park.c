/* park.c - see the header. What is plain here is guarded by the caller's lock;
 * the kernel compares the word under a lock of its own, so nothing needs more
 * than relaxed order. */
#include "lib/park.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tick.h"

/* ---- a word ---- */

/* Private: the kernel need not ask which file is mapped here. */
static int operation(int which, bool is_shared)
{
	return is_shared ? which : which | FUTEX_PRIVATE_FLAG;
}

int park_word_sleep_as(const uint32_t *word, uint32_t value, uint32_t bits,
		       int64_t deadline, bool is_shared)
{
	const struct timespec until =
		tick_to_timespec(deadline == TICK_NEVER ? 0 : deadline);

	/* BITSET: also the one whose time is a moment, of the monotonic clock. */
	if (syscall(SYS_futex, word, operation(FUTEX_WAIT_BITSET, is_shared),
		    value, deadline == TICK_NEVER ? NULL : &until, NULL,
		    bits) == 0)
		return 0;
	/* EAGAIN: it was changed before we slept. */
	return errno == EAGAIN ? 0 : -errno;
}

int park_word_sleep(const uint32_t *word, uint32_t value, int64_t deadline,
		    bool is_shared)
{
	return park_word_sleep_as(word, value, FUTEX_BITSET_MATCH_ANY, deadline,
				  is_shared);
}

void park_word_wake(const uint32_t *word, int32_t sleepers, bool is_shared)
{
	syscall(SYS_futex, word, operation(FUTEX_WAKE, is_shared), sleepers,
		NULL, NULL, 0);
}

void park_word_wake_those(const uint32_t *word, uint32_t bits, bool is_shared)
{
	syscall(SYS_futex, word, operation(FUTEX_WAKE_BITSET, is_shared),
		INT_MAX, NULL, NULL, bits);
}

/* ---- fences ---- */

static int membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) < 0 ? -errno : 0;
}

int park_fence_accept(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
}

int park_fence_others(void)
{
	return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

/* ---- a condition variable ---- */

uint32_t park_announce(struct park *park)
{
	park->is_awaited = true;
	return __atomic_load_n(&park->wakeups, __ATOMIC_RELAXED);
}

int park_sleep(const struct park *park, uint32_t ticket, int64_t deadline,
	       bool is_shared)
{
	return park_word_sleep(&park->wakeups, ticket, deadline, is_shared);
}

void park_awake(struct park *park)
{
	park->is_awaited = true;
}

bool park_claim(struct park *park)
{
	if (!park->is_awaited)
		return false;
	park->is_awaited = false;
	__atomic_fetch_add(&park->wakeups, 1, __ATOMIC_RELAXED);
	return true;
}

void park_wake(const struct park *park, bool is_shared)
{
	park_word_wake(&park->wakeups, 1, is_shared);
}

void park_wake_all(const struct park *park, bool is_shared)
{
	park_word_wake(&park->wakeups, INT_MAX, is_shared);
}

void park_alarm(struct park *park, bool is_shared)
{
	__atomic_fetch_add(&park->wakeups, 1, __ATOMIC_RELAXED);
	park_wake_all(park, is_shared);
}
