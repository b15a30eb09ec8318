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
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/identity.h"
#include "lib/fdio.h"
#include "lib/tick.h"

/* The command's descriptor that holds RECORD_RUN: beyond those that scripts give
 * a number of their own. */
#define RUN_FD 100

/* ---- the command's process ---------------------------------------------------- */

struct command {
	const struct worker *worker;
	int record, gate[2];
	struct identity_process leader;
	int pidfd; /* of the leader; -1 where there are none */
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
	char go;

	/* The group must outlive a worker that is killed: its leader is what
	 * the next dispatcher knows it by. */
	prctl(PR_SET_PDEATHSIG, 0);
	setpgid(0, 0);
	close(command->gate[1]);
	if (fdio_read(command->gate[0], &go, 1) != 1)
		return 1;
	reset_signals();
	/* From here on as many descriptors as there were are enough. */
	close(command->gate[0]);
	close(STDIN_FILENO);
	if (open("/dev/null", O_RDONLY) != STDIN_FILENO ||
	    dup2(worker->out, STDOUT_FILENO) < 0 ||
	    dup2(worker->err, STDERR_FILENO) < 0 ||
	    (fcntl(command->record, F_DUPFD, RUN_FD) < 0 &&
	     fcntl(command->record, F_DUPFD, STDERR_FILENO + 1) < 0))
		return 126;
	execl("/bin/sh", "sh", "-c", worker->job->command, (char *)NULL);
	return child_spawn_exit_code(errno);
}

/* ---- the worker ------------------------------------------------------------------ */

/* A message of one byte that carries the descriptor, unix(7). Where nobody takes
 * it the command is known by its record alone. */
static void send_leader(int pidfd_socket, int pidfd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec byte = {.iov_base = (char[]){0}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &pidfd, sizeof(int));
	if (pidfd_socket >= 0 && pidfd >= 0)
		(void)sendmsg(pidfd_socket, &message, MSG_NOSIGNAL);
}

/* Identify the leader of the command's group: its pid is its own until the worker
 * has waited for it, and its pidfd means it from then on. */
static void identify(struct command *command, pid_t pid)
{
	if (identity_of(pid, &command->leader))
		command->leader = (struct identity_process){.pid = pid};
	command->pidfd = pidfd_open(pid, 0);
	send_leader(command->worker->pidfd_socket, command->pidfd);
}

/* Start the command, note its group, open the gate. */
static int start_command(struct command *command, pid_t *pid)
{
	const char go = 1;
	int error;

	error = fdio_pipe(command->gate);
	if (error)
		return error;
	error = child_fork(run_command, command, pid);
	close(command->gate[0]);
	if (!error) {
		setpgid(*pid, *pid); /* parent or child, whichever is first */
		identify(command, *pid);
		error = record_note_group(command->record, &command->leader);
		if (!error)
			error = fdio_write_full(command->gate[1], &go, 1);
	}
	close(command->gate[1]);
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

/* Where /proc does not tell who that is, it is still our child. */
static void signal_command(const struct command *command, int number)
{
	if (identity_signal_group(&command->leader, command->pidfd, number) ==
	    -EXDEV)
		kill(-command->leader.pid, number);
}

/* All of the group; where /proc does not tell of members, the shell. */
static int wait_for_group(const struct command *command, int64_t deadline)
{
	const struct identity_process *leader = &command->leader;

	if (identity_judge(leader) != IDENTITY_UNKNOWN)
		return identity_wait_group(leader, command->pidfd, deadline);
	while (!has_ended(leader->pid)) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		tick_sleep_until(tick_after(TICK_MS));
	}
	return -EXDEV;
}

/* SIGTERM, some time for the whole group, SIGKILL for what is left of it: the
 * shell is often gone at once, and what it had started is at work still. */
static void end_command(const struct command *command, int64_t grace_ns)
{
	signal_command(command, SIGTERM);
	signal_command(command, SIGCONT);
	if (wait_for_group(command, tick_after(grace_ns)) == 0)
		return;
	signal_command(command, SIGKILL);
	wait_for_group(command, tick_after(WORKER_KILL_NS));
}

/* Until the command has ended, or we shall: SIGTERM, which the kernel sends
 * when the dispatcher dies. Returns whether it ended by itself. */
static bool wait_for_command(const struct command *command, pid_t pid)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	while (!has_ended(pid)) {
		if (sigwaitinfo(&set, NULL) == SIGTERM && !has_ended(pid)) {
			end_command(command, command->worker->grace_ns);
			return false;
		}
	}
	return true;
}

/* All three stay pending until sigwaitinfo(2) takes them. What Ctrl-C means is for
 * the dispatcher to decide. */
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

/* Nothing of the job's last run may live when the next one starts. From then on
 * RECORD_RUN is ours, and the command's. */
static int end_last_run(const struct worker *worker, struct identity_role *run)
{
	int64_t deadline = tick_after(WORKER_LAST_NS);
	int fd = record_open(worker->journal_dir, worker->job->id), error;
	struct record_head head;

	error = fd < 0 ? fd : identity_role_open(run, fd);
	if (!error)
		error = record_read(fd, &head, NULL);
	if (!error)
		error = worker_end_group(&head.leader, -1, deadline);
	if (!error || error == -EXDEV)
		error = identity_role_take_until(run, RECORD_RUN, deadline);
	/* A read lock that somebody has laid on it tells no more than another. */
	return error == -ETIMEDOUT || error == -EPERM ? -EBUSY : error;
}

/* All of the worker's life. Returns 0 when the outcome is in the record, else
 * the errno of what could not be done. */
static int run(void *arg)
{
	const struct worker *worker = arg;
	struct command command = {.worker = worker};
	struct identity_role role = {.fd = -1};
	int status, error;
	bool is_ended;
	pid_t pid;

	/* child_fork() has made it SIGKILL, and looked for our parent. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return errno;
	signal(SIGCHLD, SIG_DFL); /* ignored, there would be no status */
	error = end_last_run(worker, &role);
	if (error)
		return -error;
	command.record = role.fd;
	error = start_command(&command, &pid);
	if (error)
		return -error;
	is_ended = wait_for_command(&command, pid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	if (!is_ended)
		die_by_sigterm();
	return -record_note_outcome(command.record,
				    RECORD_EXITED |
					    (uint32_t)child_exit_code(status));
}

int worker_start(const struct worker *worker, pid_t *pid)
{
	sigset_t old;
	int error;

	/* Blocked before the fork, so that the worker loses none. */
	block_signals(&old);
	error = child_fork(run, (void *)(uintptr_t)worker, pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return error;
}

/* ---- what the dispatcher knows of it ----------------------------------------------- */

int worker_receive_leader(int pidfd_socket, int *pidfd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec room = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &room,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(pidfd_socket, &message,
			    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? -EAGAIN : 0;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EAGAIN; /* no room for one more descriptor */
	memcpy(pidfd, CMSG_DATA(header), sizeof(int));
	return 1;
}

bool worker_has_left(int journal_dir, uint64_t id)
{
	int fd = record_open(journal_dir, id);
	struct record_head head = {.leader.pid = 0};
	bool has_left;

	if (fd < 0)
		return false;
	has_left = record_read(fd, &head, NULL) == 0 &&
		   identity_judge(&head.leader) != IDENTITY_UNKNOWN &&
		   identity_judge_group(&head.leader, -1) != IDENTITY_DEAD;
	close(fd);
	return has_left || record_is_running(journal_dir, id);
}

int worker_end_group(const struct identity_process *leader, int pidfd,
		     int64_t deadline)
{
	int error;

	if (leader->pid <= 1)
		return 0;
	error = identity_signal_group(leader, pidfd, SIGKILL);
	if (error == -ESRCH)
		return 0;
	return error == -EXDEV ? error
			       : identity_wait_group(leader, pidfd, deadline);
}
