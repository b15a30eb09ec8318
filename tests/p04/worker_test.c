/* The guardian of a command: what it notes, what it ends, what it leaves. */
#include "p04-posix-mq/worker.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include "lib/identity.h"

static struct fixture f;
static struct job *job;
static int record;
static struct worker worker;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	job = NULL;
	record = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(job);
	if (record >= 0)
		close(record);
	fixture_remove(&f);
	return 0;
}

/* A job and what its worker needs; $said is the path of a file. */
static void prepare(const char *text)
{
	char command[1024];

	snprintf(command, sizeof(command), "said=%s; %s",
		 scratch_path(&f.scratch, "said"), text);
	assert_int_equal(job_new(command, 0, &job), 0);
	job->id = 1;
	record = record_create(f.journal.dir, job);
	assert_true(record >= 0);
	worker = (struct worker){
		.journal_dir = f.journal.dir,
		.job = job,
		.out = STDERR_FILENO,
		.err = STDERR_FILENO,
		.grace_ns = 5 * TICK_S,
	};
}

static pid_t start(const char *text)
{
	pid_t pid;

	prepare(text);
	assert_int_equal(worker_start(&worker, &pid), 0);
	return pid;
}

static int await(pid_t pid)
{
	int status;

	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	return status;
}

static struct record_head read_head(void)
{
	struct record_head head;

	assert_int_equal(record_read(record, &head, NULL), 0);
	return head;
}

static bool has_said(void *arg)
{
	return fixture_count(&f, "said", arg) > 0;
}

static void wait_for(const char *text)
{
	assert_true(
		support_wait_until(has_said, (void *)(uintptr_t)text, 20000));
}

static bool is_gone(void *arg)
{
	const struct record_head *head = arg;

	return !identity_is_alive((pid_t)head->group, head->group_start);
}

static bool is_empty_group(void *arg)
{
	const struct record_head *head = arg;

	return kill(-(pid_t)head->group, 0) < 0 && errno == ESRCH;
}

/* ---- cases ---------------------------------------------------------------------- */

static void the_status_of_the_command_is_its_outcome(void **state)
{
	(void)state;
	assert_int_equal(await(start("exit 3")), 0);
	assert_int_equal(read_head().outcome, RECORD_EXITED | 3);
}

static void a_signal_that_ends_the_command_is_its_outcome(void **state)
{
	(void)state;
	assert_int_equal(await(start("kill -SEGV $$")), 0);
	assert_int_equal(read_head().outcome, RECORD_EXITED | 139);
}

/* A set of signals as /proc/PID/status shows it. 32 and 33 are glibc's own:
 * posix_spawn(3), which make(1) uses, leaves them ignored, and no program can
 * change that. */
static uint64_t said_signals(const char *name)
{
	const uint64_t glibc = UINT64_C(3) << (32 - 1);
	FILE *file = fopen(scratch_path(&f.scratch, "said"), "re");
	const size_t length = strlen(name);
	uint64_t set = UINT64_MAX;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, length) == 0)
			set = strtoull(line + length, NULL, 16) & ~glibc;
	fclose(file);
	return set;
}

static void the_command_starts_clean(void **state)
{
	sigset_t set;

	(void)state;
	/* What the dispatcher blocks, ignores or has open is no business of
	 * the command's, and its input is empty. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* as a shell does for background jobs */
	assert_int_equal(
		await(start("exec >$said; while read -r line; do case $line in "
			    "Sig[BI]*) echo \"$line\";; esac; "
			    "done </proc/$$/status; cat; "
			    "ls -l /proc/$$/fd | grep -c /journal; echo end")),
		0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	assert_int_equal(said_signals("SigBlk:"), 0);
	assert_int_equal(said_signals("SigIgn:"), 0);
	assert_int_equal(fixture_count(&f, "said", "0"), 1);
	assert_int_equal(fixture_count(&f, "said", "end"), 1);
}

static void the_group_is_in_the_journal_before_the_command_runs(void **state)
{
	struct record_head head;
	char leader[32];
	pid_t pid;

	(void)state;
	pid = start("echo $$ >>$said; sleep 60");
	while (read_head().group == 0)
		tick_sleep_until(tick_after(TICK_MS));
	head = read_head();
	assert_true(identity_is_alive((pid_t)head.group, head.group_start));
	assert_int_equal(getpgid((pid_t)head.group), head.group);
	snprintf(leader, sizeof(leader), "%u", head.group);
	wait_for(leader);
	kill(pid, SIGTERM);
	await(pid);
}

static void sigterm_ends_the_command_and_is_no_outcome(void **state)
{
	struct record_head head;
	int status;
	pid_t pid;

	(void)state;
	pid = start("sleep 60 & echo up >>$said; wait");
	wait_for("up");
	head = read_head();
	assert_int_equal(kill(pid, SIGTERM), 0);
	status = await(pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_int_equal(read_head().outcome, RECORD_PENDING);
	/* All of the group, the sleep as well; somebody has to reap it. */
	assert_true(support_wait_until(is_empty_group, &head, 20000));
}

static void sigint_is_not_for_the_worker(void **state)
{
	pid_t pid;

	(void)state;
	pid = start("echo up >>$said; sleep 60");
	wait_for("up");
	assert_int_equal(kill(pid, SIGINT), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGTERM);
	await(pid);
}

static int start_worker_and_die(void *arg)
{
	pid_t pid;

	(void)arg;
	worker_start(&worker, &pid);
	while (fixture_count(&f, "said", "up") == 0)
		tick_sleep_until(tick_after(TICK_MS));
	raise(SIGKILL);
	return 1;
}

static void a_worker_whose_dispatcher_is_killed_ends_the_command(void **state)
{
	struct record_head head;

	(void)state;
	prepare("sleep 60 & echo up >>$said; wait");
	assert_int_equal(
		support_child_status(start_worker_and_die, NULL, 20000),
		128 + SIGKILL);
	head = read_head();
	assert_true(support_wait_until(is_gone, &head, 20000));
	assert_int_equal(head.outcome, RECORD_PENDING);
}

static void what_a_killed_worker_leaves_can_be_ended(void **state)
{
	struct record_head head;
	pid_t pid;

	(void)state;
	pid = start("sleep 60 & echo up >>$said; wait");
	wait_for("up");
	head = read_head();
	kill(pid, SIGKILL);
	await(pid);
	assert_false(is_gone(&head));
	assert_int_equal(worker_end_group(&head, true), 0);
	assert_true(is_gone(&head));
	assert_int_equal(worker_end_group(&head, true), 0);
}

static void a_group_that_may_be_somebody_elses_is_left_alone(void **state)
{
	struct record_head head;
	pid_t pid;

	(void)state;
	pid = start("echo up >>$said; sleep 60");
	wait_for("up");
	head = read_head();
	head.group_start++; /* the number has been given anew */
	assert_int_equal(worker_end_group(&head, false), 0);
	head.group_start--;
	assert_false(is_gone(&head));
	assert_int_equal(worker_end_group(&head, false), 0);
	assert_true(is_gone(&head));
	await(pid);
}

/* ---- the gate -------------------------------------------------------------------- */

int __real_record_note_group(int fd, pid_t group, uint64_t start_time);
int __wrap_record_note_group(int fd, pid_t group, uint64_t start_time);

static bool dies_at_the_gate;

int __wrap_record_note_group(int fd, pid_t group, uint64_t start_time)
{
	if (dies_at_the_gate)
		raise(SIGKILL);
	return __real_record_note_group(fd, group, start_time);
}

static void a_command_that_the_journal_does_not_know_never_runs(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	/* Its orphan becomes our child: so we see it end. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	dies_at_the_gate = true;
	pid = start("echo ran >>$said");
	dies_at_the_gate = false;
	status = await(pid);
	assert_true(WIFSIGNALED(status));
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_int_equal(fixture_count(&f, "said", "ran"), 0);
	assert_int_equal(read_head().group, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_status_of_the_command_is_its_outcome),
		CASE(a_signal_that_ends_the_command_is_its_outcome),
		CASE(the_command_starts_clean),
		CASE(the_group_is_in_the_journal_before_the_command_runs),
		CASE(sigterm_ends_the_command_and_is_no_outcome),
		CASE(sigint_is_not_for_the_worker),
		CASE(a_worker_whose_dispatcher_is_killed_ends_the_command),
		CASE(what_a_killed_worker_leaves_can_be_ended),
		CASE(a_group_that_may_be_somebody_elses_is_left_alone),
		CASE(a_command_that_the_journal_does_not_know_never_runs),
	};
	return SUPPORT_MAIN(tests);
}
