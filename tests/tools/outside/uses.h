/* What the programs use_….c have in common; each is C and C++. Processes that
 * belong together share memory from mmap(2). */
#ifndef UNIXIPC_TESTS_TOOLS_OUTSIDE_USES_H
#define UNIXIPC_TESTS_TOOLS_OUTSIDE_USES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tick.h"

enum { ITEMS = 1000, SUM = 499500 };

/* Aligned to a page, zeros; ends the program when there is none. */
static inline void *uses_memory(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(1);
	return at;
}

/* Ten seconds from now. */
static inline int64_t uses_deadline(void)
{
	return tick_after(10 * TICK_S);
}

/* 0 when the child did. */
static inline int uses_wait(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

#endif
