/* The promise, line by line: SIGKILL at random moments, 200 rounds each, and
 * no job that was acknowledged to its submitter is lost, and none runs twice
 * at the same time. STRESS=1: ten times as many rounds. */
#include "p04-posix-mq/dispatcher.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "lib/rng.h"

#define JOBS_MAX 100000

static struct fixture f;
static struct rng rng;
static int jobs; /* submitted */

/* What sanitizers look for shows in fewer rounds. */
#ifdef __SANITIZE_ADDRESS__
#define ROUNDS 40
#else
#define ROUNDS 200
#endif

static int rounds(void)
{
	return support_is_stress() ? 2000 : ROUNDS;
}

static int setup(void **state)
{
	uint64_t seed = (uint64_t)tick_now();

	(void)state;
	rng_seed(&rng, seed);
	jobs = 0;
	fixture_make(&f);
	fixture_make_queue(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&f);
	return 0;
}

/* ---- jobs that leave a trace ---------------------------------------------------- */

/* It says so when another of the same number is at work, and that it ran. */
static int64_t submit(struct journal *journal, int number)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "cd %s; exec 9>>lock.%d; flock -n 9 || echo %d >>overlap; "
		 "echo %d >>ran",
		 f.scratch.dir, number, number, number);
	return fixture_submit(&f, journal, command,
			      (uint32_t)number % JOB_PRIORITIES);
}

/* How often each number is in the file. */
static void tally(const char *name, int *count)
{
	FILE *file = fopen(scratch_path(&f.scratch, name), "re");
	char line[32];
	long number;

	memset(count, 0, JOBS_MAX * sizeof(*count));
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		number = strtol(line, NULL, 10);
		if (number >= 0 && number < JOBS_MAX)
			count[number]++;
	}
	fclose(file);
}

/* ---- dispatchers that get killed ---------------------------------------------------- */

static struct fixture_dispatcher quiet(void)
{
	struct fixture_dispatcher d = {
		.f = &f, .options = fixture_options, .events = -1};

	d.options.workers = 2;
	d.options.max_attempts = UINT32_MAX;
	return d;
}

static pid_t start(struct fixture_dispatcher *d)
{
	pid_t pid;

	assert_int_equal(child_fork(fixture_dispatch, d, &pid), 0);
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(child_wait(pid, tick_after(60 * TICK_S), &status), 0);
	/* It was to be killed, not to have failed before. */
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
}

static void sleep_up_to(int64_t ns)
{
	tick_sleep_until(tick_after((int64_t)rng_below(&rng, (uint64_t)ns)));
}

/* Its workers; returns how many. */
static int children(pid_t parent, pid_t *pid, int room)
{
	char path[64], line[256], *next = line, *end;
	FILE *file;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent,
		 (int)parent);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	while (n < room && (pid[n] = (pid_t)strtol(next, &end, 10)) > 0) {
		next = end;
		n++;
	}
	return n;
}

/* ---- what must hold in the end ------------------------------------------------------- */

static void finish_and_check(const int *acknowledged)
{
	static int ran[JOBS_MAX], overlap[JOBS_MAX];
	struct fixture_dispatcher d = quiet();
	int lost = 0, repeated = 0, overlapping = 0;

	assert_int_equal(fixture_drain(&d, 100000), 0);
	tally("ran", ran);
	tally("overlap", overlap);
	for (int i = 0; i < jobs; i++) {
		lost += (!acknowledged || acknowledged[i]) && ran[i] == 0;
		repeated += ran[i] > 1;
		overlapping += overlap[i] > 0;
	}
	print_message("%d jobs: %d lost, %d ran again, %d beside themselves\n",
		      jobs, lost, repeated, overlapping);
	assert_int_equal(lost, 0);
	assert_int_equal(overlapping, 0);
	assert_int_equal(fixture_jobs(&f), 0);
}

/* ---- cases ---------------------------------------------------------------------------- */

static void a_killed_dispatcher_loses_no_job(void **state)
{
	struct fixture_dispatcher d = quiet();

	(void)state;
	for (int i = 0; i < rounds(); i++) {
		pid_t pid = start(&d);

		for (int k = 0; k < 3; k++)
			assert_true(submit(&f.journal, jobs++) > 0);
		sleep_up_to(8 * TICK_MS);
		kill_and_reap(pid);
	}
	finish_and_check(NULL);
}

static void a_killed_dispatcher_and_its_workers_lose_no_job(void **state)
{
	struct fixture_dispatcher d = quiet();

	(void)state;
	for (int i = 0; i < rounds(); i++) {
		pid_t pid = start(&d), worker[4];
		int n;

		for (int k = 0; k < 3; k++)
			assert_true(submit(&f.journal, jobs++) > 0);
		sleep_up_to(8 * TICK_MS);
		n = children(pid, worker, 4);
		for (int k = 0; k < n; k++)
			kill(worker[k], SIGKILL);
		kill_and_reap(pid);
	}
	finish_and_check(NULL);
}

/* Who does the work is not the shell: when that is killed, too, nobody leads the
 * group, and its member works on for a while. */
static void a_killed_shell_leaves_no_job_to_run_beside_itself(void **state)
{
	struct fixture_dispatcher d = quiet();
	int left = 0;

	(void)state;
	for (int i = 0; i < rounds() / 10; i++) {
		pid_t pid = start(&d), worker[4], shell;
		char command[1024];

		snprintf(command, sizeof(command),
			 "cd %s; (exec 9>>lock.%d; flock -n 9 || "
			 "echo %d >>overlap; echo %d >>ran; exec sleep 0.0%d) "
			 "& wait",
			 f.scratch.dir, jobs, jobs, jobs, i % 7);
		assert_true(fixture_submit(&f, &f.journal, command, 0) > 0);
		jobs++;
		sleep_up_to(20 * TICK_MS);
		for (int k = 0, n = children(pid, worker, 4); k < n; k++) {
			if (children(worker[k], &shell, 1) != 1)
				shell = 0;
			kill(worker[k], SIGSTOP); /* it would see to its end */
			if (shell > 0)
				left += kill(shell, SIGKILL) == 0;
			kill(worker[k], SIGKILL);
		}
		kill_and_reap(pid);
	}
	assert_true(left > 0);
	finish_and_check(NULL);
}

static void a_killed_worker_loses_no_job(void **state)
{
	struct fixture_dispatcher d = quiet();
	pid_t pid = start(&d), worker[4];
	int killed = 0;

	(void)state;
	while (killed < rounds()) {
		assert_true(submit(&f.journal, jobs++) > 0);
		sleep_up_to(3 * TICK_MS);
		if (children(pid, worker, 4) > 0)
			killed += kill(worker[0], SIGKILL) == 0;
	}
	kill_and_reap(pid);
	finish_and_check(NULL);
}

/* Submits for ever, and notes what it was told. */
static int submit_and_note(void *arg)
{
	int number = *(const int *)arg;
	struct journal journal;
	int fd = open(scratch_path(&f.scratch, "acknowledged"),
		      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (journal_open(&journal, f.path, false))
		return 1;
	for (;; number++) {
		int64_t id = submit(&journal, number);

		if (id < 0)
			return (int)-id;
		dprintf(fd, "%d\n", number);
	}
}

static void a_killed_submitter_loses_no_job_that_it_was_told_of(void **state)
{
	static int acknowledged[JOBS_MAX];
	struct fixture_dispatcher d = quiet();
	pid_t dispatcher = start(&d), pid;

	(void)state;
	for (int i = 0; i < rounds(); i++) {
		assert_int_equal(child_fork(submit_and_note, &jobs, &pid), 0);
		sleep_up_to(5 * TICK_MS);
		kill_and_reap(pid);
		jobs += JOBS_MAX / 2000;
	}
	kill_and_reap(dispatcher);
	tally("acknowledged", acknowledged);
	finish_and_check(acknowledged);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_killed_dispatcher_loses_no_job),
		CASE(a_killed_dispatcher_and_its_workers_lose_no_job),
		CASE(a_killed_shell_leaves_no_job_to_run_beside_itself),
		CASE(a_killed_worker_loses_no_job),
		CASE(a_killed_submitter_loses_no_job_that_it_was_told_of),
	};
	return SUPPORT_MAIN(tests);
}
