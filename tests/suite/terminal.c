/* Run a command on a pseudo terminal, or with a reader of a bad kind, do
 * something to it, and say how it ended: "exit 0", "signal 2", "hung". For
 * terminal.bats, which compiles it.
 *
 *	terminal [WHAT...] -- COMMAND [ARGUMENT...]
 *
 *	leader       the command leads the session, else we do, as a shell does
 *	gone         nobody reads its standard output any more
 *	silent       nobody reads its standard output and error, which are full
 *	small        it may write no files (ulimit -f 0)
 *	at=N         let it come to its Nth system call, or until it waits there
 *	ready=TEXT   let it print TEXT, or end, or wait for something
 *	key=C        then type Ctrl-C (or Z, which goes on by `fg`, then Ctrl-C)
 *	hangup       then close the terminal
 *	term         then send SIGTERM to it alone
 *
 * What it prints is left in the file screen. With at=, the line ends in "at N":
 * how far it came. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000LL
#define PATIENCE (10000 * MS) /* for the command to end */
#define READY (20000 * MS)    /* for it to print what is awaited */
#define CALM (60 * MS) /* without a system call, or the processor: it waits */

struct what {
	bool is_leader, is_gone, is_silent, is_small, hangs_up, terminates;
	long at;
	const char *ready;
	char key;
	char *const *argv;
};

static struct what what;
static int master = -1, slave = -1, screen = -1, out[2] = {-1, -1};
static pid_t pid;
static char seen[65536];
static size_t seen_len;
static int ended = -1; /* its wait status, once it has */

static void fail(const char *text)
{
	perror(text);
	if (pid > 0)
		kill(pid, SIGKILL);
	exit(99);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

/* ---- the command ------------------------------------------------------------- */

static void fill(int fd)
{
	static const char nothing[4096];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, nothing, sizeof(nothing)) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

static void be_command(void)
{
	const struct rlimit none = {0, 0};

	if (what.is_leader) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
	} else {
		setpgid(0, 0);
		tcsetpgrp(slave, getpid()); /* SIGTTOU is ignored yet */
	}
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	dup2(slave, 0);
	dup2(out[1] >= 0 ? out[1] : slave, 1);
	dup2(what.is_silent ? out[1] : slave, 2);
	if (what.is_small)
		setrlimit(RLIMIT_FSIZE, &none);
	if (what.at)
		ptrace(PTRACE_TRACEME, 0, 0, 0);
	execvp(what.argv[0], what.argv);
	_exit(127);
}

static void start(void)
{
	if (openpty(&master, &slave, NULL, NULL, NULL))
		fail("openpty");
	fcntl(master, F_SETFD, FD_CLOEXEC);
	fcntl(slave, F_SETFD, FD_CLOEXEC);
	if (what.is_gone || what.is_silent) {
		if (pipe2(out, O_CLOEXEC))
			fail("pipe");
		if (what.is_silent)
			fill(out[1]);
		else
			close(out[0]);
	}
	signal(SIGHUP, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	if (!what.is_leader) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
	}
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0)
		be_command();
	if (!what.is_leader)
		setpgid(pid, pid);
	close(slave);
	if (out[1] >= 0)
		close(out[1]);
}

/* ---- what we see of it ------------------------------------------------------- */

/* What it has printed meanwhile, for a millisecond at most. */
static void look(void)
{
	struct pollfd pfd = {.fd = master, .events = POLLIN};
	char bytes[4096];
	ssize_t n;

	if (master < 0 || poll(&pfd, 1, 1) <= 0 || !(pfd.revents & POLLIN)) {
		if (master < 0 || pfd.revents)
			usleep(1000);
		return;
	}
	n = read(master, bytes, sizeof(bytes));
	if (n <= 0)
		return;
	if (write(screen, bytes, (size_t)n) < 0)
		fail("screen");
	if (seen_len + (size_t)n < sizeof(seen)) {
		memcpy(seen + seen_len, bytes, (size_t)n);
		seen_len += (size_t)n;
	}
}

static bool has_ended(void)
{
	int status;

	if (ended < 0 && waitpid(pid, &status, WNOHANG) == pid)
		ended = status;
	return ended >= 0;
}

/* Its processor time; -1 while it runs. proc(5): the state is the first field
 * behind the name, and the times are eleven and twelve more behind that. */
static long idle_ticks(void)
{
	char path[64], line[1024] = "", *field;
	unsigned long ticks;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (!stat)
		return -1;
	if (!fgets(line, sizeof(line), stat))
		line[0] = '\0';
	fclose(stat);
	field = strrchr(line, ')');
	if (!field || strncmp(field, ") S ", 4) != 0)
		return -1;
	field += 2;
	for (int i = 0; i < 11 && field; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -1;
	ticks = strtoul(field, &field, 10);
	return (long)(ticks + strtoul(field, NULL, 10));
}

static void await_calm(int64_t end)
{
	int64_t since = now();
	long before = -1;

	while (!has_ended() && now() < end && now() - since < CALM) {
		long ticks = idle_ticks();

		if (ticks < 0 || ticks != before)
			since = now();
		before = ticks;
		look();
	}
}

static void await_ready(void)
{
	int64_t end = now() + READY;

	if (!what.ready || what.is_gone || what.is_silent) {
		await_calm(now() + 250 * MS);
		return;
	}
	while (!has_ended() && now() < end &&
	       !memmem(seen, seen_len, what.ready, strlen(what.ready)))
		look();
	/* It may have a last step to do. */
	await_calm(now() + CALM);
}

/* ---- system calls ------------------------------------------------------------ */

/* The next stop of it, or 0 when it makes no call for so long: it waits. */
static int next_stop(int64_t patience)
{
	const int64_t begin = now();
	int status;

	while (now() - begin < patience) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid && !WIFSTOPPED(status)) {
			ended = status;
			return 0;
		}
		if (got == pid)
			return status;
		if (now() - begin > MS)
			look();
	}
	return 0;
}

static bool is_pending(int number)
{
	char path[64], line[256];
	unsigned long long set = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "SigPnd:", 7) == 0 ||
		    strncmp(line, "ShdPnd:", 7) == 0)
			set |= strtoull(line + 7, NULL, 16);
	if (status)
		fclose(status);
	return set >> (number - 1) & 1;
}

static void type(char key)
{
	char byte = (char)(key & 0x1f);

	if (write(master, &byte, 1) != 1)
		fail("terminal");
}

/* Let it come to its Nth call and type there. Returns how far it came. */
static long type_at(long n)
{
	long entries = 0;
	bool is_entry = true;
	int status, number = 0;

	next_stop(PATIENCE); /* its exec */
	if (ended >= 0)
		return 0;
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	while (entries < n) {
		ptrace(PTRACE_SYSCALL, pid, 0, number);
		status = next_stop(CALM);
		if (ended >= 0)
			return entries;
		if (!status) { /* it waits: a signal ends that */
			type(what.key);
			status = next_stop(PATIENCE);
			number = WSTOPSIG(status);
			if (ended < 0)
				ptrace(PTRACE_DETACH, pid, 0,
				       number == (SIGTRAP | 0x80) ? 0 : number);
			return -entries;
		}
		number = WSTOPSIG(status);
		if (number == (SIGTRAP | 0x80) || number == SIGTRAP) {
			entries += number != SIGTRAP && is_entry;
			is_entry = number == SIGTRAP || !is_entry;
			number = 0;
		}
	}
	type(what.key);
	/* Another thread may have taken it. */
	for (int64_t end = now() + CALM; now() < end && !is_pending(SIGINT);)
		look();
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return entries;
}

/* ---- what we do to it -------------------------------------------------------- */

static void suspend(void)
{
	int64_t end = now() + PATIENCE;
	int status;

	type('Z');
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG | WUNTRACED);

		if (got == pid && !WIFSTOPPED(status)) {
			ended = status;
			return;
		}
		if (got == pid)
			break;
		if (now() > end) {
			puts("not suspended");
			return;
		}
		look();
	}
	kill(-pid, SIGCONT);
	await_calm(now() + 2 * CALM);
}

static void act(void)
{
	if (what.key == 'Z') {
		suspend();
		type('C');
	} else if (what.key) {
		type(what.key);
	}
	if (what.hangs_up) {
		close(master);
		master = -1;
		if (!what.is_leader)
			kill(-pid, SIGHUP); /* as a shell does */
	}
	if (what.terminates)
		kill(pid, SIGTERM);
}

static void parse(char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		what.is_leader |= strcmp(*argv, "leader") == 0;
		what.is_gone |= strcmp(*argv, "gone") == 0;
		what.is_silent |= strcmp(*argv, "silent") == 0;
		what.is_small |= strcmp(*argv, "small") == 0;
		what.hangs_up |= strcmp(*argv, "hangup") == 0;
		what.terminates |= strcmp(*argv, "term") == 0;
		if (strncmp(*argv, "at=", 3) == 0)
			what.at = strtol(*argv + 3, NULL, 10);
		if (strncmp(*argv, "ready=", 6) == 0)
			what.ready = *argv + 6;
		if (strncmp(*argv, "key=", 4) == 0)
			what.key = (*argv)[4];
	}
	what.argv = argv + 1;
	if (!*argv || !*what.argv)
		fail("no command");
}

int main(int argc, char **argv)
{
	int64_t end;
	long came = 0;

	(void)argc;
	parse(argv);
	screen = open("screen", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (screen < 0)
		fail("screen");
	start();
	if (what.at) {
		came = type_at(what.at);
	} else {
		await_ready();
		if (!has_ended())
			act();
	}
	end = now() + PATIENCE;
	while (!has_ended() && now() < end)
		look();
	if (!has_ended()) {
		kill(what.is_leader ? pid : -pid, SIGKILL);
		printf("hung");
	} else if (WIFSIGNALED(ended)) {
		printf("signal %d", WTERMSIG(ended));
	} else {
		printf("exit %d", WEXITSTATUS(ended));
	}
	if (what.at)
		printf(" at %ld", came);
	putchar('\n');
	return 0;
}
