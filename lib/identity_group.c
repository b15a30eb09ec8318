/* identity_group.c - process groups: signalled only with proof, ended when no
 * member lives. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/identity_proc.h"
#include "lib/tick.h"

#define TO_GROUP 4u /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */

/* Through the pidfd of its leader, dead or alive: the kernel has kept the group
 * itself in it, so no number is involved. */
static int signal_by_pidfd(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, TO_GROUP) < 0
		       ? -errno
		       : 0;
}

static bool has_no_member(pid_t group)
{
	return kill(-group, 0) < 0 && errno == ESRCH;
}

/* One walk over /proc. A process that others may not see cannot be missed:
 * process 1 is there for every reader, or is hidden as well. */
static enum identity_life look_through_proc(pid_t group)
{
	struct identity_proc proc;
	enum identity_life life = IDENTITY_DEAD;
	const struct dirent *entry;
	DIR *dir = identity_proc_is_ours() ? opendir("/proc") : NULL;

	if (!dir)
		return IDENTITY_UNKNOWN;
	if (identity_proc_read(1, &proc))
		life = IDENTITY_UNKNOWN;
	while (life != IDENTITY_ALIVE && (errno = 0, entry = readdir(dir))) {
		int error, pid = atoi(entry->d_name); // NOLINT: 0 for words

		if (pid <= 0)
			continue;
		error = identity_proc_read(pid, &proc);
		if (error == -EACCES || error == -EPERM)
			life = IDENTITY_UNKNOWN;
		if (!error && proc.group == group &&
		    identity_proc_is_alive(&proc))
			life = IDENTITY_ALIVE;
	}
	/* What could not be read may be a member. */
	if (life == IDENTITY_DEAD && errno)
		life = IDENTITY_UNKNOWN;
	closedir(dir);
	return life;
}

/* A member that forks while we walk may give its child a number that we have
 * passed, and end before we come to it; so it takes two walks. */
static enum identity_life judge_members(pid_t group)
{
	enum identity_life life = IDENTITY_DEAD;

	for (int i = 0; i < 2 && life == IDENTITY_DEAD; i++) {
		if (has_no_member(group))
			return IDENTITY_DEAD;
		life = look_through_proc(group);
	}
	return life;
}

enum identity_life identity_judge_group(const struct identity_process *leader,
					int pidfd)
{
	int error = pidfd < 0 ? -EBADF : signal_by_pidfd(pidfd, 0);
	bool is_proven = error == 0 || error == -EPERM;
	enum identity_life life;

	if (leader->pid <= 1 || error == -ESRCH)
		return IDENTITY_DEAD;
	switch (identity_proc_see(leader)) {
	case IDENTITY_SIGHT_LIVING:
		return IDENTITY_ALIVE;
	case IDENTITY_SIGHT_UNKNOWN:
		return IDENTITY_UNKNOWN;
	case IDENTITY_SIGHT_ANOTHER: /* all had to go for it to get the number */
	case IDENTITY_SIGHT_ELSEWHERE:
		return IDENTITY_DEAD;
	case IDENTITY_SIGHT_ZOMBIE:
		is_proven = true;
		break;
	case IDENTITY_SIGHT_NOBODY:
		break;
	}
	life = judge_members(leader->pid);
	return life == IDENTITY_ALIVE && !is_proven ? IDENTITY_UNKNOWN : life;
}

int identity_signal_group(const struct identity_process *leader, int pidfd,
			  int signal)
{
	int error;

	/* -1 would be everybody, and 0 ourselves. */
	if (leader->pid <= 1)
		return -EINVAL;
	error = pidfd < 0 ? -EBADF : signal_by_pidfd(pidfd, signal);
	if (error == 0 || error == -ESRCH || error == -EPERM)
		return error;
	switch (identity_proc_see(leader)) {
	case IDENTITY_SIGHT_LIVING:
	case IDENTITY_SIGHT_ZOMBIE:
		return kill(-leader->pid, signal) < 0 ? -errno : 0;
	case IDENTITY_SIGHT_UNKNOWN:
		return -EXDEV;
	case IDENTITY_SIGHT_NOBODY:
		return has_no_member(leader->pid) ? -ESRCH : -EOWNERDEAD;
	case IDENTITY_SIGHT_ANOTHER:
	case IDENTITY_SIGHT_ELSEWHERE:
		break;
	}
	return -ESRCH;
}

int identity_wait_group(const struct identity_process *leader, int pidfd,
			int64_t deadline)
{
	int64_t pause_ns = TICK_MS, next;
	int error;

	while (identity_judge_group(leader, pidfd) != IDENTITY_DEAD) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		next = tick_after(pause_ns);
		error = tick_sleep_until(next < deadline ? next : deadline);
		if (error)
			return error;
		if (pause_ns < 16 * TICK_MS)
			pause_ns *= 2;
	}
	return 0;
}
