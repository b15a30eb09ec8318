/* fixture.h - a journal and a queue for each case alone, a dispatcher in a
 * child, and jobs that note that they ran. One test program includes it once;
 * not every one needs all of it. */
#ifndef UNIXIPC_TESTS_P04_FIXTURE_H
#define UNIXIPC_TESTS_P04_FIXTURE_H

#include "p04-posix-mq/dispatcher.h"

#include "tests/support/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/durable/record.h"
#include "tests/support/scratch.h"

#define CAPACITY 8

struct fixture {
	struct scratch scratch;
	char path[256]; /* of the journal */
	char queue_name[64];
	struct journal journal; /* the test's own view of it */
};

__attribute__((unused)) static void fixture_make(struct fixture *f)
{
	scratch_make(&f->scratch);
	snprintf(f->path, sizeof(f->path), "%s",
		 scratch_path(&f->scratch, "journal"));
	snprintf(f->queue_name, sizeof(f->queue_name), "/ipc.p04-test.%d",
		 (int)getpid());
	assert_int_equal(journal_open(&f->journal, f->path, true), 0);
}

__attribute__((unused)) static void fixture_remove(struct fixture *f)
{
	journal_close(&f->journal);
	mq_unlink(f->queue_name);
	scratch_remove(&f->scratch);
}

/* Make the queue, which no dispatcher serves yet. */
__attribute__((unused)) static void fixture_make_queue(struct fixture *f)
{
	struct jobqueue queue;
	bool is_new;

	assert_int_equal(
		jobqueue_serve(&queue, f->queue_name, CAPACITY, 1024, &is_new),
		0);
	jobqueue_close(&queue);
}

/* Submit a command without waiting for room; its id, or -errno. Fit for
 * children: asserts nothing. */
__attribute__((unused)) static int64_t fixture_submit(struct fixture *f,
						      struct journal *journal,
						      const char *command,
						      uint32_t priority)
{
	struct journal_submission submission;
	struct job *job;
	int64_t id;
	int error = job_new(command, priority, &job);

	if (error)
		return error;
	error = journal_submission_begin(&submission, journal, f->queue_name,
					 job);
	if (!error) {
		error = journal_submission_send(&submission,
						tick_after(60 * TICK_S));
		journal_submission_end(&submission);
	}
	id = error ? error : (int64_t)job->id;
	free(job);
	return id;
}

/* A dispatcher in a child: what it is told, and where it writes what it
 * does, a line an event: "started 1", "ended 1 0". */
struct fixture_dispatcher {
	struct fixture *f;
	struct dispatcher_options options;
	int events; /* -1: nowhere */
	int report; /* what report() returns */
};

static struct outlet fixture_outlet = {.fd = STDERR_FILENO};

static const struct dispatcher_options fixture_options
	__attribute__((unused)) = {
		.wake = WAKE_NOTIFY,
		.workers = 1,
		.max_attempts = 3,
		.stop_fd = -1,
		.out = &fixture_outlet,
		.err = &fixture_outlet,
};

__attribute__((unused)) static int fixture_report(enum dispatcher_event event,
						  const struct job *job, long n,
						  void *arg)
{
	static const char *const words[] = {
		"started",  "ended",   "died",  "failed", "held",   "found",
		"stranger", "renewed", "short", "unread", "unsound"};
	const struct fixture_dispatcher *d = arg;

	if (d->events >= 0)
		dprintf(d->events, "%s %d %ld\n", words[event],
			job ? (int)job->id : 0, n);
	return d->report;
}

__attribute__((unused)) static int fixture_dispatch(void *arg)
{
	struct fixture_dispatcher *d = arg;
	struct journal journal;
	struct jobqueue queue;
	pid_t holder;
	bool is_new;
	int error;

	error = journal_open(&journal, d->f->path, true);
	if (!error)
		error = journal_serve(&journal, tick_after(30 * TICK_S),
				      &holder);
	if (!error)
		error = jobqueue_serve(&queue, d->f->queue_name, CAPACITY, 1024,
				       &is_new);
	if (error)
		return -error;
	d->options.journal = &journal;
	d->options.queue = &queue;
	d->options.queue_name = d->f->queue_name;
	d->options.report = fixture_report;
	d->options.arg = d;
	return -dispatcher_run(&d->options);
}

/* Finish all there is, in a child; what it returned (0 or an errno). */
__attribute__((unused)) static int fixture_drain(struct fixture_dispatcher *d,
						 int timeout_ms)
{
	d->options.drain = true;
	return support_child_status(fixture_dispatch, d, timeout_ms);
}

/* The lines of a file in the scratch directory that equal text. */
__attribute__((unused)) static int fixture_count(struct fixture *f,
						 const char *name,
						 const char *text)
{
	FILE *file = fopen(scratch_path(&f->scratch, name), "re");
	char line[256];
	int n = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		n += strcmp(line, text) == 0;
	}
	fclose(file);
	return n;
}

__attribute__((unused)) static int fixture_visit(uint64_t id, void *arg)
{
	(void)id;
	++*(int *)arg;
	return 0;
}

/* Jobs in the journal. */
__attribute__((unused)) static int fixture_jobs(const struct fixture *f)
{
	int n = 0;

	journal_each(&f->journal, fixture_visit, &n);
	return n;
}

#endif
