/* bench.c - what the library costs over the bare system calls, and what the
 * journal costs over the library. Rounds alternate between the two sides of a
 * comparison, and a figure is the median of the ratios round by round.
 *
 *	send and receive   jobqueue_send() and jobqueue_receive() beside
 *	                   mq_send and mq_receive: the same bytes, checked for
 *	                   their order by the receiver
 *	submit             journal_submission_begin() to _end(), which puts the job
 *	                   on the disk first, beside jobqueue_send() alone
 *	run                all of it for jobs that do nothing, beside starting
 *	                   /bin/sh for them one by one
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/fdio.h"
#include "lib/measure/machine.h"
#include "lib/measure/rig.h"
#include "lib/objname.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p04-posix-mq/dispatcher.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/durable/record.h"

enum {
	BLOCKS = 4000, /* of a stream, half of them ours */
	BLOCK = 200,   /* messages, about a millisecond: what disturbs the
			* machine disturbs both sides of a comparison */
	JOB_ROUNDS = 9,
	JOBS = 50,
	CAPACITY = 10,
};
#define MESSAGE_MAX 1024

static char queue_name[64];
static int cpus[2];

static void must(int error, const char *what)
{
	if (error < 0)
		die_errno(error, "cannot %s", what);
}

/* ---- send and receive ----------------------------------------------------------- */

/* One stream through one queue, whose blocks are sent and received by turns
 * with the library and with the bare calls. */
struct stream {
	struct jobqueue queue;
	struct job *job; /* of the size to send; its id counts */
	size_t bytes;
	int64_t timeout_ns; /* -1: none */
	int64_t *moment;    /* when the receiver had had each block; shared */
};

/* Ours, bare, bare, ours: what drifts cancels out. */
static bool is_ours(int block)
{
	return block % 4 == 0 || block % 4 == 3;
}

static int send_ours(struct stream *s)
{
	int error = 0;

	for (int i = 0; !error && i < BLOCK; i++, s->job->id++)
		error = jobqueue_send(&s->queue, s->job,
				      tick_after(s->timeout_ns));
	return error;
}

static int send_bare(struct stream *s)
{
	const char *bytes = (const char *)s->job;

	for (int i = 0; i < BLOCK; i++, s->job->id++)
		if (mq_send(s->queue.mq, bytes, s->bytes, s->job->priority) < 0)
			return -errno;
	return 0;
}

static int receive_ours(const struct stream *s, struct job *room, uint64_t *id)
{
	for (int i = 0; i < BLOCK; i++)
		if (jobqueue_receive(&s->queue, room,
				     tick_after(s->timeout_ns)) ||
		    room->id != ++*id || job_bytes(room) != s->bytes)
			return -EBADMSG;
	return 0;
}

static int receive_bare(const struct stream *s, struct job *room, uint64_t *id)
{
	for (int i = 0; i < BLOCK; i++)
		if (mq_receive(s->queue.mq, (char *)room, MESSAGE_MAX, NULL) !=
			    (ssize_t)s->bytes ||
		    room->id != ++*id)
			return -EBADMSG;
	return 0;
}

static int be_receiver(void *arg, struct rig_gate *gate)
{
	static union {
		struct job job;
		char room[MESSAGE_MAX];
	} u;
	struct stream *s = arg;
	uint64_t id = 0;
	int error = 0;

	(void)gate;
	for (int i = 0; i < BLOCKS && !error; i++) {
		error = is_ours(i) ? receive_ours(s, &u.job, &id)
				   : receive_bare(s, &u.job, &id);
		s->moment[i] = tick_now();
	}
	return error;
}

static int be_sender(void *arg, struct rig_gate *gate)
{
	struct stream *s = arg;
	int error = 0;

	(void)gate;
	s->job->id = 1;
	for (int i = 0; i < BLOCKS && !error; i++)
		error = is_ours(i) ? send_ours(s) : send_bare(s);
	return error;
}

static void run_stream(struct stream *s)
{
	const struct rig_side side[] = {{.body = be_sender, .arg = s},
					{.body = be_receiver, .arg = s}};
	const struct rig rig = {.side = side,
				.sides = 2,
				.cpus = cpus,
				.deadline = tick_after(60 * TICK_S)};
	struct rig_result result[2];

	must(rig_run(&rig, result), "send and receive");
}

static void add_row(struct out_table *table, const char *what,
		    const double *ours, const double *other, size_t rounds,
		    const char *goal)
{
	double ratio[BLOCKS / 2];
	char left[32], right[32];

	for (size_t i = 0; i < rounds; i++)
		ratio[i] = ours[i] / other[i];
	out_table_row(table);
	out_table_cell(table, "%s", what);
	out_table_cell(
		table, "%s",
		out_number(stats_median(ours, rounds), left, sizeof(left)));
	out_table_cell(
		table, "%s",
		out_number(stats_median(other, rounds), right, sizeof(right)));
	out_table_cell(table, "%.3g", stats_median(ratio, rounds));
	out_table_cell(table, "%s", goal);
}

/* Pairs of neighbours: the first block, which waits for the start, and the
 * last one are left out. */
static void compare_streams(struct out_table *table, const char *what,
			    size_t bytes, int64_t timeout_ns, const char *goal)
{
	static double rate[2][BLOCKS / 2];
	struct stream s = {.bytes = bytes, .timeout_ns = timeout_ns};
	char command[MESSAGE_MAX];
	size_t n[2] = {0, 0};
	bool is_new;

	memset(command, 'x', sizeof(command));
	command[bytes - sizeof(struct job) - 1] = '\0';
	must(job_new(command, 7, &s.job), "make a job");
	must(jobqueue_serve(&s.queue, queue_name, CAPACITY, MESSAGE_MAX,
			    &is_new),
	     "make a queue");
	objname_made(OBJNAME_MQ, queue_name);
	s.moment =
		mmap(NULL, BLOCKS * sizeof(*s.moment), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.moment == MAP_FAILED)
		die_errno(errno, "cannot map memory");
	run_stream(&s);
	for (int i = 1; i < BLOCKS - 1; i++)
		rate[is_ours(i)][n[is_ours(i)]++] =
			BLOCK * 1e9 / (double)(s.moment[i] - s.moment[i - 1]);
	add_row(table, what, rate[true], rate[false], BLOCKS / 2 - 1, goal);
	munmap(s.moment, BLOCKS * sizeof(*s.moment));
	must(jobqueue_remove(&s.queue, queue_name), "remove the queue");
	jobqueue_close(&s.queue);
	objname_release(OBJNAME_MQ, queue_name);
	free(s.job);
}

/* ---- submit, run ---------------------------------------------------------------- */

struct place {
	char dir[64], path[80];
	struct journal journal;
	struct jobqueue queue;
};

static void open_place(struct place *p)
{
	pid_t holder;
	bool is_new;

	strcpy(p->dir, "/var/tmp/unixipc-bench.XXXXXX");
	if (!mkdtemp(p->dir))
		die_errno(errno, "cannot make a directory in /var/tmp");
	snprintf(p->path, sizeof(p->path), "%s/journal", p->dir);
	must(journal_open(&p->journal, p->path, true), "make a journal");
	must(journal_serve(&p->journal, TICK_NEVER, &holder), "hold it");
	must(jobqueue_serve(&p->queue, queue_name, CAPACITY, MESSAGE_MAX,
			    &is_new),
	     "make a queue");
	objname_made(OBJNAME_MQ, queue_name);
}

static void close_place(struct place *p)
{
	unlinkat(p->journal.dir, "head", 0);
	unlinkat(p->journal.dir, "dispatcher", 0);
	journal_close(&p->journal);
	rmdir(p->path);
	rmdir(p->dir);
	must(jobqueue_remove(&p->queue, queue_name), "remove the queue");
	jobqueue_close(&p->queue);
	objname_release(OBJNAME_MQ, queue_name);
}

static int submit_jobs(void *arg)
{
	struct place *p = arg;
	struct journal_submission submission;
	struct journal journal;
	struct job *job;

	must(journal_open(&journal, p->path, false), "open the journal");
	for (int i = 0; i < JOBS; i++) {
		must(job_new(":", 0, &job), "make a job");
		must(journal_submission_begin(&submission, &journal, queue_name,
					      job),
		     "write into the journal");
		must(journal_submission_send(&submission, TICK_NEVER), "send");
		journal_submission_end(&submission);
		free(job);
	}
	journal_close(&journal);
	return 0;
}

static int jobs_ended;

static int count_ends(enum dispatcher_event event, const struct job *job,
		      long n, void *arg)
{
	(void)job, (void)arg;
	jobs_ended += event == DISPATCHER_ENDED && n == 0;
	return 0;
}

/* Jobs a second: a child submits, we run them. */
static double run_ours(struct place *p)
{
	static struct outlet out = {.fd = STDOUT_FILENO},
			     err = {.fd = STDERR_FILENO};
	const struct dispatcher_options options = {
		.journal = &p->journal,
		.queue = &p->queue,
		.wake = WAKE_POLL,
		.workers = 1,
		.max_attempts = 1,
		.out = &out,
		.err = &err,
		.drain = true,
		.stop_fd = -1,
		.report = count_ends,
	};
	int64_t start = tick_now();
	int status;
	pid_t pid;

	jobs_ended = 0;
	must(child_fork(submit_jobs, p, &pid), "fork");
	while (jobs_ended < JOBS)
		must(dispatcher_run(&options), "dispatch");
	must(child_wait(pid, tick_after(60 * TICK_S), &status), "wait");
	if (status != 0)
		die("the submitter failed");
	return JOBS * 1e9 / (double)(tick_now() - start);
}

static double run_shells(void)
{
	char *argv[] = {"/bin/sh", "-c", ":", NULL};
	const struct child_spec spec = {
		.argv = argv, .in = 0, .out = 1, .err = 2, .group = -1};
	int64_t start = tick_now();
	int status;
	pid_t pid;

	for (int i = 0; i < JOBS; i++) {
		must(child_spawn(&spec, &pid), "start /bin/sh");
		must(child_wait(pid, tick_after(60 * TICK_S), &status), "wait");
		if (status != 0)
			die("/bin/sh failed");
	}
	return JOBS * 1e9 / (double)(tick_now() - start);
}

/* Submissions a second into a queue with room; with_journal as submit_job does
 * it, else the message alone. */
static double submit_to_nobody(struct place *p, bool with_journal)
{
	union {
		struct job job;
		char room[MESSAGE_MAX];
	} u;
	struct journal_submission submission;
	int64_t spent = 0, start;
	struct job *job;

	for (int i = 0; i < JOBS; i++) {
		must(job_new(":", 0, &job), "make a job");
		job->id = 1;
		start = tick_now();
		if (with_journal) {
			must(journal_submission_begin(&submission, &p->journal,
						      queue_name, job),
			     "write into the journal");
			must(journal_submission_send(&submission, TICK_NEVER),
			     "send");
			journal_submission_end(&submission);
		} else {
			must(jobqueue_send(&p->queue, job, TICK_NEVER), "send");
		}
		spent += tick_now() - start;
		must(jobqueue_receive(&p->queue, &u.job, TICK_NEVER),
		     "receive");
		if (u.job.id != job->id)
			die("received what was not sent");
		if (with_journal)
			record_remove(p->journal.dir, job->id);
		free(job);
	}
	return JOBS * 1e9 / (double)spent;
}

static void compare_jobs(struct out_table *table)
{
	double ours[JOB_ROUNDS], other[JOB_ROUNDS];
	struct place place;

	open_place(&place);
	for (int i = 0; i < JOB_ROUNDS; i++) {
		ours[i] = submit_to_nobody(&place, true);
		other[i] = submit_to_nobody(&place, false);
	}
	add_row(table, "jobs/s submitted, durably : message alone", ours, other,
		JOB_ROUNDS, "-");
	for (int i = 0; i < JOB_ROUNDS; i++) {
		ours[i] = run_ours(&place);
		other[i] = run_shells();
	}
	add_row(table, "jobs/s run, submitted on the way : sh -c alone", ours,
		other, JOB_ROUNDS, "-");
	close_place(&place);
}

int main(void)
{
	static const struct out_column columns[] = {
		{"", OUT_LEFT},       {"ours", OUT_RIGHT}, {"bare", OUT_RIGHT},
		{"ratio", OUT_RIGHT}, {"goal", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct machine machine;

	out_check_at_exit();
	if (!table)
		die("out of memory");
	machine_read(&machine);
	must(machine_cpus(cpus, 2), "tell the CPUs");
	must(child_pin(cpus[0]), "bind to a CPU");
	must(objname_make(queue_name, sizeof(queue_name), "bench"), "name");
	printf("%s, %d CPUs, %s\nMedians of rounds in turns: %d of %d messages, "
	       "%d of %d jobs; queue of %d\n\n",
	       machine.cpu, machine.cpus, machine.kernel, BLOCKS / 2, BLOCK,
	       JOB_ROUNDS, JOBS, CAPACITY);
	compare_streams(table, "messages/s, 64 B", 64, -1, "0.95");
	compare_streams(table, "messages/s, 1 KiB", 1024, -1, "0.95");
	compare_streams(table, "messages/s, 1 KiB, each with a deadline : none",
			1024, 10 * TICK_S, "-");
	compare_jobs(table);
	out_table_print(table, stdout);
	out_table_free(table);
	return 0;
}
