/* kill -9 between any two steps: of making a file, of a change, of a rebuild.
 * Which step, the test says; who comes after finds the old or the new, and goes
 * on at once. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "p09-reclock/layout.h"
#include "tests/p09/fixture.h"

/* ---- where to die, or fail ---- */

/* Before the call of that number, of all that are wrapped; -1: never. */
static int die_before = -1;
/* Or have that one fail. */
static int fail_at = -1, fail_with;
static int calls;

static int step(void)
{
	const int now = calls++;

	if (now == die_before)
		raise(SIGKILL);
	if (now != fail_at)
		return 0;
	errno = fail_with;
	return -1;
}

#define WRAP(type, name, parameters, arguments) \
	type __real_##name parameters;          \
	type __wrap_##name parameters;          \
	type __wrap_##name parameters           \
	{                                       \
		if (step())                     \
			return -1;              \
		return __real_##name arguments; \
	}

WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t len, off_t at),
     (fd, bytes, len, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, linkat,
     (int from, const char *old, int to, const char *name, int flags),
     (from, old, to, name, flags))
WRAP(int, renameat, (int from, const char *old, int to, const char *name),
     (from, old, to, name))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))

/* As of a file system that knows no files without a name; or what a new file fails
 * with. */
static bool has_no_tmpfile;
static int no_file;

int __real_openat(int dir, const char *path, int how, ...);
int __wrap_openat(int dir, const char *path, int how, ...);
int __wrap_openat(int dir, const char *path, int how, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, how);
	mode = how & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (has_no_tmpfile && (how & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (no_file && (how & (O_CREAT | __O_TMPFILE))) {
		errno = no_file;
		return -1;
	}
	return __real_openat(dir, path, how, mode);
}

/* ---- what is done meanwhile ---- */

static struct fixture f;
static unsigned int flags;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	calls = 0;
	die_before = fail_at = -1;
	flags = 0;
	has_no_tmpfile = false;
	no_file = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&f);
	return 0;
}

static int make_and_set(void *arg)
{
	struct reclock *store;
	int failed;

	calls = 0;
	die_before = *(int *)arg;
	store = fixture_try_open(&f, RECLOCK_CREATE | flags);
	failed = !store || fixture_set(store, "a", "new");
	reclock_close(store);
	return failed;
}

static int compact(void *arg)
{
	struct reclock *store = fixture_try_open(&f, flags);
	int failed;

	calls = 0;
	die_before = *(int *)arg;
	failed = !store || reclock_compact_until(store, fixture_deadline());
	reclock_close(store);
	return failed;
}

/* Run it so that it dies at its step number n; whether it lived that long. */
static bool dies_at(int (*body)(void *arg), int n)
{
	int status = support_run_child(body, &n, 30000);

	assert_true(status == 0 ||
		    (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	return status != 0;
}

/* ---- making and changing ---- */

static void file_is_whole_or_not_there(void **state)
{
	int n = 0;

	(void)state;
	while (dies_at(make_and_set, n)) {
		struct reclock *store = fixture_try_open(&f, 0);

		/* The name comes when all is written. */
		if (store)
			assert_string_equal(fixture_get(store, "a"), "-");
		reclock_close(store);
		store = fixture_open(&f, RECLOCK_CREATE);
		assert_int_equal(fixture_set(store, "a", "old"), 0);
		reclock_close(store);
		assert_int_equal(unlink(f.path), 0);
		n++;
	}
	assert_true(n >= 3);
}

static void synced_change_is_made_or_not(void **state)
{
	struct reclock *store;
	int n = 0, made = 0;

	(void)state;
	flags = RECLOCK_SYNC;
	store = fixture_open(&f, RECLOCK_CREATE);
	for (;;) {
		const char *value;

		assert_int_equal(fixture_set(store, "a", "old"), 0);
		if (!dies_at(make_and_set, n))
			break;
		value = fixture_get(store, "a");
		made += strcmp(value, "new") == 0;
		if (strcmp(value, "new") != 0)
			assert_string_equal(value, "old");
		/* And the lock is free. */
		assert_int_equal(fixture_set(store, "a", "next"), 0);
		n++;
	}
	/* Folder; what others left without a barrier; half, barrier, word,
	 * barrier. */
	assert_int_equal(n, 6);
	assert_int_equal(made, 1);
	reclock_close(store);
}

static void failed_barrier_is_not_reported_as_success(void **state)
{
	struct reclock *store, *other;

	(void)state;
	store = fixture_open(&f, RECLOCK_CREATE | RECLOCK_SYNC);
	assert_int_equal(fixture_set(store, "a", "old"), 0);
	for (int i = 0; i < 4; i++) {
		const char *value;

		calls = 0;
		fail_at = i;
		fail_with = EIO;
		assert_int_equal(fixture_set(store, "a", "new"), -EIO);
		fail_at = -1;
		value = fixture_get(store, "a");
		assert_string_equal(value, i < 3 ? "old" : "new");
		assert_int_equal(fixture_set(store, "a", "old"), 0);
	}
	/* That for what was published without one. */
	other = fixture_open(&f, 0);
	assert_int_equal(fixture_set(other, "a", "others'"), 0);
	calls = 0;
	fail_at = 0;
	assert_int_equal(fixture_set(store, "a", "new"), -EIO);
	assert_int_equal(calls, 1);
	fail_at = -1;
	assert_string_equal(fixture_get(store, "a"), "others'");
	reclock_close(other);
	reclock_close(store);
}

static void why_no_file_can_be_made_is_told(void **state)
{
	const struct reclock_options options = {.flags = RECLOCK_CREATE};
	struct reclock *store = NULL;

	(void)state;
	no_file = EACCES;
	assert_int_equal(reclock_open(&store, f.path, &options, NULL), -EACCES);
	has_no_tmpfile = true;
	assert_int_equal(reclock_open(&store, f.path, &options, NULL), -EACCES);
}

static void files_are_made_where_each_must_have_a_name(void **state)
{
	struct reclock *store;

	(void)state;
	has_no_tmpfile = true;
	store = fixture_open(&f, RECLOCK_CREATE);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()), 0);
	assert_string_equal(fixture_get(store, "a"), "1");
	reclock_close(store);
	/* And nothing else is left in the folder, which could not go then. */
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(rmdir(f.scratch.dir), 0);
	assert_int_equal(mkdir(f.scratch.dir, 0700), 0);
}

/* ---- rebuilding ---- */

static void survivors_go_on_after_a_rebuild_that_died(void **state)
{
	struct reclock *writer, *reader;
	char value[16];
	int n = 0;

	(void)state;
	writer = fixture_open(&f, RECLOCK_CREATE | RECLOCK_OFD);
	reader = fixture_open(&f, RECLOCK_READ_ONLY | RECLOCK_OFD);
	assert_int_equal(fixture_set(writer, "b", "stays"), 0);
	while (dies_at(compact, n)) {
		struct reclock *fresh;

		snprintf(value, sizeof(value), "%d", n);
		assert_string_equal(fixture_get(reader, "b"), "stays");
		assert_int_equal(fixture_set(writer, "a", value), 0);
		assert_string_equal(fixture_get(reader, "a"), value);
		/* It was written into the file that has the name. */
		fresh = fixture_open(&f, RECLOCK_READ_ONLY | RECLOCK_OFD);
		assert_string_equal(fixture_get(fresh, "a"), value);
		reclock_close(fresh);
		n++;
	}
	assert_true(n >= 6);
	assert_int_equal(
		access(scratch_path(&f.scratch, "store.db.rebuild"), F_OK), -1);
	assert_int_equal(reclock_check_until(writer, false, NULL, NULL,
					     fixture_deadline()),
			 0);
	reclock_close(writer);
	reclock_close(reader);
}

static uint32_t state_of(const char *path)
{
	struct layout_header header;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
	return header.state;
}

static void failed_rebuild_leaves_the_file_as_it_was(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EFBIG};
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE | RECLOCK_OFD);
	struct reclock *other = fixture_open(&f, RECLOCK_OFD);
	const int open_before = support_count_fds();
	int failures = 0;

	(void)state;
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	for (int n = 0;; n++) {
		int error;

		calls = 0;
		fail_at = n;
		fail_with = errors[n % 3];
		error = reclock_compact_until(store, fixture_deadline());
		if (calls <= n)
			break;
		fail_at = -1;
		assert_int_equal(error, -fail_with);
		failures++;
		/* Nor are others sent to look for another one. */
		assert_int_equal(state_of(f.path), LAYOUT_NORMAL);
		assert_int_equal(fixture_set(other, "a", "2"), 0);
		assert_string_equal(fixture_get(store, "a"), "2");
		assert_int_equal(fixture_set(store, "a", "1"), 0);
		assert_string_equal(fixture_get(other, "a"), "1");
		assert_int_equal(support_count_fds(), open_before);
		assert_int_equal(
			access(scratch_path(&f.scratch, "store.db.rebuild"),
			       F_OK),
			-1);
	}
	assert_true(failures >= 6);
	fail_at = -1;
	reclock_close(store);
	reclock_close(other);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(file_is_whole_or_not_there),
		CASE(synced_change_is_made_or_not),
		CASE(failed_barrier_is_not_reported_as_success),
		CASE(why_no_file_can_be_made_is_told),
		CASE(files_are_made_where_each_must_have_a_name),
		CASE(survivors_go_on_after_a_rebuild_that_died),
		CASE(failed_rebuild_leaves_the_file_as_it_was),
	};
#undef CASE

	return SUPPORT_MAIN(tests);
}
