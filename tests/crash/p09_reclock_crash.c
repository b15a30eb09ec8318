/* p09_reclock_crash.c - P09's store, as several processes use it with
 * RECLOCK_SYNC: what a call has returned 0 for survives, and no read fails.
 *
 * drive DIR [WRITERS [CHANGES [MODES]]]. Each writer has keys of its own, and
 * numbers its changes of a key: every fourth deletes it. One that is killed
 * is started again. MODES are letters:
 *
 *	g	it is small, and grows
 *	c	writers compact it now and then
 */
#include "tests/crash/crash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "p09-reclock/reclock.h"

enum { WRITERS_MAX = 6, KEYS = 10, GROWING_KEYS = 100, RECORD = 600 };

static int writers = 3, changes = 30;
static const char *modes = "";

static void read_arguments(int argc, char **argv)
{
	if (argc > 0)
		writers = (int)strtol(argv[0], NULL, 10);
	if (argc > 1)
		changes = (int)strtol(argv[1], NULL, 10);
	if (argc > 2)
		modes = argv[2];
	if (writers < 1 || writers > WRITERS_MAX)
		exit(3);
}

static unsigned int keys(void)
{
	return strchr(modes, 'g') ? GROWING_KEYS : KEYS;
}

static size_t make_key(char key[32], int writer, unsigned int i)
{
	return (size_t)snprintf(key, 32, "writer %d key %u", writer, i);
}

/* Of more than one sector, most of them. */
static size_t make_value(char value[RECORD], int writer, unsigned int i,
			 unsigned int number)
{
	size_t len =
		(size_t)snprintf(value, RECORD, "%d %u %u ", writer, i, number);
	struct rng rng;

	rng_seed(&rng, (unsigned int)writer * 1000003 + i * 1009 + number);
	rng_fill(&rng, value + len, 500 - len);
	return len + rng_below(&rng, 500 - len);
}

/* ---- the work ---------------------------------------------------------------- */

static struct reclock *open_store(const char *dir, unsigned int flags)
{
	const struct reclock_options options = {
		.flags = flags,
		.record_bytes = RECORD,
		.records = strchr(modes, 'g') ? 0 : 60,
	};
	struct reclock *store;
	char path[512];

	snprintf(path, sizeof(path), "%s/store", dir);
	return reclock_open(&store, path, &options, NULL) ? NULL : store;
}

static int change(struct reclock *store, int me, unsigned int i,
		  unsigned int number)
{
	char key[32], value[RECORD];
	const size_t len = make_key(key, me, i);
	int error;

	crash_say("try %d %u %u", me, i, number);
	error = number % 4 ? reclock_set_until(store, key, len, value,
					       make_value(value, me, i, number),
					       tick_after(60 * TICK_S))
			   : reclock_del_until(store, key, len,
					       tick_after(60 * TICK_S));
	/* The one before may have been killed before it had set anything. */
	if (error == -ENOENT)
		error = 0;
	if (!error)
		crash_say("done %d %u %u", me, i, number);
	return error;
}

/* Where each writer stands, for one that comes in the place of one that was
 * killed; shared. */
static struct progress {
	int changes;
	unsigned int number[GROWING_KEYS];
} * progress;

static int work(const char *dir, int me)
{
	struct reclock *store = open_store(dir, RECLOCK_CREATE | RECLOCK_SYNC);
	struct progress *mine = &progress[me];
	int error = store ? 0 : -EIO;
	struct rng rng;

	rng_seed(&rng, (uint64_t)(me * 1000 + mine->changes) + 1);
	while (mine->changes < changes && !error) {
		/* A few of them often, so that slots are used again. */
		const unsigned int key = (unsigned int)rng_below(
			&rng, rng_below(&rng, 4) ? 2 : keys());

		mine->changes++;
		error = change(store, me, key, ++mine->number[key]);
		if (!error && strchr(modes, 'c') && mine->changes % 10 == 9)
			error = reclock_compact_until(store,
						      tick_after(60 * TICK_S));
	}
	reclock_close(store);
	return error ? 4 : 0;
}

static pid_t start(const char *dir, int me)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(work(dir, me));
	return pid;
}

static int drive(const char *dir, int argc, char **argv)
{
	pid_t pid[WRITERS_MAX], ended;
	int status, failed = 0;

	read_arguments(argc, argv);
	progress =
		mmap(NULL, sizeof(*progress) * WRITERS_MAX,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 3;
	for (int i = 0; i < writers; i++)
		pid[i] = start(dir, i);
	while ((ended = wait(&status)) > 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status))
			failed = WEXITSTATUS(status);
		for (int i = 0; i < writers && WIFSIGNALED(status); i++)
			if (pid[i] == ended)
				pid[i] = start(dir, i);
	}
	return failed;
}

/* ---- what must be left ------------------------------------------------------- */

static unsigned int tried[WRITERS_MAX][GROWING_KEYS],
	done[WRITERS_MAX][GROWING_KEYS];

static void hear(const char *line)
{
	char *at = strchr(line, ' ');
	unsigned long writer = at ? strtoul(at, &at, 10) : WRITERS_MAX;
	unsigned long i = at ? strtoul(at, &at, 10) : GROWING_KEYS;

	if (writer >= WRITERS_MAX || i >= GROWING_KEYS)
		abort();
	(strncmp(line, "try ", 4) == 0 ? tried : done)[writer][i] =
		(unsigned int)strtoul(at, NULL, 10);
}

/* Whether it is what change number has left. */
static bool is_left_by(int writer, unsigned int i, unsigned int number,
		       const char *value, ssize_t len)
{
	char wanted[RECORD];

	if (number % 4 == 0)
		return len == -ENOENT;
	return len == (ssize_t)make_value(wanted, writer, i, number) &&
	       memcmp(value, wanted, (size_t)len) == 0;
}

static const char *check_key(struct reclock *store, int writer, unsigned int i)
{
	char key[32], value[RECORD];
	ssize_t len = reclock_get_until(store, key, make_key(key, writer, i),
					value, sizeof(value), TICK_NEVER);

	for (unsigned int n = done[writer][i]; n <= tried[writer][i]; n++)
		if (is_left_by(writer, i, n, value, len))
			return NULL;
	if (len < 0 && len != -ENOENT)
		return crash_why("%s cannot be read: %s", key,
				 strerror((int)-len));
	return crash_why("%s is not what change %u left", key, done[writer][i]);
}

static const char *check_store(struct reclock *store)
{
	const char *why = NULL;
	int found;

	for (int writer = 0; writer < writers; writer++)
		for (unsigned int i = 0; i < keys() && !why; i++)
			why = check_key(store, writer, i);
	if (why)
		return why;
	found = reclock_check_until(store, false, NULL, NULL, TICK_NEVER);
	if (found)
		return crash_why("check finds %d things", found);
	if (reclock_set_until(store, "new", 3, "value", 5, TICK_NEVER) ||
	    reclock_compact_until(store, TICK_NEVER))
		return "it cannot go on";
	return NULL;
}

static const char *check(const char *dir)
{
	struct reclock *store = open_store(dir, RECLOCK_CREATE);
	const char *why;

	if (!store)
		return "it cannot be opened";
	why = check_store(store);
	reclock_close(store);
	return why;
}

int main(int argc, char **argv)
{
	const struct crash_program program = {
		.drive = drive,
		.begin = read_arguments,
		.hear = hear,
		.check = check,
	};

	return crash_main(&program, argc, argv);
}
