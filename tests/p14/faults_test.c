/* Each write, sync, growth and rename of a short life of a database fails once,
 * or from then on, with each error that it can have; or a write is short. What
 * was acknowledged before is there, what was refused is not, a commit whose
 * sync failed is never called a success, and nothing else is written after it
 * until the database is compacted. */
#include "tests/p14/base.h"

#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COMMITS = 14 };

/* ---- the calls that fail ------------------------------------------------------------ */

static struct {
	int at;     /* which call of all fails, from 1 on; 0: none */
	int calls;  /* so far */
	int error;  /* 0: a short write */
	bool stays; /* and all later ones, too */
	bool has_sync_failed, has_failed;
} fault;

/* Whether this call is to fail. */
static bool is_to_fail(void)
{
	fault.calls++;
	if (!fault.at ||
	    (fault.stays ? fault.calls < fault.at : fault.calls != fault.at))
		return false;
	if (fault.error) {
		fault.has_failed = true;
		errno = fault.error;
	}
	return true;
}

ssize_t __real_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at);
ssize_t __wrap_pwritev(int fd, const struct iovec *pieces, int n, off_t at)
{
	struct iovec piece = pieces[0];

	if (!is_to_fail())
		return __real_pwritev(fd, pieces, n, at);
	piece.iov_len = (piece.iov_len + 1) / 2;
	/* Half of it is there, whatever is said about it. */
	if (__real_pwritev(fd, &piece, 1, at) != (ssize_t)piece.iov_len)
		abort();
	return fault.error ? (errno = fault.error, -1) : (ssize_t)piece.iov_len;
}

ssize_t __real_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int n, off_t at,
			int flags)
{
	struct iovec piece = pieces[0];

	if (!is_to_fail())
		return __real_pwritev2(fd, pieces, n, at, flags);
	fault.has_sync_failed |= fault.error != 0;
	piece.iov_len = (piece.iov_len + 1) / 2;
	if (__real_pwritev2(fd, &piece, 1, at, flags) != (ssize_t)piece.iov_len)
		abort();
	return fault.error ? (errno = fault.error, -1) : (ssize_t)piece.iov_len;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	if (!is_to_fail() || !fault.error)
		return __real_fdatasync(fd);
	fault.has_sync_failed = true;
	return -1;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return is_to_fail() && fault.error ? -1 : __real_fsync(fd);
}

int __real_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len)
{
	return is_to_fail() && fault.error
		       ? -1
		       : __real_fallocate(fd, mode, from, len);
}

int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	return is_to_fail() && fault.error
		       ? -1
		       : __real_linkat(from, a, to, b, flags);
}

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
	return is_to_fail() && fault.error ? -1
					   : __real_renameat(from, a, to, b);
}

/* ---- the life ------------------------------------------------------------------------ */

/* What became of each commit. */
enum fate { NOT_TRIED, DONE, REFUSED };

struct life {
	struct base base;
	enum fate fates[COMMITS];
	bool is_created;
};

static struct mmapdb_bytes value_of(int i)
{
	static char value[60000];

	memset(value, 'a' + i, sizeof(value));
	return (struct mmapdb_bytes){value,
				     (size_t)(i % 3 ? i * 100 : i * 4000)};
}

static int commit_one(struct mmapdb *db, int i)
{
	char key[16];
	int error = mmapdb_begin_write(db, tick_after(PATIENCE));

	if (error)
		return error;
	snprintf(key, sizeof(key), "key %d", i);
	error = mmapdb_put(db, text(key), value_of(i), NULL);
	if (!error)
		return mmapdb_commit(db);
	mmapdb_abort(db);
	return error;
}

static void commit_some(struct life *life, int from, int to, unsigned int flags)
{
	struct mmapdb *db;

	if (mmapdb_open(life->base.path, flags, &db))
		return;
	for (int i = from; i < to; i++) {
		const bool had_sync_failed = fault.has_sync_failed;
		int error = commit_one(db, i);

		life->fates[i] = error ? REFUSED : DONE;
		/* The one whose sync fails is refused, and all after it. */
		if (fault.has_sync_failed) {
			assert_int_not_equal(error, 0);
			if (had_sync_failed)
				assert_int_equal(error, -EIO);
		}
		if (error)
			assert_true(strlen(mmapdb_error(db)) > 0);
	}
	mmapdb_close(db);
}

static void live(struct life *life)
{
	struct mmapdb *db;

	memset(life, 0, sizeof(*life));
	scratch_make(&life->base.scratch);
	snprintf(life->base.path, sizeof(life->base.path), "%s",
		 scratch_path(&life->base.scratch, "test.db"));
	fault.calls = 0;
	fault.has_failed = fault.has_sync_failed = false;
	life->is_created = mmapdb_create(life->base.path, 0, 0, 0600) == 0;
	if (!life->is_created)
		return;
	commit_some(life, 0, 5, 0);
	commit_some(life, 5, 8, MMAPDB_NO_SYNC);
	commit_some(life, 8, 11, 0);
	if (mmapdb_open(life->base.path, 0, &db) == 0) {
		if (mmapdb_compact(db, tick_after(PATIENCE)) == 0)
			fault.has_sync_failed = false;
		mmapdb_close(db);
	}
	commit_some(life, 11, COMMITS, 0);
}

/* ---- afterwards ----------------------------------------------------------------------- */

static void assert_fates(struct life *life, bool is_same_boot)
{
	struct mmapdb *db = base_open(&life->base, MMAPDB_RDONLY);
	struct mmapdb_bytes found;
	struct mmapdb_fault first;
	char key[16];

	must(db, mmapdb_begin_read(db));
	if (mmapdb_check(db, &first))
		fail_msg("page %d: %s", (int)first.page, first.what);
	for (int i = 0; i < COMMITS; i++) {
		const struct mmapdb_bytes wanted = value_of(i);
		int error;

		snprintf(key, sizeof(key), "key %d", i);
		error = mmapdb_get(db, text(key), &found);
		/* A refused one may be there after a boot, as a whole. */
		if (life->fates[i] == DONE || (!error && !is_same_boot)) {
			must(db, error);
			assert_int_equal(found.len, wanted.len);
			assert_memory_equal(found.data, wanted.data, found.len);
		} else {
			assert_int_equal(error, -ENOENT);
		}
	}
	mmapdb_close(db);
}

static bool is_synced(int i)
{
	return i < 5 || i >= 8;
}

/* What was not synced is not promised to be there after a boot. */
static void forget_unsynced(struct life *life)
{
	bool is_covered = false;

	for (int i = COMMITS - 1; i >= 0; i--) {
		if (life->fates[i] == DONE && is_synced(i))
			is_covered = true;
		else if (!is_covered)
			life->fates[i] = NOT_TRIED;
	}
}

static void assert_life(struct life *life)
{
	struct mmapdb *db;

	fault.at = 0;
	if (!life->is_created) {
		assert_true(fault.has_failed);
		if (access(life->base.path, F_OK))
			return;
	}
	assert_fates(life, true);
	/* With a disk that works again, compaction is the way back. */
	db = base_open(&life->base, 0);
	if (fault.has_sync_failed) {
		assert_int_equal(mmapdb_begin_write(db, tick_after(PATIENCE)),
				 -EIO);
		assert_non_null(strstr(mmapdb_error(db), "compacted"));
	}
	must(db, mmapdb_compact(db, tick_after(PATIENCE)));
	must(db, commit_one(db, 0));
	life->fates[0] = DONE;
	mmapdb_close(db);
	assert_fates(life, true);
}

static void assert_next_boot(struct life *life)
{
	fault.at = 0;
	if (access(life->base.path, F_OK))
		return;
	unlink(scratch_path(&life->base.scratch, "test.db-lock"));
	forget_unsynced(life);
	assert_fates(life, false);
}

static void fail_everywhere(int error, bool stays)
{
	struct life life;
	int calls;

	fault.at = 0;
	live(&life);
	calls = fault.calls;
	assert_true(calls > 50);
	assert_life(&life);
	scratch_remove(&life.base.scratch);
	for (int at = 1; at <= calls; at++) {
		for (int boots = 0; boots < 2; boots++) {
			/* Half of all that, when there is less time. */
			if (!support_is_stress() && boots != at % 2)
				continue;
			fault.error = error;
			fault.stays = stays;
			fault.at = at;
			live(&life);
			if (boots)
				assert_next_boot(&life);
			else
				assert_life(&life);
			scratch_remove(&life.base.scratch);
		}
	}
}

static void every_call_fails_once(void **state)
{
	(void)state;
	fail_everywhere(EIO, false);
}

static void every_call_and_all_after_it_fail(void **state)
{
	(void)state;
	fail_everywhere(EIO, true);
	fail_everywhere(ENOSPC, true);
}

static void the_disk_is_full_or_the_file_too_large_at_every_call(void **state)
{
	(void)state;
	fail_everywhere(ENOSPC, false);
	fail_everywhere(EFBIG, false);
}

static void every_write_is_short(void **state)
{
	struct life life;

	(void)state;
	fail_everywhere(0, false);
	/* All of them: it takes longer, and nothing else. */
	fault.error = 0;
	fault.stays = true;
	fault.at = 1;
	live(&life);
	for (int i = 0; i < COMMITS; i++)
		assert_int_equal(life.fates[i], DONE);
	assert_life(&life);
	scratch_remove(&life.base.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails_once),
		cmocka_unit_test(every_call_and_all_after_it_fail),
		cmocka_unit_test(
			the_disk_is_full_or_the_file_too_large_at_every_call),
		cmocka_unit_test(every_write_is_short),
	};

	return SUPPORT_MAIN(tests);
}
