/* The supervisor of a command: what it notes, what it ends, what it leaves. */
#include "p04-posix-mq/worker.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/identity.h"
#include "p04-posix-mq/slot.h"

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
		.pidfd_socket = -1,
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

	return identity_judge(&head->leader) == IDENTITY_DEAD;
}

static bool is_empty_group(void *arg)
{
	const struct record_head *head = arg;

	return kill(-head->leader.pid, 0) < 0 && errno == ESRCH;
}

/* ---- the gate -------------------------------------------------------------------- */

int __real_record_note_group(int fd, const struct identity_process *leader);
int __wrap_record_note_group(int fd, const struct identity_process *leader);

static bool dies_at_the_gate, fails_at_the_gate;

int __wrap_record_note_group(int fd, const struct identity_process *leader)
{
	if (dies_at_the_gate)
		raise(SIGKILL);
	if (fails_at_the_gate)
		return -EIO;
	return __real_record_note_group(fd, leader);
}

/* ---- the clock ------------------------------------------------------------------- */

#define LONG_GRACE_NS (60 * TICK_S)

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

static bool is_hasty; /* so long do we wait in vain */

/* A long grace is over when its member has been asked to end. */
int64_t __wrap_tick_after(int64_t timeout_ns)
{
	if (timeout_ns == LONG_GRACE_NS) {
		support_wait_until(has_said, "asked", 20000);
		return __real_tick_after(0);
	}
	return __real_tick_after(is_hasty && timeout_ns == WORKER_LAST_NS
					 ? 50 * TICK_MS
					 : timeout_ns);
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
	 * the command's, but for the lock of its own run (worker.h), and its
	 * input is empty. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* as a shell does for background jobs */
	assert_int_equal(
		await(start(
			"exec >$said; while read -r line; do case $line in "
			"Sig[BI]*) echo \"$line\";; esac; "
			"done </proc/$$/status; cat; "
			"ls -l /proc/$$/fd | grep /journal | "
			"sed 's/.* \\([0-9]*\\) .*journal/\\1 /'; echo end")),
		0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	assert_int_equal(said_signals("SigBlk:"), 0);
	assert_int_equal(said_signals("SigIgn:"), 0);
	assert_int_equal(fixture_count(&f, "said", "100 /1.job"), 1);
	assert_int_equal(fixture_count(&f, "said", "end"), 1);
}

static void the_group_is_in_the_journal_before_the_command_runs(void **state)
{
	struct record_head head;
	char leader[32];
	pid_t pid;

	(void)state;
	pid = start("echo $$ >>$said; sleep 60");
	while (read_head().leader.pid == 0)
		tick_sleep_until(tick_after(TICK_MS));
	head = read_head();
	assert_int_equal(identity_judge(&head.leader), IDENTITY_ALIVE);
	assert_int_equal(getpgid(head.leader.pid), head.leader.pid);
	snprintf(leader, sizeof(leader), "%d", (int)head.leader.pid);
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

static void the_grace_is_for_the_whole_group(void **state)
{
	pid_t pid;

	(void)state;
	/* The shell dies at once, and leaves who is not ready. */
	pid = start("(trap 'sleep 0.1; echo put away >>$said; exit' TERM; "
		    "echo up >>$said; while :; do sleep 0.01; done); :");
	wait_for("up");
	assert_int_equal(kill(pid, SIGTERM), 0);
	await(pid);
	assert_int_equal(fixture_count(&f, "said", "put away"), 1);
}

/* Who is asked goes on, and is killed when the grace is over, which is then; who
 * does not wait for just that long kills it before it can say so, or far too
 * late. */
static void members_that_outlast_the_grace_are_killed(void **state)
{
	struct record_head head;
	pid_t pid;

	(void)state;
	prepare("(trap 'echo asked >>$said' TERM; echo up >>$said; "
		"while :; do sleep 0.01; done); :");
	worker.grace_ns = LONG_GRACE_NS;
	assert_int_equal(worker_start(&worker, &pid), 0);
	wait_for("up");
	head = read_head();
	assert_int_equal(kill(pid, SIGTERM), 0);
	await(pid);
	assert_int_equal(fixture_count(&f, "said", "asked"), 1);
	assert_int_equal(identity_judge_group(&head.leader, -1), IDENTITY_DEAD);
	assert_int_equal(read_head().outcome, RECORD_PENDING);
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
	assert_int_equal(
		worker_end_group(&head.leader, -1, tick_after(20 * TICK_S)), 0);
	assert_true(is_gone(&head));
	assert_int_equal(worker_end_group(&head.leader, -1, tick_now()), 0);
}

/* A run whose worker and shell were killed: its sleep goes on, in a group that
 * nobody leads, which we reap. */
static struct record_head orphan_the_members(const char *text)
{
	struct record_head head;
	pid_t pid;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(worker_start(&worker, &pid), 0);
	wait_for(text);
	head = read_head();
	kill(pid, SIGKILL);
	await(pid);
	kill(head.leader.pid, SIGKILL);
	await(head.leader.pid);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	return head;
}

static pid_t said_pid(void)
{
	FILE *file = fopen(scratch_path(&f.scratch, "pid"), "re");
	char line[32];

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	return (pid_t)strtol(line, NULL, 10);
}

static void members_without_a_leader_are_ended_by_its_pidfd(void **state)
{
	struct record_head head;
	int pidfd_socket[2], pidfd = -1;

	(void)state;
	support_need_no_valgrind("it knows no pidfds");
	prepare("sleep 60 & echo up >>$said; wait");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    pidfd_socket),
			 0);
	worker.pidfd_socket = pidfd_socket[1];
	head = orphan_the_members("up");
	assert_int_equal(worker_receive_leader(pidfd_socket[0], &pidfd), 1);
	if (worker_end_group(&head.leader, pidfd, tick_after(20 * TICK_S)))
		skip(); /* before Linux 6.9 */
	assert_int_equal(identity_judge_group(&head.leader, -1), IDENTITY_DEAD);
	close(pidfd);
	close(pidfd_socket[0]);
	close(pidfd_socket[1]);
}

/* Once by its group, which a descriptor that is closed does not help; once
 * outside of it, by the descriptor; once from another PID namespace, where the
 * group's number tells nothing. */
static void a_run_does_not_begin_beside_what_the_last_one_left(void **state)
{
	static const char *const lefts[] = {
		"exec sleep 60 100>&-",
		"exec setsid sleep 60",
		"exec sleep 60",
	};
	struct record_head head;
	char text[256];
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		if (i > 0) {
			teardown(state);
			setup(state);
		}
		snprintf(text, sizeof(text),
			 "if [ -e $said ]; then echo again >>$said; exit; fi; "
			 "sh -c 'echo $$ >%s; echo up >>'$said'; %s' & wait",
			 scratch_path(&f.scratch, "pid"), lefts[i]);
		prepare(text);
		head = orphan_the_members("up");
		if (i == 2) {
			head.leader.place.pid.inode++;
			head.leader.place.pid.id++;
			head.leader.pid = (int32_t)getpid();
			record_note_group(record, &head.leader);
		}
		is_hasty = true;
		assert_int_equal(worker_start(&worker, &pid), 0);
		is_hasty = false;
		assert_int_equal(child_exit_code(await(pid)), EBUSY);
		assert_int_equal(kill(said_pid(), 0), 0);
		assert_int_equal(fixture_count(&f, "said", "again"), 0);
		assert_int_equal(read_head().outcome, RECORD_PENDING);
		kill(said_pid(), SIGKILL);
		assert_int_equal(worker_start(&worker, &pid), 0);
		assert_int_equal(child_exit_code(await(pid)), 0);
		assert_int_equal(fixture_count(&f, "said", "again"), 1);
	}
}

static int lead_a_group(void *arg)
{
	(void)arg;
	setpgid(0, 0);
	pause();
	return 1;
}

/* A record of a job that ran before, and whose group's number has another. */
static pid_t note_an_innocent(struct identity_process *stale)
{
	pid_t pid;

	assert_int_equal(child_fork(lead_a_group, NULL, &pid), 0);
	setpgid(pid, pid);
	assert_int_equal(identity_of(pid, stale), 0);
	stale->start--;
	stale->pidfs--;
	assert_int_equal(record_note_group(record, stale), 0);
	return pid;
}

static void a_group_that_is_somebody_elses_is_left_alone(void **state)
{
	struct identity_process stale;
	int status;
	pid_t pid;

	(void)state;
	prepare("exit 0");
	pid = note_an_innocent(&stale);
	assert_int_equal(worker_end_group(&stale, -1, tick_now()), 0);
	stale.start++;
	stale.pidfs++;
	stale.place.pid.inode++; /* the same number in another namespace */
	stale.place.pid.id++;
	assert_int_equal(worker_end_group(&stale, -1, tick_now()), -EXDEV);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	await(pid);
}

/* ---- in a slot of the dispatcher ------------------------------------------------- */

static struct slot slot;
static struct slot_options options;

static void set_options(void)
{
	options = (struct slot_options){
		.journal_dir = f.journal.dir,
		.max_attempts = fixture_options.max_attempts,
		.out = fixture_options.out,
		.err = fixture_options.err,
	};
}

static void start_in_slot(const char *text)
{
	set_options();
	prepare(text);
	assert_int_equal(slot_start(&slot, &options, job), 0);
}

/* Its worker's end is waited for, and left for slot_finish() to see. */
static void await_slot(void)
{
	assert_int_equal(waitid(P_PID, (id_t)slot.pid,
				&(siginfo_t){.si_pid = 0}, WEXITED | WNOWAIT),
			 0);
}

static bool is_stopped(void *arg)
{
	char path[64], line[256] = "";
	const char *state = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)*(pid_t *)arg);
	file = fopen(path, "re");
	if (file && fgets(line, sizeof(line), file))
		state = strrchr(line, ')');
	if (file)
		fclose(file);
	return state && state[2] == 'T';
}

static void a_worker_that_dies_at_its_start_takes_nobody_along(void **state)
{
	struct identity_process stale;
	enum slot_result result;
	pid_t innocent;
	int status;
	long n;

	(void)state;
	set_options();
	prepare("exit 0");
	innocent = note_an_innocent(&stale);
	dies_at_the_gate = true;
	assert_int_equal(slot_start(&slot, &options, job), 0);
	dies_at_the_gate = false;
	await_slot();
	assert_int_equal(slot_finish(&slot, tick_now(), &result, &n), 0);
	assert_int_equal(result, SLOT_DIED);
	assert_int_equal(waitpid(innocent, &status, WNOHANG), 0);
	kill(innocent, SIGKILL);
	await(innocent);
}

static void shortages_pass_and_other_errors_do_not(void **state)
{
	static const int shortages[] = {EMFILE, ENFILE, EAGAIN, ENOMEM,
					ENOBUFS};
	static const int others[] = {0, EIO, ENOSPC, EACCES, EBADMSG, ENOENT};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(slot_is_shortage(-shortages[i]));
	for (size_t i = 0; i < 6; i++)
		assert_false(slot_is_shortage(-others[i]));
}

static void what_a_worker_could_not_do_is_the_dispatchers_error(void **state)
{
	enum slot_result result;
	long n;

	(void)state;
	fails_at_the_gate = true;
	start_in_slot("exit 0");
	fails_at_the_gate = false;
	await_slot();
	assert_int_equal(slot_finish(&slot, tick_now(), &result, &n), -EIO);
	assert_int_equal(read_head().outcome, RECORD_PENDING);
}

static void a_worker_that_is_stopped_can_be_ended(void **state)
{
	enum slot_result result;
	long n;

	(void)state;
	start_in_slot("echo up >>$said; sleep 60");
	wait_for("up");
	assert_int_equal(kill(slot.pid, SIGSTOP), 0);
	assert_true(support_wait_until(is_stopped, &slot.pid, 20000));
	slot_stop(&slot);
	assert_true(support_wait_until(support_has_ended, &slot.pid, 20000));
	assert_int_equal(slot_finish(&slot, tick_now(), &result, &n), 0);
	assert_int_equal(result, SLOT_STOPPED);
}

static void a_command_that_is_stopped_can_be_ended(void **state)
{
	pid_t pid, leader;

	(void)state;
	prepare("echo up >>$said; kill -STOP $$");
	worker.grace_ns = 30 * TICK_S;
	assert_int_equal(worker_start(&worker, &pid), 0);
	wait_for("up");
	leader = (pid_t)read_head().leader.pid;
	assert_true(support_wait_until(is_stopped, &leader, 20000));
	assert_int_equal(kill(pid, SIGTERM), 0);
	await(pid);
	assert_int_equal(read_head().outcome, RECORD_PENDING);
}

/* At a stop that is no attempt of the job's, and its command ends all the same. */
static void a_command_whose_worker_is_killed_at_a_stop_is_ended(void **state)
{
	enum slot_result result;
	struct record_head head;
	long n;

	(void)state;
	start_in_slot("sleep 60 & echo up >>$said; wait");
	wait_for("up");
	assert_int_equal(kill(slot.pid, SIGKILL), 0);
	await_slot();
	slot_stop(&slot);
	assert_int_equal(slot_finish(&slot, tick_now(), &result, &n), 0);
	assert_int_equal(result, SLOT_STOPPED);
	head = read_head();
	assert_int_equal(head.attempts, 0);
	assert_true(support_wait_until(is_gone, &head, 20000));
}

/* Of either stream; the other one's reader has read all. */
static void output_that_is_lost_is_told(void **state)
{
	static struct outlet unread;
	enum slot_result result;
	int fds[2];
	uint64_t end;
	long n;

	for (int i = 0; i < 2; i++) {
		if (i > 0) {
			teardown(state);
			setup(state);
		}
		assert_int_equal(fdio_pipe(fds), 0);
		assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
		outlet_init(&unread, fds[1]);
		for (int k = 0; outlet_is_free(&unread) && k < 4096; k++)
			assert_int_equal(outlet_put(&unread, "held\n", 5, &end),
					 0);
		set_options();
		*(i ? &options.out : &options.err) = &unread;
		prepare("echo lost; echo lost >&2");
		assert_int_equal(slot_start(&slot, &options, job), 0);
		await_slot();
		assert_int_equal(slot_finish(&slot, tick_now(), &result, &n),
				 -ETIMEDOUT);
		assert_int_equal(result, SLOT_ENDED);
		close(fds[0]);
		close(fds[1]);
	}
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
	assert_int_equal(read_head().leader.pid, 0);
}

/* Whatever there is room for: the command runs, or it is said why not. */
static void a_command_that_cannot_be_started_has_not_ended(void **state)
{
	int before, seen[2] = {0, 0};
	struct rlimit old, few;

	(void)state;
	support_need_no_valgrind("it takes descriptors of its own");
	prepare("exit 3");
	before = support_count_fds();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	for (int more = 0; more < 10; more++) {
		int status, error;
		pid_t pid;

		assert_int_equal(record_note_outcome(record, RECORD_PENDING),
				 0);
		few.rlim_cur = (rlim_t)before + (rlim_t)more;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		error = worker_start(&worker, &pid);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_int_equal(error, 0);
		status = await(pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(read_head().outcome,
				 WEXITSTATUS(status) ? RECORD_PENDING
						     : RECORD_EXITED | 3);
		assert_true(status == 0 || WEXITSTATUS(status) == EMFILE);
		seen[status == 0]++;
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
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
		CASE(the_grace_is_for_the_whole_group),
		CASE(members_that_outlast_the_grace_are_killed),
		CASE(members_without_a_leader_are_ended_by_its_pidfd),
		CASE(a_run_does_not_begin_beside_what_the_last_one_left),
		CASE(a_group_that_is_somebody_elses_is_left_alone),
		CASE(a_worker_that_dies_at_its_start_takes_nobody_along),
		cmocka_unit_test(shortages_pass_and_other_errors_do_not),
		CASE(what_a_worker_could_not_do_is_the_dispatchers_error),
		CASE(a_worker_that_is_stopped_can_be_ended),
		CASE(a_command_that_is_stopped_can_be_ended),
		CASE(a_command_whose_worker_is_killed_at_a_stop_is_ended),
		CASE(output_that_is_lost_is_told),
		CASE(a_command_that_the_journal_does_not_know_never_runs),
		CASE(a_command_that_cannot_be_started_has_not_ended),
	};
	return SUPPORT_MAIN(tests);
}
