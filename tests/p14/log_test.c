/* The redo log: who commits while another syncs, what happens when that one is
 * stopped or dies, when the log is full, and what the next boot makes of it. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "p14-mmapdb/layout.h"
#include "p14-mmapdb/lock.h"
#include "tests/support/interrupt.h"

/* ---- the calls ------------------------------------------------------------------------ */

static struct {
	void (*at_sync)(void *arg); /* called before each sync of the log */
	void (*at_wait)(void *arg); /* called before the next wait for one */
	void *arg;
	int log_syncs, file_syncs;
	int error;             /* of each write; 0: none */
	int sync_error;        /* of each sync of a whole file */
	int no_dsync, no_room; /* of pwritev2(2) and fallocate(2) */
	int interrupts;        /* so often a handler runs first */
	bool dies_waiting;
} calls;

static bool is_interrupted(void)
{
	if (!calls.interrupts)
		return false;
	calls.interrupts--;
	errno = EINTR;
	return true;
}

ssize_t __real_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at)
{
	if (is_interrupted())
		return -1;
	errno = calls.error;
	return errno ? -1 : __real_pwritev(fd, pieces, n, at);
}

ssize_t __real_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags)
{
	void (*at_sync)(void *arg) = calls.at_sync;

	calls.at_sync = NULL;
	if (at_sync)
		at_sync(calls.arg);
	if (is_interrupted())
		return -1;
	errno = calls.no_dsync;
	if (errno)
		return -1;
	calls.log_syncs++;
	return __real_pwritev2(fd, pieces, n, at, flags);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	calls.file_syncs++;
	errno = calls.sync_error;
	return errno ? -1 : __real_fdatasync(fd);
}

int __real_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len)
{
	if (is_interrupted())
		return -1;
	errno = calls.no_room;
	return errno ? -1 : __real_fallocate(fd, mode, from, len);
}

/* Behind the writer's lock, and before anything is synced for us. */
int __real_log_wait(struct mmapdb *db, uint64_t txnid);
int __wrap_log_wait(struct mmapdb *db, uint64_t txnid);
int __wrap_log_wait(struct mmapdb *db, uint64_t txnid)
{
	void (*at_wait)(void *arg) = calls.at_wait;

	if (calls.dies_waiting)
		_exit(0);
	calls.at_wait = NULL;
	if (at_wait)
		at_wait(calls.arg);
	return __real_log_wait(db, txnid);
}

/* ---- the next boot --------------------------------------------------------------------- */

static void forget_boot(struct base *base)
{
	mmapdb_close(base->db);
	base->db = NULL;
	unlink(scratch_path(&base->scratch, "test.db-lock"));
}

static void reboot(struct base *base)
{
	forget_boot(base);
	base->db = base_open(base, 0);
}

static struct mmapdb_stat stat_of(struct mmapdb *db)
{
	struct mmapdb_stat stat;

	must(db, mmapdb_begin_read(db));
	must(db, mmapdb_stat(db, &stat));
	mmapdb_abort(db);
	return stat;
}

static void assert_sound(struct mmapdb *db)
{
	struct mmapdb_fault fault;

	must(db, mmapdb_begin_read(db));
	if (mmapdb_check(db, &fault))
		fail_msg("page %d: %s", (int)fault.page, fault.what);
	mmapdb_abort(db);
}

static void put_long(struct mmapdb *db, const char *key, size_t len, int byte)
{
	static char value[70000];

	memset(value, byte, sizeof(value));
	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	must(db, mmapdb_put(db, text(key), (struct mmapdb_bytes){value, len},
			    NULL));
	must(db, mmapdb_commit(db));
}

static void a_commit_syncs_the_log_alone(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	calls.log_syncs = calls.file_syncs = 0;
	put(base.db, "a", "2");
	assert_int_equal(calls.log_syncs, 1);
	assert_int_equal(calls.file_syncs, 0);
	base_remove(&base);
}

static void what_the_log_has_is_there_after_a_boot(void **state)
{
	struct mmapdb_stat before, after;
	struct base base;

	(void)state;
	base_make(&base, 0);
	for (int i = 0; i < 300; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key %d", i);
		put(base.db, key, "value");
	}
	put_long(base.db, "long", 30000, 'l');
	must(base.db, mmapdb_begin_write(base.db, tick_after(PATIENCE)));
	must(base.db, mmapdb_del(base.db, text("key 7")));
	must(base.db, mmapdb_put(base.db, text("key 8"), text("other"), NULL));
	must(base.db, mmapdb_put(base.db, text("empty"), text(""), NULL));
	assert_int_equal(mmapdb_del(base.db, text("none")), -ENOENT);
	must(base.db, mmapdb_commit(base.db));
	before = stat_of(base.db);
	assert_int_equal(before.durable_txnid, before.txnid);
	for (int boots = 0; boots < 3; boots++) {
		reboot(&base);
		after = stat_of(base.db);
		assert_int_equal(after.records, before.records);
		assert_int_equal(after.logical_end, before.logical_end);
		assert_true(after.txnid >= before.txnid);
		assert_value(base.db, "key 6", "value");
		assert_value(base.db, "key 7", NULL);
		assert_value(base.db, "key 8", "other");
		assert_value(base.db, "empty", "");
		assert_sound(base.db);
		put(base.db, "key 6", "value");
		before.logical_end += 256;
	}
	base_remove(&base);
}

/* It has 1 MB: so often enough that it begins anew some times. */
static void a_log_that_is_full_begins_anew(void **state)
{
	struct base base;
	char key[16];

	(void)state;
	base_make(&base, 0);
	calls.file_syncs = 0;
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		put_long(base.db, key, 50000, 'a' + i % 26);
	}
	assert_in_range(calls.file_syncs, 4, 8);
	reboot(&base);
	assert_sound(base.db);
	assert_int_equal(stat_of(base.db).records, 60);
	base_remove(&base);
}

/* Larger than any record. */
static void what_is_too_large_for_the_log_has_a_meta_page(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	calls.log_syncs = 0;
	put_long(base.db, "long", 70000, 'l');
	assert_int_equal(calls.log_syncs, 0);
	put(base.db, "a", "2");
	assert_int_equal(calls.log_syncs, 1);
	reboot(&base);
	assert_value(base.db, "a", "2");
	assert_int_equal(stat_of(base.db).records, 2);
	base_remove(&base);
}

/* With and without a sync, in turn: what comes behind an unsynced one has it as
 * its past. */
static void syncs_cover_what_was_committed_without(void **state)
{
	struct mmapdb *unsynced;
	struct base base;
	char key[16];

	(void)state;
	base_make(&base, 0);
	unsynced = base_open(&base, MMAPDB_NO_SYNC);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(i % 3 ? base.db : unsynced, key, "value");
	}
	mmapdb_close(unsynced);
	reboot(&base);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_value(base.db, key, "value");
	}
	assert_sound(base.db);
	base_remove(&base);
}

/* ---- while one syncs --------------------------------------------------------------------- */

static void write_beside(void *arg)
{
	struct mmapdb *db = arg;

	/* The lock is free, and what is being synced is what we start from. */
	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	assert_in_transaction(db, "a", "1");
	must(db, mmapdb_put(db, text("b"), text("2"), NULL));
	mmapdb_abort(db);
	/* But it is not for readers. */
	assert_value(db, "a", NULL);
}

static void others_write_while_one_syncs(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	calls.arg = base_open(&base, 0);
	calls.at_sync = write_beside;
	put(base.db, "a", "1");
	assert_null(calls.at_sync);
	assert_value(calls.arg, "a", "1");
	mmapdb_close(calls.arg);
	base_remove(&base);
}

/* A process that puts something, and dies or is stopped when it is about to sync
 * that. */
struct one {
	const char *path, *key;
	bool dies;
	pid_t pid;
};

static void stop(void *arg)
{
	(void)arg;
	raise(SIGSTOP);
}

static int put_one(void *arg)
{
	struct one *one = arg;
	struct mmapdb *db;

	if (mmapdb_open(one->path, 0, &db) ||
	    mmapdb_begin_write(db, tick_after(PATIENCE)) ||
	    mmapdb_put(db, text(one->key), text("value"), NULL))
		return 1;
	calls.at_sync = one->dies ? NULL : stop;
	calls.dies_waiting = one->dies;
	if (mmapdb_commit(db))
		return 2;
	mmapdb_close(db);
	return 0;
}

static void who_is_stopped_while_it_syncs_stops_nobody(void **state)
{
	struct base base;
	struct one one = {.key = "stopped"};
	int status;

	(void)state;
	base_make(&base, 0);
	one.path = base.path;
	assert_int_equal(child_fork(put_one, &one, &one.pid), 0);
	assert_int_equal(waitpid(one.pid, &status, WUNTRACED), one.pid);
	assert_true(WIFSTOPPED(status));
	for (int i = 0; i < 5; i++) {
		put(base.db, "a", "1");
		assert_value(base.db, "a", "1");
	}
	/* What it had appended, others have synced. */
	assert_value(base.db, "stopped", "value");
	put_long(base.db, "long", 70000, 'l');
	put(base.db, "a", "2");
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	put(base.db, "a", "3");
	/* It writes to the old file, and harms nobody. */
	assert_int_equal(kill(one.pid, SIGCONT), 0);
	assert_int_equal(child_wait(one.pid, tick_after(PATIENCE), &status), 0);
	assert_int_equal(status, 0);
	assert_value(base.db, "a", "3");
	assert_sound(base.db);
	reboot(&base);
	assert_value(base.db, "a", "3");
	assert_value(base.db, "stopped", "value");
	base_remove(&base);
}

/* The same, but the log begins anew meanwhile, in the file that it writes to. */
static void who_syncs_late_takes_nothing_back(void **state)
{
	struct base base;
	struct one one = {.key = "stopped"};
	int status;

	(void)state;
	base_make(&base, 0);
	one.path = base.path;
	assert_int_equal(child_fork(put_one, &one, &one.pid), 0);
	assert_int_equal(waitpid(one.pid, &status, WUNTRACED), one.pid);
	put_long(base.db, "long", 70000, 'l');
	put(base.db, "a", "1");
	put(base.db, "b", "2");
	assert_int_equal(kill(one.pid, SIGCONT), 0);
	assert_int_equal(child_wait(one.pid, tick_after(PATIENCE), &status), 0);
	assert_int_equal(status, 0);
	assert_sound(base.db);
	reboot(&base);
	assert_value(base.db, "stopped", "value");
	assert_value(base.db, "a", "1");
	assert_value(base.db, "b", "2");
	base_remove(&base);
}

/* More than the state has versions for: now and then one has to sync for all
 * before it appends. */
static void any_number_may_die_before_they_sync(void **state)
{
	enum { DEAD = 150 };
	struct mmapdb *fresh;
	struct base base;
	struct one one = {.dies = true};
	char key[24];

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	one.path = base.path;
	one.key = key;
	for (int i = 0; i < DEAD; i++) {
		snprintf(key, sizeof(key), "dead %d", i);
		assert_int_equal(support_child_status(put_one, &one, 60000), 0);
		assert_value(base.db, "a", "1");
		/* One that has not seen the version yet. */
		fresh = base_open(&base, MMAPDB_RDONLY);
		assert_value(fresh, "a", "1");
		mmapdb_close(fresh);
	}
	put(base.db, "a", "2");
	for (int i = 0; i < DEAD; i++) {
		snprintf(key, sizeof(key), "dead %d", i);
		assert_value(base.db, key, "value");
	}
	assert_int_equal(stat_of(base.db).records, DEAD + 1);
	assert_sound(base.db);
	base_remove(&base);
}

/* ---- who cannot do again what the log has -------------------------------------------------- */

static int read_as_another(void *arg)
{
	const struct base *base = arg;
	struct mmapdb_bytes value;
	struct mmapdb_cursor cursor;
	struct mmapdb_fault fault;
	struct mmapdb_stat stat;
	struct mmapdb *db;
	int n = 0;

	if (setgid(65534) || setuid(65534) ||
	    mmapdb_open(base->path, MMAPDB_RDONLY, &db))
		return 1;
	for (int i = 0; i < 2; i++) {
		if (mmapdb_begin_read(db))
			return 2;
		if (mmapdb_get(db, text("a"), &value) || value.len != 1 ||
		    *(const char *)value.data != '2')
			return 3;
		if (mmapdb_check(db, &fault) || mmapdb_stat(db, &stat) ||
		    stat.records != 2)
			return 4;
		n = 0;
		mmapdb_cursor_open(&cursor, db, NULL);
		while (mmapdb_cursor_next(&cursor) == 0)
			n++;
		if (n != 2)
			return 5;
		mmapdb_abort(db);
	}
	mmapdb_close(db);
	return 0;
}

static void who_may_only_read_has_what_the_log_has(void **state)
{
	struct base base;

	(void)state;
	support_need_second_user();
	base_make(&base, 0);
	put(base.db, "a", "1");
	put(base.db, "b", "1");
	put(base.db, "a", "2");
	forget_boot(&base);
	assert_int_equal(chmod(base.path, 0644), 0);
	assert_int_equal(chmod(scratch_path(&base.scratch, "."), 0755), 0);
	assert_int_equal(support_child_status(read_as_another, &base, 60000),
			 0);
	assert_int_equal(
		access(scratch_path(&base.scratch, "test.db-lock"), F_OK), -1);
	base.db = base_open(&base, 0);
	assert_value(base.db, "a", "2");
	base_remove(&base);
}

static void a_disk_that_is_full_keeps_nobody_from_reading(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	put(base.db, "a", "2");
	forget_boot(&base);
	base.db = base_open(&base, 0);
	calls.error = ENOSPC;
	assert_value(base.db, "a", "2");
	assert_int_equal(mmapdb_begin_write(base.db, tick_after(PATIENCE)),
			 -ENOSPC);
	calls.error = 0;
	put(base.db, "a", "3");
	assert_value(base.db, "a", "3");
	base_remove(&base);
}

/* ---- what a kernel or file system has not, and what it says now and then ---------------- */

static void handlers_that_run_meanwhile_cost_nothing(void **state)
{
	struct base base;

	(void)state;
	/* Each call once: that which makes the file larger, ... */
	calls.interrupts = 1;
	base_make(&base, 0);
	assert_int_equal(calls.interrupts, 0);
	put(base.db, "a", "1");
	/* ... the write, and the sync. */
	for (int i = 1; i < 5; i++) {
		calls.interrupts = i;
		put(base.db, "a", "2");
		assert_int_equal(calls.interrupts, 0);
	}
	reboot(&base);
	assert_value(base.db, "a", "2");
	base_remove(&base);
}

/* ... and the wait for another, who syncs. */
static void handlers_do_not_end_the_wait_for_who_syncs(void **state)
{
	struct base base;
	int lock;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	lock = open(scratch_path(&base.scratch, "test.db-lock"), O_RDWR);
	assert_int_equal(lock_try(lock, LAYOUT_SYNC_BYTE, F_WRLCK), 0);
	interrupt_start();
	put(base.db, "a", "2");
	interrupt_stop();
	close(lock);
	reboot(&base);
	assert_value(base.db, "a", "2");
	base_remove(&base);
}

/* Another process, which compacts, and then writes for a while. */
struct mover {
	const char *path;
	int ready[2];
	pid_t pid;
};

static int compact_and_write(void *arg)
{
	const struct mover *mover = arg;
	struct mmapdb *db;

	if (mmapdb_open(mover->path, 0, &db) ||
	    mmapdb_compact(db, tick_after(PATIENCE)) ||
	    mmapdb_begin_write(db, tick_after(PATIENCE)))
		return 1;
	if (fdio_write_full(mover->ready[1], "", 1))
		return 2;
	tick_sleep_until(tick_after(50 * TICK_MS));
	mmapdb_close(db);
	return 0;
}

static void be_moved_over(void *arg)
{
	struct mover *mover = arg;
	char byte;

	assert_int_equal(child_fork(compact_and_write, mover, &mover->pid), 0);
	assert_int_equal(fdio_read_until(mover->ready[0], &byte, 1,
					 tick_after(PATIENCE)),
			 1);
	interrupt_start();
}

/* What it awaits is durable, and only the wait for the other could be cut short. */
static void handlers_do_not_end_the_wait_for_who_has_compacted(void **state)
{
	struct mover mover;
	struct base base;
	int status = -1;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	mover.path = base.path;
	assert_int_equal(fdio_pipe(mover.ready), 0);
	calls.at_wait = be_moved_over;
	calls.arg = &mover;
	put(base.db, "a", "2");
	interrupt_stop();
	assert_int_equal(child_wait(mover.pid, tick_after(PATIENCE), &status),
			 0);
	assert_int_equal(status, 0);
	close(mover.ready[0]);
	close(mover.ready[1]);
	assert_value(base.db, "a", "2");
	base_remove(&base);
}

static void fail_as_another(void *arg)
{
	struct base *base = arg;
	const uint32_t one = 1;
	int fd = open(scratch_path(&base->scratch, "test.db-lock"), O_RDWR);

	if (pwrite(fd, &one, sizeof(one),
		   offsetof(struct layout_state, is_failed)) != sizeof(one))
		abort();
	close(fd);
}

/* The kernel tells one of those who sync, once: what another was told of may have
 * been ours. */
static void sync_beside_one_that_failed_is_no_success(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	calls.at_sync = fail_as_another;
	calls.arg = &base;
	must(base.db, mmapdb_begin_write(base.db, tick_after(PATIENCE)));
	must(base.db, mmapdb_put(base.db, text("a"), text("2"), NULL));
	assert_int_equal(mmapdb_commit(base.db), -EIO);
	assert_value(base.db, "a", "1");
	base_remove(&base);
}

static void files_are_synced_where_ranges_cannot_be(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	calls.no_dsync = EOPNOTSUPP;
	calls.file_syncs = 0;
	put(base.db, "a", "2");
	assert_int_equal(calls.file_syncs, 1);
	calls.sync_error = EIO;
	must(base.db, mmapdb_begin_write(base.db, tick_after(PATIENCE)));
	must(base.db, mmapdb_put(base.db, text("a"), text("3"), NULL));
	assert_int_equal(mmapdb_commit(base.db), -EIO);
	calls.sync_error = calls.no_dsync = 0;
	assert_value(base.db, "a", "2");
	base_remove(&base);
}

static void zeros_are_written_where_nothing_gives_room(void **state)
{
	struct base base;
	struct stat st;

	(void)state;
	calls.no_room = EOPNOTSUPP;
	base_make(&base, 0);
	assert_int_equal(stat(base.path, &st), 0);
	assert_true(st.st_blocks * 512 >= st.st_size);
	for (int i = 0; i < 100; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		put_long(base.db, key, 50000, 'a' + i % 26);
	}
	assert_sound(base.db);
	calls.no_room = 0;
	base_remove(&base);
}

static void compaction_that_cannot_be_synced_is_told(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	calls.sync_error = EIO;
	assert_int_equal(mmapdb_compact(base.db, tick_after(PATIENCE)), -EIO);
	calls.sync_error = 0;
	assert_value(base.db, "a", "1");
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	put(base.db, "a", "2");
	base_remove(&base);
}

static void what_was_not_synced_is_not_called_durable(void **state)
{
	struct mmapdb_stat stat;
	struct base base;

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	put(base.db, "a", "1");
	stat = stat_of(base.db);
	assert_int_equal(stat.txnid, 2);
	assert_int_equal(stat.durable_txnid, 1);
	base_remove(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_syncs_the_log_alone),
		cmocka_unit_test(what_the_log_has_is_there_after_a_boot),
		cmocka_unit_test(a_log_that_is_full_begins_anew),
		cmocka_unit_test(what_is_too_large_for_the_log_has_a_meta_page),
		cmocka_unit_test(syncs_cover_what_was_committed_without),
		cmocka_unit_test(others_write_while_one_syncs),
		cmocka_unit_test(who_is_stopped_while_it_syncs_stops_nobody),
		cmocka_unit_test(who_syncs_late_takes_nothing_back),
		cmocka_unit_test(any_number_may_die_before_they_sync),
		cmocka_unit_test(who_may_only_read_has_what_the_log_has),
		cmocka_unit_test(a_disk_that_is_full_keeps_nobody_from_reading),
		cmocka_unit_test(handlers_that_run_meanwhile_cost_nothing),
		cmocka_unit_test(handlers_do_not_end_the_wait_for_who_syncs),
		cmocka_unit_test(
			handlers_do_not_end_the_wait_for_who_has_compacted),
		cmocka_unit_test(sync_beside_one_that_failed_is_no_success),
		cmocka_unit_test(files_are_synced_where_ranges_cannot_be),
		cmocka_unit_test(zeros_are_written_where_nothing_gives_room),
		cmocka_unit_test(compaction_that_cannot_be_synced_is_told),
		cmocka_unit_test(what_was_not_synced_is_not_called_durable),
	};

	return SUPPORT_MAIN(tests);
}
