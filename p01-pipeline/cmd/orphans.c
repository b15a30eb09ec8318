/* orphans.c - adopt, reap, end what stages leave running.
 *
 * The kernel makes orphans our children without a word (PR_SET_CHILD_SUBREAPER,
 * prctl(2)). We learn of them by looking: at the children that have ended, each
 * time one has, and in /proc for those that still run, when they are to end.
 */
#include "p01-pipeline/cmd/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tick.h"

static const int64_t KILL_TIME = 10 * TICK_S;

bool orphans_adopt(void)
{
	siginfo_t info;

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return false;
	return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

static bool is_stage(const struct pipeline *p, pid_t pid)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->stages[i].is_running && p->stages[i].pid == pid)
			return true;
	return false;
}

/* A stage that has ended hides those behind it until pipeline_reap() has
 * collected it: each comes with a SIGCHLD, so the caller will be back. */
void orphans_reap(const struct pipeline *p)
{
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || is_stage(p, info.si_pid))
			return;
		waitpid(info.si_pid, NULL, 0);
	}
}

/* Whether the process is a child of ours in our session: fields 4 and 6 of
 * /proc/PID/stat, counted from behind its name, which may hold anything. */
static bool is_ours(pid_t pid)
{
	char path[32], text[512], *at = NULL;
	long parent, session;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(text, sizeof(text), file))
		at = strrchr(text, ')');
	fclose(file);
	if (!at || strlen(at) < 4)
		return false;
	parent = strtol(at + 4, &at, 10); /* behind ") S " */
	strtol(at, &at, 10);              /* its process group */
	session = strtol(at, NULL, 10);
	return parent == getpid() && session == getsid(0);
}

/* Send the signal to each (0: to none). Returns how many there are. */
static int signal_all(int number)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int n = 0, error;

	if (!dir)
		return -errno;
	while ((errno = 0, entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || !is_ours(pid))
			continue;
		kill(pid, number);
		kill(pid, number ? SIGCONT : 0); /* a stopped one must see it */
		n++;
	}
	error = -errno;
	closedir(dir);
	return error ? error : n;
}

static int signal_for(int64_t term_at, int64_t kill_at)
{
	if (tick_is_over(kill_at))
		return SIGKILL;
	return tick_is_over(term_at) ? SIGTERM : 0;
}

/* Until a child has ended, or the next of the two moments. */
static void wait_for_change(int64_t term_at, int64_t kill_at, int64_t end)
{
	int64_t next = !tick_is_over(term_at)   ? term_at
		       : !tick_is_over(kill_at) ? kill_at
						: end;
	struct timespec left = tick_to_timespec(tick_left(next));
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &left);
}

int orphans_end(int64_t term_at, int64_t kill_at)
{
	int64_t end = kill_at + KILL_TIME;
	int n;

	for (;;) {
		/* The end of one may make orphans of its children: look
		 * again each time, which tells the others once more. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		n = signal_all(signal_for(term_at, kill_at));
		if (n <= 0)
			return n;
		if (tick_is_over(end))
			return -ETIMEDOUT;
		wait_for_change(term_at, kill_at, end);
	}
}
