/* Each write, sync, growth and change of a name in a short life of a data folder
 * fails once, or from then on, or is short. What fails is never called done, and
 * whoever opens the folder afterwards finds all that was. */
#include "p18-rpc-kv/durable/folder.h"
#include "p18-rpc-kv/durable/hardstate.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "tests/p18/log.h"

enum { ROUNDS = 14, BATCH = 6, STATE_BYTES = 70000 };

/* ---- the calls that fail ----------------------------------------------------- */

static struct {
	int at;     /* which call fails, from 1 on; 0: none */
	int calls;  /* so far */
	int error;  /* 0: a short write */
	bool stays; /* and all later ones, too */
	bool has_failed;
} fault;
static int failed_at; /* for who reads of it */

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

ssize_t __real_pwrite(int fd, const void *bytes, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	ssize_t n;

	if (!is_to_fail())
		return __real_pwrite(fd, bytes, len, at);
	/* Half of it is there, whatever is said about it. */
	n = __real_pwrite(fd, bytes, (len + 1) / 2, at);
	return fault.error ? (errno = fault.error, -1) : n;
}

/* Which read of a start fails, from 1 on; 0: none. */
static int read_at, reads;

ssize_t __real_pread(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t len, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t len, off_t at)
{
	if (++reads != read_at)
		return __real_pread(fd, bytes, len, at);
	errno = EIO;
	return -1;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	return is_to_fail() && fault.error ? -1 : __real_fdatasync(fd);
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

int __real_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_renameat(int from, const char *a, int to, const char *b)
{
	return is_to_fail() && fault.error ? -1
					   : __real_renameat(from, a, to, b);
}

/* Where it fails as we tidy up, nobody needs to be told. */
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags)
{
	const bool had_failed = fault.has_failed;
	const bool fails = is_to_fail() && fault.error;

	fault.has_failed = had_failed;
	return fails ? -1 : __real_unlinkat(dir, name, flags);
}

/* ---- a life ------------------------------------------------------------------ */

struct life {
	struct log log; /* its wal is of the folder below */
	struct folder folder;
	struct hardstate hardstate;
	bool is_formed;
	uint64_t term, tried_term;   /* of the vote */
	uint64_t index, tried_index; /* of the log */
	uint64_t snapshot,
		tried_snapshot; /* its index; the last one's term is 1 */
};

static const char *path_of(struct life *life)
{
	return scratch_path(&life->log.scratch, "data");
}

static int begin(struct life *life)
{
	static const uint8_t shares[1][FOLDER_CLUSTER_BYTES] = {"a share"};
	const struct folder_identity identity = {
		.server = 1, .n_members = 1, .members = {{1, "here:1"}}};
	struct folder *folder = &life->folder;
	int error = folder_open(folder, path_of(life), NULL, &life->log.damage);

	if (!error)
		error = folder_claim(folder, &identity);
	if (!error)
		error = hardstate_create(folder->fd);
	if (!error)
		error = wal_create(folder->fd, LOG_SEGMENT);
	if (!error)
		error = folder_form(folder, shares);
	life->is_formed = !error;
	return error;
}

/* Also after a failure; log.n and so on are what was found. */
static int open_all(struct life *life)
{
	struct snapshot *snapshot = NULL;
	struct wal_position at = {0};
	int error;

	life->log.dir = life->folder.fd;
	error = snapshot_open(&snapshot, life->log.dir, &life->log.damage);
	if (!error)
		at = (struct wal_position){snapshot_info(snapshot)->index,
					   snapshot_info(snapshot)->term};
	snapshot_close(snapshot);
	if (!error || error == -ENOENT)
		error = hardstate_open(&life->hardstate, life->log.dir,
				       &life->log.damage);
	if (!error)
		error = log_try_open(&life->log, at.index, at.term);
	return error;
}

static int take_snapshot(struct life *life, uint64_t index)
{
	static uint8_t bytes[STATE_BYTES];
	const struct snapshot_info info = {
		.index = index, .term = 1, .members_len = 1, .members = "1"};
	struct snapshot_writer *writer;
	int error;

	life->tried_snapshot = index;
	error = snapshot_create(&writer, life->log.dir, &info);
	if (error)
		return error;
	error = snapshot_write(writer, bytes, sizeof(bytes));
	if (error)
		snapshot_abort(writer);
	else
		error = snapshot_commit(writer);
	if (error)
		return error;
	life->snapshot = index;
	error = wal_drop(life->log.wal, index);
	return error ? error : snapshot_drop(life->log.dir, index);
}

/* One that a leader has sent, far beyond our log. */
static int install_snapshot(struct life *life, uint64_t index)
{
	struct snapshot_receiver *receiver;
	struct snapshot *snapshot;
	struct wal_position at = {index, 1};
	uint8_t bytes[STATE_BYTES + 100];
	uint64_t next;
	ssize_t n;
	int error = take_snapshot(life, index); /* to have one to send */

	if (!error)
		error = snapshot_open_at(&snapshot, life->log.dir, index,
					 &life->log.damage);
	if (error)
		return error;
	n = snapshot_chunk(snapshot, 0, bytes, sizeof(bytes));
	snapshot_close(snapshot);
	error = snapshot_receive(&receiver, life->log.dir, index, 1,
				 (uint64_t)n, UINT64_MAX);
	if (error)
		return error;
	error = snapshot_chunk_in(receiver, 0, bytes, (size_t)n, &next);
	if (error)
		snapshot_receive_abort(receiver);
	else
		error = snapshot_receive_end(receiver, &life->log.damage);
	if (!error)
		error = wal_reset(life->log.wal, at);
	if (!error)
		life->index = life->tried_index = index;
	return error;
}

static int live_a_round(struct life *life, int round)
{
	int error = 0;

	if (round % 4 == 1) {
		life->tried_term = life->term + 1;
		error = hardstate_set(&life->hardstate, life->tried_term, 1);
		if (!error)
			life->term = life->tried_term;
	}
	if (!error && round % 3 == 0)
		error = wal_prepare(life->log.wal);
	if (error)
		return error;
	life->tried_index = life->index + BATCH;
	error = log_append(life->log.wal, life->index + 1, life->tried_index,
			   1);
	if (error && wal_may_try_again(life->log.wal, error))
		life->tried_index = life->index;
	if (!error)
		error = wal_sync(life->log.wal);
	if (!error)
		life->index = life->tried_index;
	if (!error && round == 7)
		error = take_snapshot(life, life->index - 3);
	if (!error && round == 11)
		error = install_snapshot(life, life->index + 100);
	return error;
}

static int live(struct life *life)
{
	int error;

	memset(life, 0, sizeof(*life));
	life->folder.fd = life->folder.lock = life->hardstate.fd = -1;
	scratch_make(&life->log.scratch);
	fault.calls = 0;
	fault.has_failed = false;
	error = begin(life);
	if (!error)
		error = open_all(life);
	for (int round = 1; round <= ROUNDS && !error; round++)
		error = live_a_round(life, round);
	return error;
}

static void let_go(struct life *life)
{
	wal_close(life->log.wal);
	life->log.wal = NULL;
	hardstate_close(&life->hardstate);
	folder_close(&life->folder);
}

/* ---- afterwards -------------------------------------------------------------- */

static void must(struct life *life, int error)
{
	if (error)
		fail_msg("call %d (%s%s): %s: %s", failed_at,
			 strerror(fault.error), fault.stays ? ", stays" : "",
			 strerror(-error), life->log.damage.text);
}

/* The next process, with a disk that works. */
static void assert_all_is_there(struct life *life)
{
	uint64_t first;

	let_go(life);
	must(life, folder_open(&life->folder, path_of(life), NULL,
			       &life->log.damage));
	if (!life->is_formed && !life->folder.identity.is_formed)
		return;
	assert_true(life->folder.identity.is_formed);
	must(life, open_all(life));
	assert_true(life->hardstate.term >= life->term &&
		    life->hardstate.term <= (life->tried_term > life->term
						     ? life->tried_term
						     : life->term));
	first = wal_before(life->log.wal).index;
	assert_true(first <= life->tried_snapshot);
	assert_true(wal_last(life->log.wal).index >= life->index);
	assert_true(wal_last(life->log.wal).index <= life->tried_index ||
		    wal_last(life->log.wal).index == life->tried_snapshot);
	/* And it goes on. */
	first = wal_last(life->log.wal).index;
	log_put(&life->log, first + 1, first + 3, 1);
}

static void fail_everywhere(int error, bool stays)
{
	struct life life;
	int calls;

	fault.at = 0;
	assert_int_equal(live(&life), 0);
	calls = fault.calls;
	assert_true(calls > 100);
	assert_all_is_there(&life);
	let_go(&life);
	scratch_remove(&life.log.scratch);
	fault.error = error;
	fault.stays = stays;
	for (int at = 1; at <= calls; at += support_is_valgrind() ? 11 : 1) {
		int became;

		fault.at = at;
		became = live(&life);
		if (fault.has_failed)
			assert_int_not_equal(became, 0);
		failed_at = at;
		fault.at = 0;
		assert_all_is_there(&life);
		let_go(&life);
		scratch_remove(&life.log.scratch);
	}
}

static void every_call_fails_once(void **unused)
{
	(void)unused;
	fail_everywhere(EIO, false);
}

static void every_call_and_all_after_it_fail(void **unused)
{
	(void)unused;
	fail_everywhere(EIO, true);
}

static void the_disk_is_full_at_every_call(void **unused)
{
	(void)unused;
	fail_everywhere(ENOSPC, false);
	fail_everywhere(ENOSPC, true);
}

/* To the end of the snapshot, too. */
static int read_again(struct life *life)
{
	struct snapshot *snapshot = NULL;
	char bytes[4096];
	ssize_t n;
	int error = folder_open(&life->folder, path_of(life), NULL,
				&life->log.damage);

	reads = 0;
	if (!error)
		error = open_all(life);
	if (!error)
		error = snapshot_open(&snapshot, life->folder.fd,
				      &life->log.damage);
	while (!error && (n = snapshot_read(snapshot, bytes, sizeof(bytes))))
		error = n < 0 ? (int)n : 0;
	snapshot_close(snapshot);
	return error;
}

/* A disk that does not give it back has not damaged it. */
static void every_read_fails_once(void **unused)
{
	struct life life;
	int calls;

	(void)unused;
	fault.at = 0;
	assert_int_equal(live(&life), 0);
	let_go(&life);
	assert_int_equal(read_again(&life), 0);
	calls = reads;
	assert_true(calls > 8);
	for (read_at = 1; read_at <= calls; read_at++) {
		let_go(&life);
		assert_int_equal(read_again(&life), -EIO);
	}
	read_at = 0;
	let_go(&life);
	assert_int_equal(read_again(&life), 0);
	let_go(&life);
	scratch_remove(&life.log.scratch);
}

static void every_write_is_short(void **unused)
{
	struct life life;

	(void)unused;
	fail_everywhere(0, false);
	fault.at = 1;
	fault.stays = true;
	assert_int_equal(live(&life), 0);
	fault.at = 0;
	assert_all_is_there(&life);
	let_go(&life);
	scratch_remove(&life.log.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails_once),
		cmocka_unit_test(every_call_and_all_after_it_fail),
		cmocka_unit_test(the_disk_is_full_at_every_call),
		cmocka_unit_test(every_read_fails_once),
		cmocka_unit_test(every_write_is_short),
	};

	return SUPPORT_MAIN(tests);
}
