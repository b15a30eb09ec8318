/* fixture.h - a bounded buffer in memory that forked children share. */
#ifndef UNIXIPC_TESTS_P07_FIXTURE_H
#define UNIXIPC_TESTS_P07_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p07-prodcons/bounded_layout.h"
#include "tests/support/support.h"

#define LIMIT (10 * TICK_S) /* of a wait that is to end soon */
#define PAST 0              /* a deadline that is over */

static inline void *fixture_share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	return memory;
}

static inline struct bounded fixture_make(uint32_t capacity,
					  uint32_t item_bytes, bool is_shared)
{
	struct bounded buffer;
	void *memory = fixture_share(bounded_bytes(capacity, item_bytes));

	assert_int_equal(
		bounded_init(&buffer, memory, capacity, item_bytes, is_shared),
		0);
	return buffer;
}

static inline void fixture_drop(struct bounded *buffer)
{
	size_t size = bounded_bytes(buffer->capacity, buffer->item_bytes);
	void *memory = buffer->state;

	for (int i = 0; i < 2; i++) /* twice is nothing */
		bounded_fini(buffer);
	munmap(memory, size);
}

static inline struct bounded_figures fixture_look(struct bounded *buffer)
{
	struct bounded_figures figures = {0};

	assert_int_equal(bounded_look(buffer, &figures, tick_after(LIMIT)), 0);
	return figures;
}

static inline void fixture_lock(struct bounded *buffer)
{
	const struct timespec limit = tick_to_realtime(tick_after(LIMIT));

	assert_int_equal(pthread_mutex_timedlock(&buffer->state->lock, &limit),
			 0);
}

/* Whether the kernel has this thread or process waiting. */
static inline bool fixture_is_asleep(pid_t pid)
{
	char path[64], line[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	state = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return state && state[2] == 'S';
}

static inline pid_t fixture_start(int (*body)(void *), void *arg)
{
	pid_t pid;

	assert_int_equal(child_fork(body, arg, &pid), 0);
	return pid;
}

/* Its exit status, or 128+N; -ETIMEDOUT when it does not end. */
static inline int fixture_end(pid_t pid)
{
	int status;

	if (child_wait(pid, tick_after(LIMIT), &status)) {
		child_end(pid, 0, &status);
		return -ETIMEDOUT;
	}
	return child_exit_code(status);
}

#endif
