/* The journal's directory and the records in it. */
#include "p04-posix-mq/durable/journal.h"

#include "tests/p04/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&f);
	return 0;
}

/* ---- the directory ----------------------------------------------------------- */

static void a_journal_that_is_not_there_is_made_only_when_asked(void **state)
{
	struct journal journal;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s", scratch_path(&f.scratch, "other"));
	assert_int_equal(journal_open(&journal, path, false), -ENOENT);
	assert_int_equal(journal_open(&journal, path, true), 0);
	assert_int_not_equal(journal.identity, f.journal.identity);
	journal_close(&journal);
	assert_int_equal(journal_open(&journal, path, false), 0);
	journal_close(&journal);
}

static void a_journal_that_others_may_enter_is_not_trusted(void **state)
{
	struct journal journal;

	(void)state;
	assert_int_equal(chmod(f.path, 0750), 0);
	assert_int_equal(journal_open(&journal, f.path, true), -EPERM);
	assert_int_equal(chmod(f.path, 0700), 0);
}

static void a_link_in_the_place_of_a_journal_is_not_followed(void **state)
{
	struct journal journal;
	char link[256];

	(void)state;
	snprintf(link, sizeof(link), "%s", scratch_path(&f.scratch, "link"));
	assert_int_equal(symlink(f.path, link), 0);
	assert_int_equal(journal_open(&journal, link, true), -ENOTDIR);
}

static void open_with_head(const void *bytes, size_t n, int wanted)
{
	struct journal journal;

	scratch_write(&f.scratch, "journal/head", bytes, n);
	assert_int_equal(journal_open(&journal, f.path, true), wanted);
}

static void a_head_of_another_version_or_kind_is_refused(void **state)
{
	struct journal_head head;

	(void)state;
	assert_int_equal(pread(f.journal.head, &head, sizeof(head), 0),
			 sizeof(head));
	head.version++;
	open_with_head(&head, sizeof(head), -EPROTONOSUPPORT);
	/* Another version need not have as much in it. */
	open_with_head(&head, 12, -EPROTONOSUPPORT);
	open_with_head(&head, 11, -EBADMSG);
	head.version--;
	open_with_head(&head, 12, -EBADMSG);
	open_with_head(&head, sizeof(head) - 1, -EBADMSG);
	open_with_head("", 0, -EBADMSG);
	head.magic[0]++;
	open_with_head(&head, sizeof(head), -EBADMSG);
	/* As version 1 had it. */
	memcpy(&head, "UIPCJOBS\1\0\0", 12);
	head.crc = 0;
	open_with_head(&head, sizeof(head), -EPROTONOSUPPORT);
}

static int take_ids(void *arg)
{
	struct journal journal;
	uint64_t id, before = 0;

	(void)arg;
	if (journal_open(&journal, f.path, false))
		return 1;
	for (int i = 0; i < 50; i++) {
		if (journal_next_id(&journal, &id) || id <= before)
			return 2;
		before = id;
	}
	journal_close(&journal);
	return 0;
}

static void ids_are_given_once_also_to_processes_at_once(void **state)
{
	pid_t pid[4];
	uint64_t last;
	int status;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(child_fork(take_ids, NULL, &pid[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			child_wait(pid[i], tick_after(20 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
	}
	/* Had two of them got the same one, the last would be lower. */
	assert_int_equal(journal_last_id(&f.journal, &last), 0);
	assert_int_equal(last, 200);
}

static void who_has_taken_an_id_keeps_nobody_from_the_next(void **state)
{
	struct journal other;
	uint64_t first, second;

	(void)state;
	assert_int_equal(journal_open(&other, f.path, false), 0);
	assert_int_equal(journal_next_id(&f.journal, &first), 0);
	assert_int_equal(fdio_lock(other.head, LOCK_EX | LOCK_NB, tick_now()),
			 0);
	flock(other.head, LOCK_UN);
	assert_int_equal(journal_next_id(&other, &second), 0);
	assert_int_equal(second, first + 1);
	journal_close(&other);
}

static void after_the_last_id_there_is_none(void **state)
{
	struct journal_head head;
	struct journal journal;
	uint64_t id = 0;

	(void)state;
	assert_int_equal(pread(f.journal.head, &head, sizeof(head), 0),
			 sizeof(head));
	head.last_id = UINT64_MAX - 1;
	head.crc = 0;
	head.crc = crc32c(&head, sizeof(head));
	scratch_write(&f.scratch, "journal/head", &head, sizeof(head));
	assert_int_equal(journal_open(&journal, f.path, false), 0);
	assert_int_equal(journal_next_id(&journal, &id), 0);
	assert_true(id == UINT64_MAX);
	assert_int_equal(journal_next_id(&journal, &id), -EOVERFLOW);
	journal_close(&journal);
}

static void a_submission_that_fails_lets_the_journal_be_closed(void **state)
{
	struct journal_submission submission;
	struct journal other;
	struct job *job;

	(void)state;
	assert_int_equal(job_new("true", 0, &job), 0);
	assert_int_equal(journal_submission_begin(&submission, &f.journal,
						  f.queue_name, job),
			 -ENOENT);
	assert_int_equal(journal_open(&other, f.path, false), 0);
	assert_int_equal(journal_try_close(&other), 0);
	journal_close(&other);
	free(job);
}

static void one_dispatcher_holds_it_until_it_closes(void **state)
{
	struct journal other;
	pid_t holder = 0;

	(void)state;
	assert_false(journal_is_served(&f.journal));
	assert_int_equal(journal_serve(&f.journal, TICK_NEVER, &holder), 0);
	assert_true(journal_is_served(&f.journal));
	assert_int_equal(journal_open(&other, f.path, false), 0);
	assert_int_equal(journal_serve(&other, TICK_NEVER, &holder), -EBUSY);
	assert_int_equal(holder, getpid());
	journal_close(&f.journal);
	assert_int_equal(journal_serve(&other, tick_now(), &holder), 0);
	journal_close(&other);
	assert_int_equal(journal_open(&f.journal, f.path, false), 0);
}

/* A dispatcher that is gone, with a worker that is not: the lock is still
 * held, by no living holder. */
static int serve_and_leave_a_child(void *arg)
{
	int *pipe_fds = arg;
	struct journal journal;
	pid_t holder;
	char c;

	if (journal_open(&journal, f.path, false) ||
	    journal_serve(&journal, TICK_NEVER, &holder))
		return 1;
	switch (fork()) {
	case -1:
		return 2;
	case 0:
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &c, 1) != 0);
	default:
		return 0;
	}
}

static void a_new_dispatcher_waits_for_the_workers_of_a_dead_one(void **state)
{
	pid_t holder = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(
		support_child_status(serve_and_leave_a_child, fds, 10000), 0);
	assert_int_equal(
		journal_serve(&f.journal, tick_after(20 * TICK_MS), &holder),
		-ETIMEDOUT);
	close(fds[0]);
	close(fds[1]); /* now the child ends */
	assert_int_equal(
		journal_serve(&f.journal, tick_after(10 * TICK_S), &holder), 0);
}

static bool holds_role;

/* Whoever has the journal is of a PID namespace that we know nothing of: dead or
 * not, it may live. */
static int serve_elsewhere(void *arg)
{
	struct identity_process us;
	struct journal journal;
	pid_t holder;

	if (journal_open(&journal, f.path, false) ||
	    journal_serve(&journal, TICK_NEVER, &holder) || identity_self(&us))
		return 1;
	us.place.pid.inode++;
	us.place.pid.id++;
	if (pwrite(journal.dispatcher.fd, &us, sizeof(us), 0) != sizeof(us))
		return 2;
	if (!holds_role)
		journal_close(&journal);
	if (write(*(const int *)arg, "", 1) != 1)
		return 3;
	pause();
	return 4;
}

static void a_dispatcher_in_another_namespace_is_known_by_what_it_holds(
	void **state)
{
	pid_t holder = 4711, pid;
	int ready;

	(void)state;
	holds_role = true;
	pid = support_start(serve_elsewhere, &ready, &ready, 20000);
	assert_true(journal_is_served(&f.journal));
	assert_int_equal(
		journal_serve(&f.journal, tick_after(20 * TICK_MS), &holder),
		-EBUSY);
	assert_int_equal(holder, 0);
	support_kill(&pid);
	holds_role = false;
	pid = support_start(serve_elsewhere, &ready, &ready, 20000);
	assert_false(journal_is_served(&f.journal));
	assert_int_equal(journal_serve(&f.journal, tick_now(), &holder), 0);
	support_kill(&pid);
}

static void it_cannot_be_closed_while_a_submitter_is_in(void **state)
{
	struct journal other;

	(void)state;
	assert_int_equal(journal_open(&other, f.path, false), 0);
	assert_int_equal(journal_enter(&f.journal), 0);
	assert_int_equal(journal_try_close(&other), -EBUSY);
	journal_leave(&f.journal);
	assert_int_equal(journal_try_close(&other), 0);
	journal_leave(&other);
	assert_int_equal(journal_enter(&f.journal), 0);
	journal_leave(&f.journal);
	journal_close(&other);
}

/* ---- records --------------------------------------------------------------------- */

static int create(uint64_t id, const char *command)
{
	struct job *job;
	int fd;

	assert_int_equal(job_new(command, 5, &job), 0);
	job->id = id;
	fd = record_create(f.journal.dir, job);
	free(job);
	return fd;
}

static void a_record_gives_back_what_was_put_in(void **state)
{
	struct record_head head;
	struct job *job;
	int fd = create(7, "echo seven"), again;

	(void)state;
	assert_true(fd >= 0);
	again = record_open(f.journal.dir, 7);
	assert_true(again >= 0);
	assert_int_equal(record_read(again, &head, &job), 0);
	assert_int_equal(head.outcome, RECORD_PENDING);
	assert_int_equal(head.leader.pid, 0);
	assert_int_equal(job->id, 7);
	assert_int_equal(job->priority, 5);
	assert_string_equal(job->command, "echo seven");
	free(job);
	assert_int_equal(record_open(f.journal.dir, 8), -ENOENT);
	close(again);
	close(fd);
}

static void a_record_is_being_submitted_until_it_is_committed(void **state)
{
	int fd = create(1, "true"), other = record_open(f.journal.dir, 1);

	(void)state;
	assert_true(record_is_being_submitted(other));
	assert_int_equal(record_commit(fd), 0);
	assert_false(record_is_being_submitted(other));
	close(other);
	close(fd);
}

static void an_id_given_twice_is_refused_and_nothing_is_left(void **state)
{
	int fd = create(1, "first");
	struct record_head head;
	struct job *job;

	(void)state;
	assert_int_equal(create(1, "second"), -EEXIST);
	assert_int_equal(record_read(fd, &head, &job), 0);
	assert_string_equal(job->command, "first");
	free(job);
	assert_int_equal(faccessat(f.journal.dir, "1.tmp", F_OK, 0), -1);
	close(fd);
}

static void notes_are_read_back(void **state)
{
	int fd = create(1, "true");
	struct identity_process self;
	struct record_head head;

	(void)state;
	assert_int_equal(identity_self(&self), 0);
	assert_int_equal(record_note_group(fd, &self), 0);
	assert_int_equal(record_note_attempts(fd, 2), 0);
	assert_int_equal(record_note_outcome(fd, RECORD_EXITED | 137), 0);
	assert_int_equal(record_read(fd, &head, NULL), 0);
	assert_true(identity_is_same(&head.leader, &self));
	assert_int_equal(head.attempts, 2);
	assert_int_equal(head.outcome, RECORD_EXITED | 137);
	close(fd);
}

static void who_holds_a_removed_record_reads_its_outcome(void **state)
{
	int fd = create(1, "true"), watch = record_watch(fd);
	struct pollfd pfd = {.fd = watch, .events = POLLIN};
	uint32_t outcome;

	(void)state;
	assert_true(watch >= 0);
	assert_int_equal(record_note_outcome(fd, RECORD_EXITED | 3), 0);
	assert_int_equal(record_has_ended(fd, &outcome), 0);
	assert_int_equal(record_remove(f.journal.dir, 1), 0);
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	assert_int_equal(record_has_ended(fd, &outcome), 1);
	assert_int_equal(outcome, RECORD_EXITED | 3);
	assert_int_equal(record_remove(f.journal.dir, 1), 0);
	close(watch);
	close(fd);
}

static void a_record_of_another_version_is_not_called_damaged(void **state)
{
	int fd = create(1, "true");
	struct record_head head, other;

	(void)state;
	assert_int_equal(record_read(fd, &head, NULL), 0);
	other = head;
	other.version = RECORD_VERSION - 1;
	other.crc++;
	assert_int_equal(pwrite(fd, &other, sizeof(other), 0), sizeof(other));
	assert_int_equal(record_read(fd, &head, NULL), -EPROTONOSUPPORT);
	assert_int_equal(ftruncate(fd, 8), 0);
	assert_int_equal(record_read(fd, &head, NULL), -EPROTONOSUPPORT);
	assert_int_equal(ftruncate(fd, 7), 0);
	assert_int_equal(record_read(fd, &head, NULL), -EBADMSG);
	/* One bit of ours: all else fits. */
	other.crc--;
	assert_int_equal(pwrite(fd, &other, sizeof(other), 0), sizeof(other));
	assert_int_equal(record_read(fd, &head, NULL), -EBADMSG);
	close(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static int syncs; /* until one fails; 0: none does */

static bool fails_now(void)
{
	errno = EIO;
	return syncs > 0 && --syncs == 0;
}

int __wrap_fsync(int fd)
{
	return fails_now() ? -1 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	return fails_now() ? -1 : __real_fdatasync(fd);
}

/* Of the file, and of its name. */
static void a_record_that_the_disk_does_not_take_is_none(void **state)
{
	int before = support_count_fds();

	(void)state;
	for (int i = 1; i <= 2; i++) {
		syncs = i;
		assert_int_equal(create(1, "true"), -EIO);
		assert_int_equal(syncs, 0);
		assert_int_equal(fixture_jobs(&f), 0);
		assert_int_equal(faccessat(f.journal.dir, "1.tmp", F_OK, 0),
				 -1);
		assert_int_equal(support_count_fds(), before);
	}
}

static void an_id_that_the_disk_does_not_take_is_not_given(void **state)
{
	uint64_t id;

	(void)state;
	syncs = 1;
	assert_int_equal(journal_next_id(&f.journal, &id), -EIO);
	assert_int_equal(syncs, 0);
	assert_int_equal(journal_next_id(&f.journal, &id), 0);
}

/* Of the folder's name, of the head, and of its name. */
static void a_journal_that_the_disk_does_not_take_is_not_made(void **state)
{
	int before = support_count_fds();
	struct journal journal;
	char path[256];

	(void)state;
	for (int i = 1; i <= 3; i++) {
		snprintf(path, sizeof(path), "%s%d",
			 scratch_path(&f.scratch, "other"), i);
		syncs = i;
		assert_int_equal(journal_open(&journal, path, true), -EIO);
		assert_int_equal(syncs, 0);
		assert_int_equal(support_count_fds(), before);
	}
}

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);

static int entries; /* until one cannot be read; 0: all can */

struct dirent *__wrap_readdir(DIR *dir)
{
	if (entries == 0 || --entries > 0)
		return __real_readdir(dir);
	errno = EIO;
	return NULL;
}

/* Not every record, and not the highest id. */
static void a_folder_that_cannot_be_read_to_its_end_is_an_error(void **state)
{
	int before = support_count_fds(), times = 0;
	struct journal journal;

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		close(create(id, "true"));
	entries = 2;
	assert_int_equal(journal_each(&f.journal, fixture_visit, &times), -EIO);
	assert_int_equal(entries, 0);
	assert_true(times < 3);
	assert_int_equal(unlinkat(f.journal.dir, "head", 0), 0);
	entries = 2;
	assert_int_equal(journal_open(&journal, f.path, true), -EIO);
	assert_int_equal(entries, 0);
	assert_int_equal(faccessat(f.journal.dir, "head", F_OK, 0), -1);
	assert_int_equal(support_count_fds(), before);
}

static void the_longest_command_makes_a_sound_record(void **state)
{
	char *command = malloc(JOB_COMMAND_MAX);
	struct record_head head;
	int fd;

	(void)state;
	memset(command, 'x', JOB_COMMAND_MAX - 1);
	command[JOB_COMMAND_MAX - 1] = '\0';
	fd = create(1, command);
	assert_int_equal(record_read(fd, &head, NULL), 0);
	/* One byte more is none. */
	assert_int_equal(pwrite(fd, "", 1, lseek(fd, 0, SEEK_END)), 1);
	assert_int_equal(record_read(fd, &head, NULL), -EBADMSG);
	close(fd);
	free(command);
}

/* Its checksums are right. */
static void a_head_that_says_what_cannot_be_is_not_sound(void **state)
{
	_Alignas(struct job) unsigned char bytes[256];
	struct record_head *head = (struct record_head *)(void *)bytes;
	const struct job *job;
	int fd = create(1, "true");
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	(void)state;
	assert_true(n > 0);
	head->outcome = RECORD_FAILED;
	record_seal(bytes, (size_t)n);
	assert_int_equal(record_check(bytes, (size_t)n, &job), 0);
	head->outcome = RECORD_FAILED + 1;
	record_seal(bytes, (size_t)n);
	assert_int_equal(record_check(bytes, (size_t)n, &job), -EBADMSG);
	head->outcome = RECORD_PENDING;
	head->leader.pid = -1;
	record_seal(bytes, (size_t)n);
	assert_int_equal(record_check(bytes, (size_t)n, &job), -EBADMSG);
	close(fd);
}

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

/* The second half of a head, and the reading before which it is written. */
static struct {
	int fd, readings;
	struct record_head head;
} note = {.fd = -1};

int64_t __wrap_tick_after(int64_t timeout_ns)
{
	if (note.fd >= 0 && timeout_ns == TICK_MS && --note.readings == 0) {
		assert_int_equal(
			pwrite(note.fd, &note.head, sizeof(note.head), 0),
			sizeof(note.head));
		note.fd = -1;
	}
	return __real_tick_after(timeout_ns);
}

static void a_note_that_is_written_by_halves_is_waited_for(void **state)
{
	int fd = create(1, "true");
	struct record_head head;

	(void)state;
	assert_int_equal(record_read(fd, &note.head, NULL), 0);
	head = note.head;
	head.attempts++;
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	note.fd = fd;
	note.readings = 2;
	assert_int_equal(record_read(fd, &head, NULL), 0);
	assert_int_equal(note.fd, -1);
	close(fd);
}

static void who_watches_a_record_sees_it_set_aside(void **state)
{
	int fd = create(1, "true"), watch = record_watch(fd);
	struct pollfd pfd = {.fd = watch, .events = POLLIN};

	(void)state;
	assert_true(watch >= 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(record_set_aside(f.journal.dir, 1), 0);
	assert_int_equal(poll(&pfd, 1, 20000), 1);
	close(watch);
	close(fd);
}

static void a_record_cut_short_anywhere_is_not_sound(void **state)
{
	int fd = create(1, "true");
	struct record_head head;
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	while (st.st_size-- > 0) {
		assert_int_equal(ftruncate(fd, st.st_size), 0);
		assert_int_equal(record_read(fd, &head, NULL), -EBADMSG);
	}
	close(fd);
	assert_int_equal(record_set_aside(f.journal.dir, 1), 0);
	assert_int_equal(fixture_jobs(&f), 0);
	assert_int_equal(faccessat(f.journal.dir, "1.bad", F_OK, 0), 0);
}

static void only_whole_records_are_visited(void **state)
{
	(void)state;
	scratch_write(&f.scratch, "journal/2.tmp", "x", 1);
	scratch_write(&f.scratch, "journal/3.bad", "x", 1);
	scratch_write(&f.scratch, "journal/x.job", "x", 1);
	scratch_write(&f.scratch, "journal/0.job", "x", 1);
	scratch_write(&f.scratch, "journal/99999999999999999999.job", "x", 1);
	close(create(12, "true"));
	assert_int_equal(fixture_jobs(&f), 1);
}

static void half_written_records_are_swept_when_nobody_writes(void **state)
{
	struct journal other;

	(void)state;
	assert_int_equal(journal_open(&other, f.path, false), 0);
	scratch_write(&f.scratch, "journal/2.tmp", "x", 1);
	assert_int_equal(journal_enter(&other), 0);
	assert_int_equal(journal_sweep(&f.journal), 0);
	assert_int_equal(faccessat(f.journal.dir, "2.tmp", F_OK, 0), 0);
	journal_leave(&other);
	assert_int_equal(journal_sweep(&f.journal), 0);
	assert_int_equal(faccessat(f.journal.dir, "2.tmp", F_OK, 0), -1);
	journal_close(&other);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_journal_that_is_not_there_is_made_only_when_asked),
		CASE(a_journal_that_others_may_enter_is_not_trusted),
		CASE(a_link_in_the_place_of_a_journal_is_not_followed),
		CASE(a_head_of_another_version_or_kind_is_refused),
		CASE(ids_are_given_once_also_to_processes_at_once),
		CASE(who_has_taken_an_id_keeps_nobody_from_the_next),
		CASE(after_the_last_id_there_is_none),
		CASE(a_submission_that_fails_lets_the_journal_be_closed),
		CASE(one_dispatcher_holds_it_until_it_closes),
		CASE(a_dispatcher_in_another_namespace_is_known_by_what_it_holds),
		CASE(a_new_dispatcher_waits_for_the_workers_of_a_dead_one),
		CASE(it_cannot_be_closed_while_a_submitter_is_in),
		CASE(a_record_gives_back_what_was_put_in),
		CASE(a_record_is_being_submitted_until_it_is_committed),
		CASE(an_id_given_twice_is_refused_and_nothing_is_left),
		CASE(notes_are_read_back),
		CASE(who_holds_a_removed_record_reads_its_outcome),
		CASE(a_record_of_another_version_is_not_called_damaged),
		CASE(a_record_that_the_disk_does_not_take_is_none),
		CASE(an_id_that_the_disk_does_not_take_is_not_given),
		CASE(a_journal_that_the_disk_does_not_take_is_not_made),
		CASE(a_folder_that_cannot_be_read_to_its_end_is_an_error),
		CASE(the_longest_command_makes_a_sound_record),
		CASE(a_head_that_says_what_cannot_be_is_not_sound),
		CASE(a_note_that_is_written_by_halves_is_waited_for),
		CASE(who_watches_a_record_sees_it_set_aside),
		CASE(a_record_cut_short_anywhere_is_not_sound),
		CASE(only_whole_records_are_visited),
		CASE(half_written_records_are_swept_when_nobody_writes),
	};
	return SUPPORT_MAIN(tests);
}
