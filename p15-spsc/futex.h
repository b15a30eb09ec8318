/* futex.h - the system calls by which one side of the queue sleeps and is
 * woken, across processes. For spsc_wait.c. */
#ifndef UNIXIPC_P15_SPSC_FUTEX_H
#define UNIXIPC_P15_SPSC_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tick.h"

/* The processor that we run on, plus 1: 0 is nobody's. */
static inline uint32_t futex_cpu(void)
{
	return (uint32_t)sched_getcpu() + 1;
}

/* Sleep while *word is value. Returns 0 (woken, or it was not), -EINTR or
 * -ETIMEDOUT. */
static inline int futex_wait(uint32_t *word, uint32_t value, int64_t deadline)
{
	struct timespec until = tick_to_timespec(deadline);

	/* Absolute, and on the monotonic clock: so says _BITSET. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value,
		    deadline == TICK_NEVER ? NULL : &until, NULL,
		    FUTEX_BITSET_MATCH_ANY) == 0 ||
	    errno == EAGAIN)
		return 0;
	return -errno;
}

static inline void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Have futex_fence_others(), called anywhere, reach this process. Returns 0 or
 * -errno where the kernel cannot. */
static inline int futex_accept_fences(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
		       0, 0)
		       ? -errno
		       : 0;
}

/* A full fence here, and on every processor that runs a process which accepts
 * them. */
static inline int futex_fence_others(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0)
		       ? -errno
		       : 0;
}

#endif
