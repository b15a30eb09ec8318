/* p04_journal_crash.c - P04's journal, as submitters and a dispatcher use it.
 *
 * drive DIR [SUBMITTERS [JOBS]]: so many processes, each with so many jobs. Each
 * takes an id, puts the job into the journal, and ends the one before the last as
 * a worker and the dispatcher do. What is promised is what the README says: a job
 * that was queued is there, whole, until it has ended; no id is given twice;
 * the journal stays the same one.
 */
#include "tests/crash/crash.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/durable/record.h"

#define JOBS_MAX 4096

/* Of more than one sector, most of them. */
static void command_of(uint64_t id, char *command, size_t size)
{
	int n = snprintf(command, size, "echo %" PRIu64 " # ", id);
	size_t len = (size_t)n + (id * 131) % 1200;

	for (size_t i = (size_t)n; i < len; i++)
		command[i] = (char)('a' + (id + i) % 26);
	command[len] = '\0';
}

static struct job *job_of(uint64_t id)
{
	char command[2048];
	struct job *job;

	command_of(id, command, sizeof(command));
	if (job_new(command, 5, &job) != 0)
		abort();
	job->id = id;
	return job;
}

/* ---- the work ---------------------------------------------------------------- */

static int end_job(struct journal *journal, uint64_t id)
{
	const struct identity_process leader = {.pid = 4711, .start = id};
	int fd = record_open(journal->dir, id);
	int error = fd < 0 ? fd : record_note_group(fd, &leader);

	if (!error)
		error = record_note_attempts(fd, 1);
	if (!error)
		error = record_note_outcome(fd, RECORD_EXITED);
	crash_say("end %" PRIu64, id);
	if (!error)
		error = record_remove(journal->dir, id);
	close(fd);
	return error;
}

static int submit(struct journal *journal, uint64_t *id)
{
	struct job *job;
	int error = journal_enter(journal), fd;

	if (!error)
		error = journal_next_id(journal, id);
	if (error)
		return error;
	crash_say("try %" PRIu64, *id);
	job = job_of(*id);
	fd = record_create(journal->dir, job);
	free(job);
	if (fd < 0)
		return fd;
	error = record_commit(fd);
	crash_say("job %" PRIu64 " %" PRIu64, *id, journal->identity);
	close(fd);
	journal_leave(journal);
	return error;
}

static int work(const char *path, unsigned int jobs)
{
	struct journal journal;
	uint64_t id[3];
	int error = journal_open(&journal, path, true);

	for (unsigned int i = 0; i < jobs && !error; i++) {
		error = submit(&journal, &id[i % 3]);
		if (!error && i >= 2)
			error = end_job(&journal, id[(i + 1) % 3]);
	}
	journal_close(&journal);
	return -error;
}

static int drive(const char *dir, int argc, char **argv)
{
	unsigned int submitters = argc > 0 ? crash_number(argv[0]) : 3;
	unsigned int jobs = argc > 1 ? crash_number(argv[1]) : 10;
	int status, failed = 0;
	char path[512];

	snprintf(path, sizeof(path), "%s/journal", dir);
	for (unsigned int i = 0; i < submitters; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 3;
		if (pid == 0)
			_exit(work(path, jobs));
	}
	while (wait(&status) > 0)
		if (WIFEXITED(status) && WEXITSTATUS(status))
			failed = WEXITSTATUS(status);
	return failed;
}

/* ---- what must be left ------------------------------------------------------- */

static uint64_t identity, highest;
static bool is_tried[JOBS_MAX], is_queued[JOBS_MAX], has_ended[JOBS_MAX];

static void hear(const char *line)
{
	uint64_t n[2];

	if (strcmp(line, "cut") == 0)
		return;
	if (crash_scan(line, "try", n, 1) && n[0] < JOBS_MAX) {
		is_tried[n[0]] = true;
	} else if (crash_scan(line, "job", n, 2) && n[0] < JOBS_MAX) {
		is_queued[n[0]] = true;
		identity = n[1];
		highest = n[0] > highest ? n[0] : highest;
	} else if (crash_scan(line, "end", n, 1) && n[0] < JOBS_MAX) {
		has_ended[n[0]] = true;
	} else {
		errx(3, "what is '%s'?", line);
	}
}

static const char *check_record(struct journal *journal, uint64_t id)
{
	struct job *job, *wanted;
	struct record_head head;
	const char *why = NULL;
	int fd = record_open(journal->dir, id), error;

	if (fd < 0)
		return crash_why("job %" PRIu64 " is gone", id);
	error = record_read(fd, &head, &job);
	close(fd);
	if (error)
		return crash_why("job %" PRIu64 " cannot be read: %s", id,
				 strerror(-error));
	wanted = job_of(id);
	if (job->id != id || strcmp(job->command, wanted->command) != 0)
		why = crash_why("job %" PRIu64 " is another one", id);
	else if (head.outcome != RECORD_PENDING && !has_ended[id] &&
		 head.leader.pid != 4711)
		why = crash_why("job %" PRIu64 " has ended and never began",
				id);
	free(wanted);
	free(job);
	return why;
}

struct look {
	struct journal *journal;
	const char *why;
};

/* Of those that are there, whether or not it was promised. */
static int visit(uint64_t id, void *arg)
{
	struct look *look = arg;

	if (id >= JOBS_MAX || !is_tried[id])
		look->why = crash_why("job %" PRIu64 " was never tried", id);
	else
		look->why = check_record(look->journal, id);
	return look->why != NULL;
}

static const char *check_journal(struct journal *journal)
{
	struct look look = {.journal = journal};
	uint64_t id;
	int error;

	if (identity && journal->identity != identity)
		return "it is another journal now";
	for (id = 1; id < JOBS_MAX && !look.why; id++)
		if (is_queued[id] && !has_ended[id])
			look.why = check_record(journal, id);
	if (!look.why)
		journal_each(journal, visit, &look);
	if (look.why)
		return look.why;
	error = journal_sweep(journal);
	if (error)
		return crash_why("cannot be swept: %s", strerror(-error));
	error = journal_next_id(journal, &id);
	if (error)
		return crash_why("gives no id: %s", strerror(-error));
	if (id <= highest)
		return crash_why("id %" PRIu64 " is given twice", id);
	return NULL;
}

static const char *check(const char *dir)
{
	struct journal journal;
	const char *why;
	char path[512];
	int error;

	snprintf(path, sizeof(path), "%s/journal", dir);
	error = journal_open(&journal, path, true);
	if (error)
		return crash_why("cannot be opened: %s", strerror(-error));
	why = check_journal(&journal);
	journal_close(&journal);
	return why;
}

int main(int argc, char **argv)
{
	const struct crash_program program = {
		.drive = drive, .hear = hear, .check = check};

	return crash_main(&program, argc, argv);
}
