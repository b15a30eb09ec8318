/* submit_job - puts a job into the queue of a job_dispatcher, waits for one, or
 * lists them. */
#include <ctype.h>
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
#include "p04-posix-mq/durable/submission.h"
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

enum {
	OPTION_MAX_PRIORITY = 0x100,
	OPTION_TIMEOUT,
	OPTION_NONBLOCK,
	OPTION_WAIT,
	OPTION_LIST,
	OPTION_JSON,
};

static const struct argp_option options[] = {
	{"cmd", 'c', "COMMAND", 0, "what /bin/sh -c is to run", 0},
	{"priority", 'p', "N", 0, "0 (least urgent, the default) to 31", 0},
	{"max-priority", OPTION_MAX_PRIORITY, "N", 0,
	 "allow priorities up to N, 32767 at most", 0},
	{"timeout", OPTION_TIMEOUT, "DUR", 0,
	 "give up after DUR: on a full queue (10s), or on --wait (never)", 0},
	{"nonblock", OPTION_NONBLOCK, NULL, 0,
	 "give up at once when the queue is full", 0},
	{"wait", OPTION_WAIT, "ID", OPTION_ARG_OPTIONAL,
	 "wait for the job (or for job ID) and exit with its status", 0},
	{"list", OPTION_LIST, NULL, 0, "list the jobs that wait and run", 0},
	{"json", OPTION_JSON, NULL, 0, "with --list: as JSON", 0},
	{0},
};

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

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &s->target;
		return 0;
	case 'c':
		s->command = arg;
		return 0;
	case 'p':
		s->priority_text = arg;
		return 0;
	case OPTION_MAX_PRIORITY:
		s->max_priority = cli_integer("--max-priority", arg, 0,
					      JOB_PRIORITIES - 1);
		return 0;
	case OPTION_TIMEOUT:
		s->timeout_ns = cli_duration("--timeout", arg, 0, INT64_MAX);
		return 0;
	case OPTION_NONBLOCK:
		s->nonblock = true;
		return 0;
	case OPTION_WAIT:
		s->wait = true;
		if (arg)
			s->wait_id = (uint64_t)cli_integer("--wait", arg, 1,
							   INT64_MAX);
		return 0;
	case OPTION_LIST:
		s->list = true;
		return 0;
	case OPTION_JSON:
		s->json = true;
		return 0;
	case ARGP_KEY_END:
		check(s);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char doc[] =
	"Submit a job to job_dispatcher, or ask about jobs.\v"
	"Example:\n"
	"  submit_job --priority=31 --cmd='echo URGENT'\n"
	"  submit_job --cmd='make check' --wait && echo passed\n\n"
	"Exit status: 0 queued, 1 failed, 2 usage, 3 the queue was full or "
	"the time for --wait was over; with --wait that of the job, as a shell "
	"gives it. DUR is like 250ms, 10s, 2m.";

/* ---- waiting ----------------------------------------------------------------------- */

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
static int send_job(struct submission *submission, int64_t deadline)
{
	for (;;) {
		int64_t step = tick_after(STEP_NS);
		int error = submission_send(submission,
					    step < deadline ? step : deadline);

		if (stop_signal() && error)
			return -EINTR;
		if (error == -ETIMEDOUT && !tick_is_over(deadline))
			continue;
		if (error != -EINTR)
			return error;
	}
}

static void begin(struct submission *submission, const struct settings *s,
		  struct journal *journal, struct job *job)
{
	int error = submission_begin(submission, journal, s->target.queue, job);

	if (error == -EMSGSIZE)
		die("the command is too long: with %zu bytes, and a message of "
		    "queue '%s' has room for %zu",
		    strlen(job->command), s->target.queue,
		    submission->queue.message_bytes - sizeof(*job) - 1);
	if (error == -ENOENT || error == -EACCES || error == -EPERM)
		target_die_queue(&s->target, error);
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
	struct submission submission;
	long capacity;
	int record, error;

	begin(&submission, s, journal, job);
	error = send_job(&submission, deadline);
	capacity = submission.queue.capacity;
	record = submission.record;
	if (!error)
		submission.record = -1;
	submission_end(&submission);
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
	static const struct argp_child children[] = {{.argp = &target_argp},
						     {0}};
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = doc,
		.children = children,
	};
	struct settings settings = {
		.target.queue = TARGET_QUEUE,
		.max_priority = PRIORITY_MAX,
		.timeout_ns = -1,
	};
	struct journal journal;
	int status, error;

	cli_parse_argp(&argp, argc, argv, &settings);
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
