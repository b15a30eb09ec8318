/* lock_test.c - the order of the lines is made by two pipes, and not by luck:
 * process 2 starts when process 1 has the lock, process 1 holds it on when
 * process 2 waits, and process 2 tells that it has it after process 1 has told
 * that it gave it back. */
#include "p09-reclock/cmd/lock_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/tick.h"

struct pair {
	const struct arguments *a;
	const char *key;
	int to_2[2], to_1[2];
};

static void say(const char *line, const char *key)
{
	printf("%s%s\n", line, key);
	fflush(stdout);
}

static int tell(int fd)
{
	return fdio_write_full(fd, "", 1);
}

/* -EPIPE: it does not come, and the other one says why. */
static int await(int fd, int64_t deadline)
{
	char byte;

	return fdio_read_until(fd, &byte, 1, deadline) == 1 ? 0 : -EPIPE;
}

static int fail(const struct pair *pair, const struct reclock *store, int error)
{
	if (error != -EPIPE)
		arguments_warn(pair->a, store, pair->key, error);
	return arguments_status(error);
}

static int lock_key(const struct pair *pair, struct reclock *store,
		    int64_t deadline)
{
	return reclock_lock_until(store, pair->key, strlen(pair->key),
				  deadline);
}

static int run_1(void *arg)
{
	struct pair *pair = arg;
	const int64_t deadline = tick_after(pair->a->timeout_ns);
	const double seconds = (double)pair->a->hold_ns / TICK_S;
	struct reclock *store;
	int error;

	close(pair->to_2[0]);
	close(pair->to_1[1]);
	store = arguments_try_open(pair->a, 0);
	if (!store)
		return DIE_FAILURE;
	error = lock_key(pair, store, deadline);
	if (error)
		return fail(pair, store, error);
	say("Process 1: Acquired write lock on ", pair->key);
	error = tell(pair->to_2[1]);
	if (!error)
		error = await(pair->to_1[0], deadline);
	if (error)
		return fail(pair, store, error);
	printf("(Process 1 holds lock for %g second%s)\n", seconds,
	       seconds == 1 ? "" : "s");
	fflush(stdout);
	tick_sleep_until(tick_after(pair->a->hold_ns));
	reclock_unlock(store, pair->key, strlen(pair->key));
	say("Process 1: Released lock", "");
	tell(pair->to_2[1]);
	reclock_close(store);
	return 0;
}

static int run_2(void *arg)
{
	struct pair *pair = arg;
	int64_t deadline = tick_after(pair->a->timeout_ns);
	struct reclock *store;
	int error;

	close(pair->to_2[1]);
	close(pair->to_1[0]);
	store = arguments_try_open(pair->a, 0);
	if (!store)
		return DIE_FAILURE;
	error = await(pair->to_2[0], deadline);
	if (!error && lock_key(pair, store, tick_now()) != -ETIMEDOUT)
		error = -EPROTO; /* it is locked */
	if (error)
		return fail(pair, store, error);
	say("Process 2: Waiting for lock...", "");
	/* Whoever holds it by command is waited for. */
	deadline = tick_after(pair->a->timeout_ns + pair->a->hold_ns);
	error = tell(pair->to_1[1]);
	if (!error)
		error = lock_key(pair, store, deadline);
	if (!error)
		error = await(pair->to_2[0], deadline);
	if (error)
		return fail(pair, store, error);
	say("Process 2: Acquired write lock on ", pair->key);
	reclock_close(store);
	return 0;
}

int lock_test_run(const struct arguments *a)
{
	struct pair pair = {.a = a, .key = a->operands[0]};
	int (*const run[2])(void *) = {run_1, run_2};
	pid_t pid[2];
	int status, worst = 0, error;

	/* Say now, and once, that there is none. */
	reclock_close(arguments_open(a, 0));
	error = fdio_pipe(pair.to_2);
	if (!error)
		error = fdio_pipe(pair.to_1);
	for (int i = 0; i < 2 && !error; i++)
		error = child_fork(run[i], &pair, &pid[i]);
	if (error)
		die_errno(error, "cannot start two processes");
	for (int i = 0; i < 2; i++) {
		close(pair.to_1[i]);
		close(pair.to_2[i]);
	}
	for (int i = 0; i < 2; i++) {
		error = child_wait(pid[i], TICK_NEVER, &status);
		if (error)
			die_errno(error, "cannot wait for process %d", i + 1);
		if (child_exit_code(status) > worst)
			worst = child_exit_code(status);
	}
	return worst;
}
