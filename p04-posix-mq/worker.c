/* worker.c - see worker.h.
 *
 * The command's process waits at a gate, a pipe, until its group is in the
 * journal. A worker that is killed before that closes the gate by dying, and
 * the command never runs: there is no instant at which a command runs that
 * the journal does not know.
 */
#include "p04-posix-mq/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/identity.h"
#include "lib/fdio.h"
#include "lib/tick.h"

/* How long a group that was sent SIGKILL may take to be gone. */
#define KILL_NS (5 * TICK_S)
/* And how long its members, where nobody may ever reap them. */
#define MEMBERS_NS TICK_S

/* ---- the command's process ---------------------------------------------------- */

struct command {
	const struct worker *worker;
	int gate[2];
};

static void reset_signals(void)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	/* Fails for SIGKILL, SIGSTOP, and two that glibc keeps to itself. */
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Only async-signal-safe calls from here to exec. */
static int run_command(void *arg)
{
	const struct command *command = arg;
	const struct worker *worker = command->worker;
	int null;
	char go;

	/* The group must outlive a worker that is killed: its leader is what
	 * the next dispatcher knows it by. */
	prctl(PR_SET_PDEATHSIG, 0);
	setpgid(0, 0);
	close(command->gate[1]);
	if (fdio_read(command->gate[0], &go, 1) != 1)
		return 1;
	reset_signals();
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(worker->out, STDOUT_FILENO) < 0 ||
	    dup2(worker->err, STDERR_FILENO) < 0)
		return 126;
	execl("/bin/sh", "sh", "-c", worker->job->command, (char *)NULL);
	return child_spawn_exit_code(errno);
}

/* ---- the worker ------------------------------------------------------------------ */

/* Start the command, note its group, open the gate. */
static int start_command(const struct worker *worker, int record, pid_t *pid)
{
	struct command command = {.worker = worker};
	const char go = 1;
	int error;

	error = fdio_pipe(command.gate);
	if (error)
		return error;
	error = child_fork(run_command, &command, pid);
	close(command.gate[0]);
	if (!error) {
		setpgid(*pid, *pid); /* whoever of us two comes first */
		error = record_note_group(record, *pid,
					  identity_start_time(*pid));
		if (!error)
			error = fdio_write_full(command.gate[1], &go, 1);
	}
	close(command.gate[1]);
	return error;
}

/* Whether it has ended. It is not waited for yet: until then its number, and
 * that of its group, is taken. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) <
		       0 ||
	       info.si_pid == pid;
}

/* After the leader's end. Members that were sent SIGKILL and have not got round
 * to dying still hold files and locks, which the job would meet when it runs
 * again. They are not our children; signal 0 tells whether there are any. */
static void wait_for_members(pid_t group)
{
	int64_t deadline = tick_after(MEMBERS_NS);

	while (kill(-group, 0) == 0 && !tick_is_over(deadline))
		tick_sleep_until(tick_after(TICK_MS));
}

/* SIGTERM, some time, SIGKILL for what is left of the group. */
static void end_command(pid_t pid, int64_t grace_ns)
{
	int64_t deadline = tick_after(grace_ns);
	struct timespec left;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	kill(-pid, SIGTERM);
	kill(-pid, SIGCONT);
	while (!has_ended(pid) && !tick_is_over(deadline)) {
		left = tick_to_timespec(tick_left(deadline));
		sigtimedwait(&set, NULL, &left);
	}
	kill(-pid, SIGKILL);
}

/* Until the command has ended, or we shall: SIGTERM, which the kernel sends
 * when the dispatcher dies. Returns whether it ended by itself. */
static bool wait_for_command(pid_t pid, int64_t grace_ns)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	while (!has_ended(pid)) {
		if (sigwaitinfo(&set, NULL) == SIGTERM && !has_ended(pid)) {
			end_command(pid, grace_ns);
			return false;
		}
	}
	return true;
}

/* All three wait to be asked for. Ctrl-C is for the dispatcher to decide. */
static void block_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, old);
}

/* To the dispatcher this is a worker that was killed. */
static void die_by_sigterm(void)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t term;

	sigaction(SIGTERM, &plain, NULL);
	raise(SIGTERM);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

/* All of the worker's life. Returns 0 when the outcome is in the record, else
 * the errno of what could not be done. */
static int run(void *arg)
{
	const struct worker *worker = arg;
	int record, status, error;
	bool is_ended;
	pid_t pid;

	/* child_fork() has made it SIGKILL, and looked for our parent. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return errno;
	signal(SIGCHLD, SIG_DFL); /* ignored, there would be no status */
	record = record_open(worker->journal_dir, worker->job->id);
	if (record < 0)
		return -record;
	error = start_command(worker, record, &pid);
	if (error)
		return -error;
	is_ended = wait_for_command(pid, worker->grace_ns);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	if (!is_ended) {
		wait_for_members(pid);
		die_by_sigterm();
	}
	return -record_note_outcome(
		record, RECORD_EXITED | (uint32_t)child_exit_code(status));
}

int worker_start(const struct worker *worker, pid_t *pid)
{
	sigset_t old;
	int error;

	/* Before it is born: so that none is lost. */
	block_signals(&old);
	error = child_fork(run, (void *)(uintptr_t)worker, pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return error;
}

/* ---- after the worker ---------------------------------------------------------------- */

int worker_end_group(const struct record_head *record, bool is_ours)
{
	pid_t group = (pid_t)record->group;
	int64_t deadline = tick_after(KILL_NS);

	if (group <= 1 ||
	    (!is_ours && !identity_is_alive(group, record->group_start)))
		return 0;
	kill(-group, SIGKILL);
	while (identity_is_alive(group, record->group_start)) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		tick_sleep_until(tick_after(TICK_MS));
	}
	wait_for_members(group);
	return 0;
}
