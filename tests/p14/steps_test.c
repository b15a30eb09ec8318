/* A process dies before, in the midst of, or after each write, sync, link and
 * rename that it makes; others go on, in the same boot and in the next: all that
 * was acknowledged is there, and each transaction as a whole or not at all. And
 * nobody is shown what is not durable. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COMMITS = 9, KEYS = 3 };

/* ---- the calls ----------------------------------------------------------------------- */

enum moment { BEFORE, MIDST, AFTER };

static struct {
	int at, calls; /* the call to die at, from 1 on; so many were made */
	enum moment moment;
	void (*at_sync)(void *arg);  /* called before each fdatasync */
	void (*at_fsync)(void *arg); /* and before each fsync */
	void *arg;
} death;

static bool is_now(enum moment moment)
{
	return death.at && death.calls == death.at && death.moment == moment;
}

static void pass(enum moment moment)
{
	if (moment == BEFORE)
		death.calls++;
	if (is_now(moment))
		_exit(0);
}

ssize_t __real_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at)
{
	ssize_t done;

	pass(BEFORE);
	if (is_now(MIDST)) {
		struct iovec half = {pieces->iov_base, pieces->iov_len / 2};

		_exit(__real_pwritev(fd, &half, 1, at) < 0);
	}
	done = __real_pwritev(fd, pieces, n, at);
	pass(AFTER);
	return done;
}

ssize_t __real_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags)
{
	ssize_t done;

	pass(BEFORE);
	if (death.at_sync)
		death.at_sync(death.arg);
	done = __real_pwritev2(fd, pieces, n, at, flags);
	pass(AFTER);
	return done;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	int result;

	pass(BEFORE);
	if (death.at_sync)
		death.at_sync(death.arg);
	result = __real_fdatasync(fd);
	pass(AFTER);
	return result;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	int result;

	pass(BEFORE);
	if (death.at_fsync)
		death.at_fsync(death.arg);
	result = __real_fsync(fd);
	pass(AFTER);
	return result;
}

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	int result;

	pass(BEFORE);
	result = __real_linkat(from, a, to, b, flags);
	pass(AFTER);
	return result;
}

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
	int result;

	pass(BEFORE);
	result = __real_renameat(from, a, to, b);
	pass(AFTER);
	return result;
}

/* ---- a life that ends too early ------------------------------------------------------ */

/* Shared with the one that dies. */
struct shared {
	int begun, acknowledged; /* commits */
	int acknowledged_synced;
	int calls;
};

struct life {
	struct base base;
	struct shared *shared;
};

/* Commit i sets all keys to i, with a value that is long every other time. */
static int commit(struct mmapdb *db, int i)
{
	static char value[20000];
	char key[16];
	int error = mmapdb_begin_write(db, tick_after(PATIENCE));

	memset(value, i, sizeof(value));
	for (int k = 0; !error && k < KEYS; k++) {
		snprintf(key, sizeof(key), "key %d", k);
		error = mmapdb_put(
			db, text(key),
			(struct mmapdb_bytes){value, i % 2 ? 20000 : 20}, NULL);
	}
	return error ? error : mmapdb_commit(db);
}

static int live(void *arg)
{
	struct life *life = arg;
	struct shared *shared = life->shared;
	struct mmapdb *synced, *unsynced;

	if (mmapdb_open(life->base.path, 0, &synced) ||
	    mmapdb_open(life->base.path, MMAPDB_NO_SYNC, &unsynced))
		return 1;
	death.calls = 0;
	for (int i = 1; i <= COMMITS; i++) {
		const bool is_synced = i < 3 || i > 4;

		if (i == 6 && mmapdb_compact(synced, tick_after(PATIENCE)))
			return 2;
		shared->begun = i;
		if (commit(is_synced ? synced : unsynced, i))
			return 3;
		shared->acknowledged = i;
		if (is_synced)
			shared->acknowledged_synced = i;
	}
	shared->calls = death.calls;
	return 0;
}

/* Which commit the snapshot shows; it shows that one whole. */
static int shown(struct mmapdb *db)
{
	int commit_shown = -1;
	struct mmapdb_fault fault;

	must(db, mmapdb_begin_read(db));
	if (mmapdb_check(db, &fault))
		fail_msg("page %d: %s", (int)fault.page, fault.what);
	for (int k = 0; k < KEYS; k++) {
		struct mmapdb_bytes value;
		char key[16];
		int i = 0, error;

		snprintf(key, sizeof(key), "key %d", k);
		error = mmapdb_get(db, text(key), &value);
		if (!error)
			i = *(const unsigned char *)value.data;
		else
			assert_int_equal(error, -ENOENT);
		if (!error)
			assert_int_equal(value.len, i % 2 ? 20000 : 20);
		assert_true(commit_shown == -1 || commit_shown == i);
		commit_shown = i;
	}
	mmapdb_abort(db);
	return commit_shown;
}

/* All have gone, and the lock file says what another boot knew. */
static void reboot(struct life *life)
{
	mmapdb_close(life->base.db);
	unlink(scratch_path(&life->base.scratch, "test.db-lock"));
	life->base.db = base_open(&life->base, 0);
}

static void die_at(struct life *life, int at, enum moment moment)
{
	struct shared *shared = life->shared;
	struct mmapdb *db;
	int i;

	base_make(&life->base, 0);
	*shared = (struct shared){0};
	death.at = at;
	death.moment = moment;
	assert_int_equal(support_child_status(live, life, 60000), 0);
	death.at = 0;
	/* This one has been there all the time. */
	i = shown(life->base.db);
	assert_in_range(i, shared->acknowledged, shared->begun);
	if (at % 2) {
		reboot(life);
		i = shown(life->base.db);
		assert_in_range(i, shared->acknowledged_synced, shared->begun);
	}
	db = base_open(&life->base, 0);
	must(db, commit(db, 100));
	assert_int_equal(shown(life->base.db), 100);
	must(life->base.db, commit(life->base.db, 101));
	mmapdb_close(db);
	reboot(life);
	assert_int_equal(shown(life->base.db), 101);
	must(life->base.db,
	     mmapdb_compact(life->base.db, tick_after(PATIENCE)));
	assert_int_equal(shown(life->base.db), 101);
	assert_int_equal(
		access(scratch_path(&life->base.scratch, "test.db.compact"),
		       F_OK),
		-1);
	base_remove(&life->base);
}

static void others_go_on_wherever_one_dies(void **state)
{
	struct life life = {
		.shared = mmap(NULL, sizeof(struct shared),
			       PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};
	int calls;

	(void)state;
	die_at(&life, 0, BEFORE);
	calls = life.shared->calls;
	assert_int_equal(life.shared->acknowledged, COMMITS);
	assert_true(calls > 40);
	for (int at = 1; at <= calls; at++)
		for (enum moment moment = BEFORE; moment <= AFTER; moment++)
			/* After one is mostly before the next. */
			if (moment != AFTER || support_is_stress())
				die_at(&life, at, moment);
	munmap(life.shared, sizeof(struct shared));
}

/* ---- a commit that was not acknowledged ------------------------------------------------ */

static int die_in_commit(void *arg)
{
	struct life *life = arg;
	struct mmapdb *db;

	if (mmapdb_open(life->base.path, 0, &db) ||
	    mmapdb_begin_write(db, tick_after(PATIENCE)) ||
	    mmapdb_put(db, text("a"), text("2"), NULL))
		return 1;
	death.calls = 0;
	death.moment = BEFORE;
	/* Pages, record, sync. */
	death.at = 3;
	mmapdb_commit(db);
	return 2;
}

static void the_next_writer_starts_from_what_a_dead_one_had_appended(
	void **state)
{
	struct life life;

	(void)state;
	base_make(&life.base, 0);
	put(life.base.db, "a", "1");
	assert_int_equal(support_child_status(die_in_commit, &life, 60000), 0);
	assert_value(life.base.db, "a", "1");
	must(life.base.db,
	     mmapdb_begin_write(life.base.db, tick_after(PATIENCE)));
	assert_in_transaction(life.base.db, "a", "2");
	mmapdb_abort(life.base.db);
	/* Nobody has synced it yet. */
	assert_value(life.base.db, "a", "1");
	put(life.base.db, "b", "3");
	assert_value(life.base.db, "a", "2");
	base_remove(&life.base);
}

static void die_at_second(void *arg)
{
	int *syncs = arg;

	if (++*syncs == 2)
		_exit(0);
}

/* Too large for the log: a sync for what the log has, pages, meta page, sync. */
static int die_behind_meta(void *arg)
{
	static char value[70000];
	struct life *life = arg;
	struct mmapdb *db;
	int syncs = 0;

	if (mmapdb_open(life->base.path, 0, &db) ||
	    mmapdb_begin_write(db, tick_after(PATIENCE)) ||
	    mmapdb_put(db, text("a"), text("2"), NULL) ||
	    mmapdb_put(db, text("b"),
		       (struct mmapdb_bytes){value, sizeof(value)}, NULL))
		return 1;
	death.at_sync = die_at_second;
	death.arg = &syncs;
	mmapdb_commit(db);
	return 2;
}

static void the_next_writer_ends_what_a_dead_one_had_written(void **state)
{
	struct life life;

	(void)state;
	base_make(&life.base, 0);
	put(life.base.db, "a", "1");
	assert_int_equal(support_child_status(die_behind_meta, &life, 60000),
			 0);
	assert_value(life.base.db, "a", "1");
	must(life.base.db,
	     mmapdb_begin_write(life.base.db, tick_after(PATIENCE)));
	assert_in_transaction(life.base.db, "a", "2");
	mmapdb_abort(life.base.db);
	assert_value(life.base.db, "a", "2");
	put(life.base.db, "a", "3");
	reboot(&life);
	assert_value(life.base.db, "a", "3");
	base_remove(&life.base);
}

/* ---- before the sync --------------------------------------------------------------------- */

static void look(void *arg)
{
	death.at_sync = NULL;
	assert_value(arg, "a", "1");
}

static void nobody_sees_what_is_not_durable(void **state)
{
	struct base base;
	struct mmapdb *reader;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	reader = base_open(&base, MMAPDB_RDONLY);
	death.at_sync = look;
	death.arg = reader;
	put(base.db, "a", "2");
	assert_null(death.at_sync);
	assert_value(reader, "a", "2");
	mmapdb_close(reader);
	base_remove(&base);
}

/* ---- a name that means another file ------------------------------------------------------- */

static const char letter[] = "a letter";

static void move_letter_there(void *arg)
{
	struct base *base = arg;

	death.at_fsync = NULL;
	assert_int_equal(unlink(base->path), 0);
	scratch_write(&base->scratch, "test.db", letter, sizeof(letter));
}

static void a_file_that_has_got_our_name_is_not_replaced(void **state)
{
	struct base base;
	char found[sizeof(letter)] = "";
	int fd;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	death.at_fsync = move_letter_there;
	death.arg = &base;
	assert_int_equal(mmapdb_compact(base.db, tick_after(PATIENCE)),
			 -ESTALE);
	fd = open(base.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, found, sizeof(found)), sizeof(found));
	close(fd);
	assert_string_equal(found, letter);
	assert_int_equal(
		access(scratch_path(&base.scratch, "test.db.compact"), F_OK),
		-1);
	base_remove(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_go_on_wherever_one_dies),
		cmocka_unit_test(
			the_next_writer_starts_from_what_a_dead_one_had_appended),
		cmocka_unit_test(
			the_next_writer_ends_what_a_dead_one_had_written),
		cmocka_unit_test(nobody_sees_what_is_not_durable),
		cmocka_unit_test(a_file_that_has_got_our_name_is_not_replaced),
	};

	return SUPPORT_MAIN(tests);
}
