/* The dispatcher or a submitter is struck wherever it is, here or in a PID
 * namespace of its own: the jobs of all others have run within a second, by the
 * next dispatcher, who is let in when the last one is dead and not before; and
 * none runs beside itself.
 * timeout: 900 */
#include "p04-posix-mq/dispatcher.h"

#include "tests/support/support.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/durable/record.h"
#include "tests/support/scratch.h"
#include "tests/support/survivors.h"

enum { SUBMITTERS = 2 };

static struct scratch scratch;
static char path[128]; /* of the journal */
static char queue_name[64];
static int stop_fd; /* readable when the dispatcher is to end */

/* ---- the dispatcher ---------------------------------------------------------- */

static struct journal journal; /* of each process */
static struct jobqueue queue = {.mq = -1};

static int enter_dispatcher(struct survivors_actor *self)
{
	bool is_new;
	pid_t holder;
	int error;

	(void)self;
	error = journal_open(&journal, path, false);
	if (!error)
		error = journal_serve(&journal, tick_after(TICK_S / 2),
				      &holder);
	if (!error)
		error = jobqueue_serve(&queue, queue_name, SUBMITTERS, 1024,
				       &is_new);
	return error;
}

static int report(enum dispatcher_event event, const struct job *job, long n,
		  void *arg)
{
	(void)job, (void)n, (void)arg;
	return event == DISPATCHER_UNSOUND || event == DISPATCHER_FAILED
		       ? -EBADE
		       : 0;
}

static int dispatch(struct survivors_actor *self)
{
	static struct outlet out = {.fd = STDERR_FILENO};
	const struct dispatcher_options options = {
		.journal = &journal,
		.queue = &queue,
		.wake = WAKE_NOTIFY,
		.workers = 2,
		.max_attempts = UINT32_MAX,
		.stop_fd = stop_fd,
		.out = &out,
		.err = &out,
		.report = report,
	};

	(void)self;
	return dispatcher_run(&options);
}

static void leave_dispatcher(struct survivors_actor *self)
{
	(void)self;
	jobqueue_remove(&queue, queue_name);
	jobqueue_close(&queue);
	journal_close(&journal);
}

/* ---- submitters -------------------------------------------------------------- */

static int enter_submitter(struct survivors_actor *self)
{
	(void)self;
	return journal_open(&journal, path, false);
}

/* The record, to learn of the end, or -errno. */
static int submit(struct job *job, int64_t deadline)
{
	struct journal_submission submission;
	int error = journal_submission_begin(&submission, &journal, queue_name,
					     job);
	int record;

	if (error)
		return error;
	error = journal_submission_send(&submission, deadline);
	record = submission.record;
	if (!error)
		submission.record = -1;
	journal_submission_end(&submission);
	return error ? error : record;
}

static int wait_for_end(int record, int64_t deadline)
{
	int watch = record_watch(record), rc;
	uint32_t outcome = 0;

	if (watch < 0)
		return watch;
	while ((rc = record_has_ended(record, &outcome)) == 0) {
		char events[4096];

		rc = fdio_wait(watch, POLLIN, deadline);
		if (rc < 0)
			break;
		if (read(watch, events, sizeof(events)) < 0) {
			rc = -errno;
			break;
		}
	}
	close(watch);
	close(record);
	if (rc < 0)
		return rc;
	return outcome == RECORD_EXITED ? 0 : -EBADE;
}

static int have_it_run(struct survivors_actor *self)
{
	const int64_t deadline = tick_after(10 * TICK_S);
	const unsigned int number = survivors_self(self);
	char command[512];
	struct job *job;
	int rc;

	snprintf(command, sizeof(command),
		 "cd %s; exec 9>>lock.%u.%u; flock -n 9 || echo %u >>overlap",
		 scratch.dir, number, (unsigned int)self->steps, number);
	rc = job_new(command, number % 32, &job);
	if (rc)
		return rc;
	rc = submit(job, deadline);
	free(job);
	return rc < 0 ? rc : wait_for_end(rc, deadline);
}

static void leave_submitter(struct survivors_actor *self)
{
	(void)self;
	journal_close(&journal);
}

/* ---- the play ---------------------------------------------------------------- */

static void prepare(void *stage)
{
	struct journal new;

	(void)stage;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "journal"));
	snprintf(queue_name, sizeof(queue_name), "/ipc.p04-survivors.%d",
		 (int)getpid());
	assert_int_equal(journal_open(&new, path, true), 0);
	journal_close(&new);
	stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(stop_fd >= 0);
}

static void finish(void *stage)
{
	(void)stage;
	assert_int_equal(eventfd_write(stop_fd, 1), 0);
}

static void check(void *stage)
{
	(void)stage;
	assert_int_equal(access(scratch_path(&scratch, "overlap"), F_OK), -1);
}

static void clear(void *stage)
{
	(void)stage;
	close(stop_fd);
	mq_unlink(queue_name);
	scratch_remove(&scratch);
}

static void jobs_have_run_within_a_second_of_a_death(void **state)
{
	static const struct survivors_play play = {
		.name = "P04 dispatcher",
		.role = {{.name = "dispatcher",
			  .count = 1,
			  .enter = enter_dispatcher,
			  .step = dispatch,
			  .leave = leave_dispatcher,
			  .refusal = -EBUSY,
			  .stays = true},
			 {.name = "submitter",
			  .count = SUBMITTERS,
			  .enter = enter_submitter,
			  .step = have_it_run,
			  .leave = leave_submitter}},
		.promise_ns = TICK_S,
		.rounds = 10,
		.calls = {SYS_poll, SYS_fdatasync, SYS_mq_timedsend},
		.life_ns = 20 * TICK_MS,
		.prepare = prepare,
		.finish = finish,
		.check = check,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_have_run_within_a_second_of_a_death),
	};

	return SUPPORT_MAIN(tests);
}
