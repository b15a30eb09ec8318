/* submit_job - puts a job into the queue of a job_dispatcher, waits for one, or
 * lists them. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p04-posix-mq/cmd/list.h"
#include "p04-posix-mq/cmd/target.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/durable/record.h"
#include "p04-posix-mq/job.h"

#define PRIORITY_MAX 31          /* the guide's */
#define TIMEOUT_NS (10 * TICK_S) /* for a full queue */
#define STEP_NS TICK_S

struct settings {
	struct target target;
	const char *command;
	const char *priority_text; /* --max-priority may come later */
	int64_t priority, max_priority;
	int64_t timeout_ns; /* -1: none given */
	bool nonblock, wait, list, json;
	uint64_t wait_id; /* 0: for the one that is submitted */
};

/* ---- the command line ---------------------------------------------------------- */

static const char doc[] =
	"Submit a job to job_dispatcher, or ask about jobs.\v"
	"Example:\n"
	"  submit_job --priority=31 --cmd='echo URGENT'\n"
	"  submit_job --cmd='make check' --wait && echo passed\n\n"
	"Exit status: 0 queued, 1 failed, 2 usage, 3 the queue was full or "
	"the time for --wait was over; with --wait that of the job, as a shell "
	"gives it. DUR is like 250ms, 10s, 2m.";

/* What goes together, once all is known. */
static void check(struct settings *s)
{
	bool has_id = s->wait && s->wait_id > 0;

	if (!s->command && !s->list && !has_id)
		die_usage(s->wait ? "--wait needs an id, --wait=ID, or --cmd"
				  : "nothing to do: give --cmd, --wait=ID or "
				    "--list");
	if (!!s->command + s->list + has_id > 1)
		die_usage("--cmd, --wait=ID and --list exclude each other");
	if (s->json && !s->list)
		die_usage("--json is for --list");
	if (s->command && s->command[strspn(s->command, " \t\n")] == '\0')
		die_usage("--cmd is empty: give a command");
	if (s->priority_text)
		s->priority = cli_integer("--priority", s->priority_text, 0,
					  s->max_priority);
}

static void want_to_wait(const char *id, void *settings)
{
	struct settings *s = settings;

	s->wait = true;
	if (id)
		s->wait_id = (uint64_t)cli_integer("--wait", id, 1, INT64_MAX);
}

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		TARGET_OPTIONS(&s->target),
		CLI_TEXT("cmd", 'c', "COMMAND", &s->command,
			 "what /bin/sh -c is to run"),
		CLI_TEXT("priority", 'p', "N", &s->priority_text,
			 "0 (least urgent, the default) to 31"),
		CLI_INTEGER("max-priority", 0, "N", &s->max_priority, 0,
			    JOB_PRIORITIES - 1,
			    "allow priorities up to N, 32767 at most"),
		CLI_DURATION("timeout", 0, "DUR", &s->timeout_ns, 0, INT64_MAX,
			     "give up after DUR: on a full queue (10s), or on "
			     "--wait (never)"),
		CLI_ON("nonblock", 0, &s->nonblock,
		       "give up at once when the queue is full"),
		CLI_CALL_MAYBE("wait", 0, "ID", want_to_wait, s,
			       "wait for the job (or for job ID) and exit with "
			       "its status"),
		CLI_ON("list", 0, &s->list, "list the jobs that wait and run"),
		CLI_ON("json", 0, &s->json, "with --list: as JSON"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	target_check(&s->target);
	check(s);
}

/* ---- waiting ----------------------------------------------------------------------- */

static _Noreturn void die_lost(uint64_t id)
{
	die("job %" PRIu64 " is lost: its record is damaged", id);
}

/* Until the record goes; the exit status. */
static int wait_for_job(const struct settings *s, uint64_t id, int record)
{
	int64_t deadline = tick_after(s->timeout_ns);
	int watch = record_watch(record), rc;
	uint32_t outcome;

	if (watch < 0)
		die_errno(watch, "cannot watch job %" PRIu64, id);
	for (;;) {
		char events[4096];

		while (read(watch, events, sizeof(events)) > 0)
			; /* look now, and wait for the next ones */
		rc = record_has_ended(record, &outcome);
		if (rc != 0)
			break;
		rc = stop_wait(watch, deadline);
		if (rc == 0)
			die_status(DIE_TIMEOUT,
				   "job %" PRIu64 " has not ended in time", id);
		if (rc < 0)
			exit(stop_exit_code());
	}
	close(watch);
	close(record);
	if (rc == -EBADMSG)
		die_lost(id);
	if (rc == -EPROTONOSUPPORT)
		die("job %" PRIu64 ": its record is of another version", id);
	if (rc < 0)
		die_errno(rc, "cannot read how job %" PRIu64 " ended", id);
	if (outcome == RECORD_FAILED)
		die("job %" PRIu64 " failed: its workers died", id);
	if (outcome == RECORD_PENDING)
		die("job %" PRIu64 " was removed before it ended", id);
	return (int)(outcome & 0xff);
}

static int wait_for_id(const struct settings *s, const struct journal *journal)
{
	uint64_t last;
	int record = record_open(journal->dir, s->wait_id), error;

	if (record >= 0)
		return wait_for_job(s, s->wait_id, record);
	if (record == -ENOENT && record_is_set_aside(journal->dir, s->wait_id))
		die_lost(s->wait_id);
	error = journal_last_id(journal, &last);
	if (record != -ENOENT || error)
		die_errno(record != -ENOENT ? record : error,
			  "cannot look for job %" PRIu64, s->wait_id);
	if (s->wait_id > last)
		die("no job %" PRIu64 " in queue '%s': the last one was "
		    "%" PRIu64,
		    s->wait_id, s->target.queue, last);
	die("job %" PRIu64 " has ended already, its status is not kept",
	    s->wait_id);
}

/* ---- submitting ---------------------------------------------------------------------- */

/* Wait for room, in steps: a stop that comes right before a call does not
 * interrupt it. */
static int send_job(struct journal_submission *submission, int64_t deadline)
{
	for (;;) {
		int64_t step = tick_after(STEP_NS);
		int error = journal_submission_send(
			submission, step < deadline ? step : deadline);

		if (stop_signal() && error)
			return -EINTR;
		if (error == -ETIMEDOUT && !tick_is_over(deadline))
			continue;
		if (error != -EINTR)
			return error;
	}
}

static void begin(struct journal_submission *submission,
		  const struct settings *s, struct journal *journal,
		  struct job *job)
{
	int error = journal_submission_begin(submission, journal,
					     s->target.queue, job);

	if (error == -EMSGSIZE &&
	    submission->queue.message_bytes >= JOBQUEUE_MESSAGE_LEAST)
		die("the command is too long: with %zu bytes, and a message of "
		    "queue '%s' has room for %zu",
		    strlen(job->command), s->target.queue,
		    submission->queue.message_bytes - sizeof(*job) - 1);
	if (error == -EMSGSIZE || error == -ENOENT || error == -EACCES ||
	    error == -EPERM)
		target_die_queue(&s->target, error);
	if (error == -EBADMSG || error == -EPROTONOSUPPORT)
		target_die_journal(&s->target, error);
	if (error == -ETIMEDOUT)
		die("cannot submit: another process holds journal '%s'",
		    s->target.journal);
	if (error)
		die_errno(error, "cannot write into journal '%s'",
			  s->target.journal);
}

/* Returns the record, for --wait. */
static int submit(const struct settings *s, struct journal *journal,
		  struct job *job)
{
	int64_t timeout_ns = s->timeout_ns < 0 ? TIMEOUT_NS : s->timeout_ns;
	int64_t deadline = s->nonblock ? JOBQUEUE_TRY : tick_after(timeout_ns);
	struct journal_submission submission;
	long capacity;
	int record, error;

	begin(&submission, s, journal, job);
	error = send_job(&submission, deadline);
	capacity = submission.queue.capacity;
	record = submission.record;
	if (!error)
		submission.record = -1;
	journal_submission_end(&submission);
	if (error == -EINTR)
		exit(stop_exit_code());
	if (error == -ETIMEDOUT)
		die_status(DIE_TIMEOUT, "queue full (%ld of %ld)", capacity,
			   capacity);
	if (error)
		die_errno(error, "cannot send to queue '%s'", s->target.queue);

	printf("Job %" PRIu64 " queued (priority %" PRIu32 ")\n", job->id,
	       job->priority);
	fflush(stdout);
	if (!journal_is_served(journal))
		die_warn("no dispatcher is running, the job waits for one");
	return record;
}

static int submit_and_wait(const struct settings *s, struct journal *journal)
{
	struct job *job;
	int record, status = 0, error;

	error = job_new(s->command, (uint32_t)s->priority, &job);
	if (error == -EMSGSIZE)
		die("the command is too long: no queue takes more than %u bytes",
		    JOB_COMMAND_MAX);
	if (error)
		die_errno(error, "cannot make a job");
	record = submit(s, journal, job);
	if (s->wait)
		status = wait_for_job(s, job->id, record);
	else
		close(record);
	free(job);
	return status;
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.target.queue = TARGET_QUEUE,
		.max_priority = PRIORITY_MAX,
		.timeout_ns = -1,
	};
	struct journal journal;
	int status, error;

	parse(&settings, argc, argv);
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	target_locate(&settings.target);
	error = journal_open(&journal, settings.target.journal, false);
	if (error)
		target_die_journal(&settings.target, error);
	if (settings.list) {
		status = 0;
		error = list_print(&journal, settings.target.queue,
				   settings.json);
		if (error == -EACCES || error == -EPERM || error == -EMSGSIZE)
			target_die_queue(&settings.target, error);
		if (error && !ferror(stdout)) /* that lib/cmd/out reports */
			die_errno(error, "cannot list queue '%s'",
				  settings.target.queue);
	} else if (settings.command) {
		status = submit_and_wait(&settings, &journal);
	} else {
		status = wait_for_id(&settings, &journal);
	}
	journal_close(&journal);
	return status;
}
