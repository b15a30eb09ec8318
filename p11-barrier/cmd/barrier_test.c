/* barrier_test - the command: processes that meet at a barrier, and a parent
 * that makes it, watches them, and removes it. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/fdio.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "p11-barrier/cmd/barrier_key.h"
#include "p11-barrier/cmd/checker.h"
#include "p11-barrier/cmd/participant.h"
#include "p11-barrier/sysv_barrier.h"

enum { PROCESSES_MAX = 1000 };

#define TOLD_WITHIN TICK_S /* of a death */
#define END_NS \
	(30 * TICK_S) /* for participants to end that have nothing to do */

struct arguments {
	struct participant_plan plan;
	unsigned int processes;
	key_t key; /* 0: one of ours */
	bool is_quiet;
};

struct run {
	struct arguments arguments;
	struct barrier_key key;
	int records[2];
	pid_t *pid;
	unsigned int started;
	struct checker checker;
};

static const char doc[] =
	"Processes that meet at a barrier of System V semaphores, again and "
	"again.\v"
	"Example: ./barrier_test --processes=5 --iterations=3\n"
	"Exit status: 0 all met (with --kill: all were told), 1 not, 2 usage.";

static void take_key(const char *text, void *where)
{
	if (sysv_parse_key(text, where))
		die_usage("--key=%s: accepted is a number like 0x1234, not 0, "
			  "of 32 bits",
			  text);
}

static void parse(struct arguments *a, int argc, char **argv)
{
	struct participant_plan *plan = &a->plan;
	const struct cli_option options[] = {
		CLI_COUNT("processes", 'p', "N", &a->processes, 1,
			  PROCESSES_MAX, "How many meet (default 5)"),
		CLI_COUNT("iterations", 'i', "N", &plan->rounds, 1, 1000000000,
			  "How often (default 3)"),
		CLI_COUNT("kill", 'k', "K", &plan->killed, 1, PROCESSES_MAX,
			  "Have process K killed halfway, before a barrier and "
			  "then inside, and see that the others are told"),
		CLI_DURATION("timeout", 't', "DUR", &plan->timeout_ns, TICK_MS,
			     86400 * TICK_S,
			     "How long to wait at one barrier (default 10s)"),
		CLI_DURATION("jitter", 'j', "DUR", &plan->jitter_ns, 0,
			     60 * TICK_S,
			     "Pause for a random time up to DUR before each "
			     "barrier"),
		CLI_COUNT("seed", 's', "N", &plan->seed, 0, UINT64_MAX,
			  "Of the random pauses (default 1)"),
		CLI_CALL("key", 'K', "KEY", take_key, &a->key,
			 "The key of the semaphore set, like 0x1234 (default: "
			 "a free one)"),
		CLI_ON("quiet", 'q', &a->is_quiet, "Print the result alone"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	if (plan->killed > a->processes)
		die_usage("--kill=%u: accepted is 1 to %u, the number of "
			  "processes",
			  plan->killed, a->processes);
	if (plan->killed && a->processes == 1)
		die_usage("--kill=1: with one process nobody is there to be "
			  "told");
}

/* All of them at once, when they are not ending by themselves: nobody reads
 * any more what they write. Whether all others than the victim ended well. A
 * thousand need seconds to end where others use the processors, too. */
static bool end_participants(struct run *run, bool is_done)
{
	int64_t deadline = tick_after(END_NS);
	bool is_right = true;

	for (unsigned int i = 0; i < run->started && !is_done; i++)
		kill(run->pid[i], SIGKILL);
	for (unsigned int i = 0; i < run->started; i++) {
		int status = -1;

		if (child_wait(run->pid[i], deadline, &status))
			child_end(run->pid[i], 0, &status);
		if (i + 1 == run->arguments.plan.killed)
			is_right &= WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL;
		else if (!run->arguments.plan.killed)
			is_right &= status == 0;
	}
	run->started = 0;
	return is_right;
}

/* The participants end, the barrier goes. */
static bool clean_up(struct run *run, bool is_done)
{
	bool is_right = end_participants(run, is_done);

	is_right &= barrier_key_remove(&run->key);
	free(run->pid);
	return is_right;
}

static void start_participants(struct run *run)
{
	int rc = 0;

	while (!rc && run->started < run->arguments.processes) {
		struct participant participant = {
			.plan = &run->arguments.plan,
			.number = run->started + 1,
			.id = run->key.id,
			.records = run->records[1],
			.other_end = run->records[0],
		};

		rc = child_fork(participant_run, &participant,
				&run->pid[run->started]);
		if (!rc)
			run->started++;
	}
	close(run->records[1]);
	if (!rc)
		return;
	unsigned int started = run->started;

	clean_up(run, false);
	die_errno(rc, "cannot start process %u of %u", started + 1,
		  run->arguments.processes);
}

/* How long to wait for another record. Participants are to speak first, so that
 * is a little more than they wait; and once one has given up, so do those that
 * came after it, by a pause at most. */
static int64_t longest_silence(const struct run *run)
{
	const struct participant_plan *plan = &run->arguments.plan;

	return plan->jitter_ns +
	       (run->checker.error ? TICK_S / 2 : plan->timeout_ns + TICK_S);
}

/* Take records until all participants have ended. Returns 0, -ETIMEDOUT when
 * they wait in vain, another error of theirs when they do not end after that,
 * -EINTR on a stop, -EPIPE when nobody wants to read what we print. */
static int watch(struct run *run)
{
	struct checker *checker = &run->checker;
	struct checker_record record;
	ssize_t n;
	int rc;

	for (;;) {
		rc = stop_wait(run->records[0],
			       tick_after(longest_silence(run)));
		if (rc < 0)
			return rc;
		if (rc == 0)
			return checker->error ? checker->error : -ETIMEDOUT;
		n = read(run->records[0], &record, sizeof(record));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(record))
			return n == 0 ? 0 : n < 0 ? -errno : -EBADMSG;
		rc = checker_take(checker, &record);
		if (rc)
			return rc;
		if (ferror(stdout))
			return -EPIPE;
		if (checker->error == -ETIMEDOUT && checker_heard_all(checker))
			return -ETIMEDOUT;
	}
}

static _Noreturn void fail(const struct run *run, int error)
{
	const struct checker *checker = &run->checker;
	char buf[160];

	switch (error) {
	case -EINTR:
		exit(stop_exit_code());
	case -EPIPE:
		exit(EXIT_FAILURE); /* where it is said: lib/cmd/out */
	case -ETIMEDOUT:
		die("no end within --timeout: %s",
		    checker_describe(checker, buf, sizeof(buf)));
	case -EIDRM:
		die("barrier %u: somebody removed the semaphore set",
		    checker->round);
	case SYSV_BARRIER_BROKEN:
		die("barrier %u is broken: a process ended before it",
		    checker->round);
	default:
		die_errno(error, "barrier %u", checker->round);
	}
}

/* The verdict; returns the exit status. */
static int judge(const struct run *run, bool is_right)
{
	const struct arguments *arguments = &run->arguments;
	const struct checker *checker = &run->checker;
	char buf[16];

	if (checker->wrong[0]) {
		printf("%s. FAIL\n", checker->wrong);
		is_right = false;
	} else if (arguments->plan.killed) {
		is_right &= checker->died_ns &&
			    checker->broken == arguments->processes - 1 &&
			    checker->slowest_ns <= TOLD_WITHIN;
		printf("%u of %u others were told of a death %s the barrier, "
		       "the last after %s. %s\n",
		       checker->broken, arguments->processes - 1,
		       arguments->plan.is_inside ? "inside" : "before",
		       out_duration((double)checker->slowest_ns, buf,
				    sizeof(buf)),
		       is_right ? "PASS" : "FAIL");
	} else {
		is_right &= checker->round == arguments->plan.rounds + 1;
		printf("%s\n", is_right ? "All processes synchronized "
					  "correctly. PASS"
					: "Not all processes came to the end. "
					  "FAIL");
	}
	return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* All of it, from making the barrier to removing it; returns the exit
 * status. */
static int run_once(const struct arguments *arguments)
{
	struct run run = {.arguments = *arguments};
	bool is_right;
	int rc = fdio_pipe(run.records);

	if (!rc)
		rc = checker_init(&run.checker, arguments->processes,
				  arguments->is_quiet ? NULL : stdout);
	if (!rc) {
		run.pid = calloc(arguments->processes, sizeof(*run.pid));
		rc = run.pid ? 0 : -ENOMEM;
	}
	if (rc)
		die_errno(rc, "cannot begin");
	run.key = barrier_key_create(arguments->key, arguments->processes);
	if (!arguments->is_quiet && !arguments->plan.is_inside)
		printf("Barrier Test (%u processes, %u iterations)\n",
		       arguments->processes, arguments->plan.rounds);
	start_participants(&run);
	rc = watch(&run);
	is_right = clean_up(&run, rc == 0);
	close(run.records[0]);
	if (!rc)
		rc = run.checker.error;
	if (!rc && run.checker.broken && !arguments->plan.killed)
		rc = SYSV_BARRIER_BROKEN;
	if (rc)
		fail(&run, rc);
	rc = judge(&run, is_right);
	checker_fini(&run.checker);
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.processes = 5,
		.plan = {.rounds = 3, .timeout_ns = 10 * TICK_S, .seed = 1},
	};
	int rc, status;

	parse(&arguments, argc, argv);
	rc = stop_install();
	if (rc)
		die_errno(rc, "cannot begin");
	status = run_once(&arguments);
	if (arguments.plan.killed && status == EXIT_SUCCESS) {
		arguments.plan.is_inside = true;
		status = run_once(&arguments);
	}
	return status;
}
