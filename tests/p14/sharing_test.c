/* Many processes and handles on one file: growth below the mappings of others,
 * readers that stop or die, more of them than slots, writers that queue. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/rng.h"
#include "p14-mmapdb/layout.h"
#include "tests/support/interrupt.h"

static int begin(struct mmapdb *db)
{
	return mmapdb_begin_write(db, tick_after(PATIENCE));
}

static off_t size_of(const struct base *base)
{
	struct stat st;

	assert_int_equal(stat(base->path, &st), 0);
	return st.st_size;
}

/* So many puts on a thousand keys, ten in a transaction. */
static void churn(struct mmapdb *db, int puts)
{
	static const char value[100];
	struct rng rng;
	char key[16];

	rng_seed(&rng, 20);
	for (int i = 0; i < puts; i++) {
		if (i % 10 == 0)
			must(db, begin(db));
		snprintf(key, sizeof(key), "%d", (int)rng_below(&rng, 1000));
		must(db, mmapdb_put(db, text(key),
				    (struct mmapdb_bytes){value, sizeof(value)},
				    NULL));
		if (i % 10 == 9)
			must(db, mmapdb_commit(db));
	}
}

/* A child in a read transaction, until it is killed. */
struct reading {
	const struct base *base;
	int ready; /* to write to; -1: none */
};

static int read_for_ever(void *arg)
{
	const struct reading *reading = arg;
	struct mmapdb *db;

	if (mmapdb_open(reading->base->path, MMAPDB_RDONLY, &db) ||
	    mmapdb_begin_read(db) || write(reading->ready, "r", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static pid_t start_reader(const struct base *base)
{
	struct reading reading = {base, -1};
	int fds[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(fds), 0);
	reading.ready = fds[1];
	assert_int_equal(child_fork(read_for_ever, &reading, &pid), 0);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	return pid;
}

static int find_pid(const struct mmapdb_reader *reader, void *arg)
{
	assert_true(reader->age_ns >= 0 && reader->txnid > 0);
	return reader->pid == *(const pid_t *)arg;
}

static void a_killed_reader_costs_nothing(void **state)
{
	struct base base;
	off_t before;
	pid_t pid;

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	churn(base.db, 20000);
	before = size_of(&base);
	for (int i = 0; i < 5; i++) {
		pid = start_reader(&base);
		assert_int_equal(mmapdb_readers(base.db, find_pid, &pid), 1);
		support_kill(&pid);
		pid = 0;
		assert_int_equal(mmapdb_readers(base.db, find_pid, &pid), 0);
	}
	churn(base.db, 20000);
	assert_true(size_of(&base) < before + (1 << 17));
	base_remove(&base);
}

static void a_stopped_reader_is_named_and_keeps_what_it_reads(void **state)
{
	struct base base;
	struct mmapdb *reader;
	off_t before, during;
	pid_t pid;

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	churn(base.db, 20000);
	put(base.db, "old", "value");
	before = size_of(&base);
	reader = base_open(&base, MMAPDB_RDONLY);
	must(reader, mmapdb_begin_read(reader));
	pid = start_reader(&base);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	put(base.db, "old", "new");
	churn(base.db, 20000);
	assert_int_equal(mmapdb_readers(base.db, find_pid, &pid), 1);
	during = size_of(&base);
	/* Its version and the newest: not all that was written. */
	assert_true(during < 3 * before);
	assert_in_transaction(reader, "old", "value");
	mmapdb_abort(reader);
	support_kill(&pid);
	churn(base.db, 20000);
	assert_true(size_of(&base) <= during);
	mmapdb_close(reader);
	base_remove(&base);
}

static void there_may_be_more_readers_than_slots(void **state)
{
	enum { READERS = 300 };
	static struct mmapdb *readers[READERS];
	struct mmapdb_stat stat;
	struct base base;

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	put(base.db, "a", "first");
	for (int i = 0; i < READERS; i++) {
		readers[i] = base_open(&base, MMAPDB_RDONLY);
		must(readers[i], mmapdb_begin_read(readers[i]));
	}
	put(base.db, "a", "second");
	churn(base.db, 5000);
	for (int i = 0; i < READERS; i++) {
		assert_in_transaction(readers[i], "a", "first");
		mmapdb_abort(readers[i]);
		assert_value(readers[i], "a", "second");
	}
	must(readers[0], mmapdb_begin_read(readers[0]));
	must(readers[0], mmapdb_stat(readers[0], &stat));
	assert_int_equal(stat.readers, 1);
	assert_false(stat.is_pinned);
	for (int i = 0; i < READERS; i++)
		mmapdb_close(readers[i]);
	base_remove(&base);
}

static void a_reader_without_a_slot_keeps_its_snapshot(void **state)
{
	enum { SLOTS = 256 };
	static struct mmapdb *readers[SLOTS];
	struct mmapdb *pinned;
	struct mmapdb_stat stat;
	struct base base;

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	for (int i = 0; i < SLOTS; i++) {
		readers[i] = base_open(&base, 0);
		must(readers[i], mmapdb_begin_read(readers[i]));
		mmapdb_abort(readers[i]);
	}
	churn(base.db, 2000);
	put(base.db, "a", "first");
	pinned = base_open(&base, 0);
	must(pinned, mmapdb_begin_read(pinned));
	must(pinned, mmapdb_stat(pinned, &stat));
	assert_true(stat.is_pinned);
	put(base.db, "a", "second");
	churn(base.db, 20000);
	assert_in_transaction(pinned, "a", "first");
	must(pinned, mmapdb_check(pinned, &(struct mmapdb_fault){0}));
	mmapdb_close(pinned);
	for (int i = 0; i < SLOTS; i++)
		mmapdb_close(readers[i]);
	base_remove(&base);
}

/* ---- growth ------------------------------------------------------------------------ */

static void others_map_what_has_grown(void **state)
{
	static char value[100000];
	struct base base;
	struct mmapdb *other;
	char key[16];

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	other = base_open(&base, MMAPDB_RDONLY);
	for (int i = 0; i < 200; i++) {
		struct mmapdb_bytes found;

		snprintf(key, sizeof(key), "%d", i);
		memset(value, i, sizeof(value));
		must(base.db, begin(base.db));
		must(base.db,
		     mmapdb_put(base.db, text(key),
				(struct mmapdb_bytes){value, sizeof(value)},
				NULL));
		must(base.db, mmapdb_commit(base.db));
		must(other, mmapdb_begin_read(other));
		must(other, mmapdb_get(other, text(key), &found));
		assert_int_equal(found.len, sizeof(value));
		assert_memory_equal(found.data, value, sizeof(value));
		mmapdb_abort(other);
	}
	assert_true(size_of(&base) > 20000000);
	mmapdb_close(other);
	base_remove(&base);
}

/* ---- writers ----------------------------------------------------------------------- */

static int count_up(void *arg)
{
	const struct base *base = arg;
	struct mmapdb *db;
	int n, error = mmapdb_open(base->path, 0, &db);

	for (int i = 0; !error && i < 100; i++) {
		struct mmapdb_bytes value;

		error = begin(db);
		if (error)
			break;
		if (mmapdb_get(db, text("n"), &value) || value.len != sizeof(n))
			return 1;
		memcpy(&n, value.data, sizeof(n));
		n++;
		error = mmapdb_put(db, text("n"),
				   (struct mmapdb_bytes){&n, sizeof(n)}, NULL);
		if (!error)
			error = mmapdb_commit(db);
	}
	return error != 0;
}

static void writers_take_turns_and_none_is_lost(void **state)
{
	enum { WRITERS = 6 };
	pid_t pids[WRITERS];
	struct base base;
	struct mmapdb_bytes value;
	int n = 0;

	(void)state;
	base_make(&base, 0);
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("n"),
				 (struct mmapdb_bytes){&n, sizeof(n)}, NULL));
	must(base.db, mmapdb_commit(base.db));
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(child_fork(count_up, &base, &pids[i]), 0);
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(
			child_wait(pids[i], tick_after(PATIENCE), &status), 0);
		assert_int_equal(status, 0);
	}
	must(base.db, mmapdb_begin_read(base.db));
	must(base.db, mmapdb_get(base.db, text("n"), &value));
	memcpy(&n, value.data, sizeof(n));
	assert_int_equal(n, WRITERS * 100);
	base_remove(&base);
}

static void a_writer_that_does_not_end_is_named(void **state)
{
	struct base base;
	struct mmapdb *other;
	char pid[32];

	(void)state;
	base_make(&base, 0);
	other = base_open(&base, 0);
	must(base.db, begin(base.db));
	snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
	assert_int_equal(mmapdb_begin_write(other, tick_after(50 * TICK_MS)),
			 -ETIMEDOUT);
	assert_non_null(strstr(mmapdb_error(other), pid));
	mmapdb_abort(base.db);
	put(other, "a", "1");
	mmapdb_close(other);
	base_remove(&base);
}

static void handler_ends_the_wait_for_the_writer(void **state)
{
	struct base base;
	struct mmapdb *other;

	(void)state;
	base_make(&base, 0);
	other = base_open(&base, 0);
	must(base.db, begin(base.db));
	interrupt_start();
	assert_int_equal(begin(other), -EINTR);
	interrupt_stop();
	mmapdb_abort(base.db);
	put(other, "a", "1");
	mmapdb_close(other);
	base_remove(&base);
}

/* So many have a ticket that is not served yet. */
static uint32_t count_queue(struct base *base)
{
	struct layout_state state;
	int fd = open(scratch_path(&base->scratch, "test.db-lock"), O_RDONLY);

	assert_int_equal(pread(fd, &state, sizeof(state), 0), sizeof(state));
	close(fd);
	return state.next - state.serving;
}

static bool has_queue(void *arg)
{
	return count_queue(arg) > 0;
}

static int wait_to_write(void *arg)
{
	const struct base *base = arg;
	struct mmapdb *db;

	return mmapdb_open(base->path, 0, &db) || begin(db);
}

static void tickets_of_the_dead_are_passed_over(void **state)
{
	struct base base;
	struct mmapdb *waiting;
	int status = -1;
	pid_t pid;

	(void)state;
	base_make(&base, 0);
	waiting = base_open(&base, 0);
	must(base.db, begin(base.db));
	/* Who gives up serves the next, and need not be waited for. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(mmapdb_begin_write(waiting, 0), -ETIMEDOUT);
	assert_int_equal(count_queue(&base), 0);
	/* Who is killed does not. */
	assert_int_equal(child_fork(wait_to_write, &base, &pid), 0);
	assert_true(support_wait_until(has_queue, &base, 30000));
	kill(pid, SIGKILL);
	assert_int_equal(child_wait(pid, tick_after(PATIENCE), &status), 0);
	assert_int_equal(mmapdb_begin_write(waiting, 0), -ETIMEDOUT);
	assert_int_equal(count_queue(&base), 2);
	mmapdb_abort(base.db);
	put(waiting, "a", "1");
	put(base.db, "b", "1");
	mmapdb_close(waiting);
	base_remove(&base);
}

/* What a process needs, it has opened: else it would take the state that others use
 * for one of another boot, and make it anew. */
static void who_has_no_descriptors_left_reads_and_writes(void **state)
{
	struct rlimit before, none;
	struct mmapdb *other;
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	other = base_open(&base, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_value(other, "a", "1");
	put(other, "a", "2");
	assert_value(base.db, "a", "2");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	mmapdb_close(other);
	base_remove(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_reader_costs_nothing),
		cmocka_unit_test(
			a_stopped_reader_is_named_and_keeps_what_it_reads),
		cmocka_unit_test(there_may_be_more_readers_than_slots),
		cmocka_unit_test(a_reader_without_a_slot_keeps_its_snapshot),
		cmocka_unit_test(others_map_what_has_grown),
		cmocka_unit_test(writers_take_turns_and_none_is_lost),
		cmocka_unit_test(a_writer_that_does_not_end_is_named),
		cmocka_unit_test(handler_ends_the_wait_for_the_writer),
		cmocka_unit_test(tickets_of_the_dead_are_passed_over),
		cmocka_unit_test(who_has_no_descriptors_left_reads_and_writes),
	};

	return SUPPORT_MAIN(tests);
}
