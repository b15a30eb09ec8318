/* identity.c - where we are, and one process. What the kernel shows of it is in
 * identity_proc.c; groups, objects, roles and text have files of their own. */
#include "lib/identity.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/identity_proc.h"

static_assert(sizeof(struct identity_process) == IDENTITY_PROCESS_BYTES,
	      "a format of files and shared memory");

/* ---- where ------------------------------------------------------------------------ */

int identity_place_here(struct identity_place *place)
{
	*place = (struct identity_place){0};
	if (!identity_proc_is_ours() || identity_proc_boot(place->boot) ||
	    identity_proc_namespace("/proc/self/ns/pid", &place->pid) ||
	    identity_proc_namespace("/proc/self/ns/time", &place->time))
		return -ENOSYS;
	return 0;
}

int identity_place_check(const struct identity_place *made)
{
	struct identity_place here;
	int error = identity_place_here(&here);

	if (error)
		return error;
	return memcmp(made->boot, here.boot, sizeof(here.boot)) == 0 &&
			       identity_proc_is_same_namespace(&made->pid,
							       &here.pid) &&
			       identity_proc_is_same_namespace(&made->time,
							       &here.time)
		       ? 0
		       : -EXDEV;
}

/* ---- a process -------------------------------------------------------------------- */

static bool is_nobody(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

int identity_of(pid_t pid, struct identity_process *process)
{
	struct identity_place place;
	struct identity_proc proc;
	uint64_t pidfs = 0, again = 0;
	int fd, error;

	*process = (struct identity_process){0};
	if (pid <= 0 || is_nobody(pid))
		return -ESRCH;
	error = identity_place_here(&place);
	if (error)
		return error;
	fd = identity_proc_pidfd(pid, &pidfs);
	if (fd >= 0)
		close(fd);
	/* A thread, to kernels that have pidfds. */
	if (fd == -ESRCH || fd == -EINVAL || fd == -ENOENT)
		return -ESRCH;
	if (identity_proc_read(pid, &proc))
		return is_nobody(pid) ? -ESRCH : -ENOSYS;
	/* Both are of the same process if it is still there afterwards. */
	if (pidfs != 0) {
		fd = identity_proc_pidfd(pid, &again);
		if (fd >= 0)
			close(fd);
		if (again != pidfs)
			return -ESRCH;
	}
	*process = (struct identity_process){.place = place,
					     .start = proc.start,
					     .pidfs = pidfs,
					     .pid = pid};
	return 0;
}

int identity_self(struct identity_process *process)
{
	return identity_of(getpid(), process);
}

enum identity_life identity_judge(const struct identity_process *process)
{
	switch (identity_proc_see(process)) {
	case IDENTITY_SIGHT_LIVING:
		return IDENTITY_ALIVE;
	case IDENTITY_SIGHT_UNKNOWN:
		return IDENTITY_UNKNOWN;
	case IDENTITY_SIGHT_ZOMBIE:
	case IDENTITY_SIGHT_ANOTHER:
	case IDENTITY_SIGHT_NOBODY:
	case IDENTITY_SIGHT_ELSEWHERE:
		break;
	}
	return IDENTITY_DEAD;
}

bool identity_is_same(const struct identity_process *a,
		      const struct identity_process *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What is seen after the pidfd was made holds for it: a process that had the
 * pid before would have had to go first. */
int identity_open(const struct identity_process *process)
{
	uint64_t pidfs = 0;
	int fd = process->pid > 0 ? identity_proc_pidfd(process->pid, &pidfs)
				  : -ESRCH;
	enum identity_sight sight = identity_proc_see(process);
	int error = 0;

	if (sight == IDENTITY_SIGHT_UNKNOWN)
		error = -EXDEV;
	else if ((sight != IDENTITY_SIGHT_LIVING &&
		  sight != IDENTITY_SIGHT_ZOMBIE) ||
		 (fd >= 0 && process->pidfs && pidfs != process->pidfs))
		error = -ESRCH;
	if (!error)
		return fd == -EPERM ? -ENOSYS : fd;
	if (fd >= 0)
		close(fd);
	return error;
}

int identity_signal(const struct identity_process *process, int signal)
{
	int fd = identity_open(process), error = 0;

	if (fd == -ENOSYS) {
		if (identity_judge(process) != IDENTITY_ALIVE)
			return -ESRCH;
		return kill(process->pid, signal) < 0 ? -errno : 0;
	}
	if (fd < 0)
		return fd;
	/* To a zombie it could be sent, and would be lost. */
	if (identity_judge(process) != IDENTITY_ALIVE)
		error = -ESRCH;
	else if (syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* ---- no more than a number and a start --------------------------------------------- */

uint64_t identity_start_time(pid_t id)
{
	struct identity_proc proc;

	return identity_proc_read(id, &proc) == 0 ? proc.start : 0;
}

int identity_processor(pid_t pid)
{
	struct identity_proc proc;

	return identity_proc_read(pid, &proc) == 0 ? proc.processor : -1;
}

bool identity_is_stopped(pid_t pid)
{
	struct identity_proc proc;

	return identity_proc_read(pid, &proc) == 0 && proc.state == 'T';
}

/* start_mask: the bits of the start that were noted. */
static enum identity_life judge_start(pid_t id, uint64_t start,
				      uint64_t start_mask)
{
	struct identity_proc proc;

	if (id <= 0)
		return IDENTITY_DEAD;
	if (identity_proc_read(id, &proc))
		return is_nobody(id) ? IDENTITY_DEAD : IDENTITY_UNKNOWN;
	return (proc.start & start_mask) == start &&
			       identity_proc_is_alive(&proc)
		       ? IDENTITY_ALIVE
		       : IDENTITY_DEAD;
}

bool identity_is_alive(pid_t id, uint64_t start)
{
	return judge_start(id, start, UINT64_MAX) != IDENTITY_DEAD;
}

/* ---- words ------------------------------------------------------------------------- */

static uint64_t low_bits(unsigned int n)
{
	return (UINT64_C(1) << n) - 1;
}

uint64_t identity_word(const struct identity_process *process,
		       unsigned int start_bits)
{
	if (process->pid <= 0 || process->start == 0)
		return 0;
	return (process->start & low_bits(start_bits)) << IDENTITY_PID_BITS |
	       ((uint64_t)process->pid & low_bits(IDENTITY_PID_BITS));
}

pid_t identity_word_pid(uint64_t word)
{
	return (pid_t)(word & low_bits(IDENTITY_PID_BITS));
}

enum identity_life identity_word_judge(uint64_t word, unsigned int start_bits)
{
	uint64_t mask = low_bits(start_bits);

	return judge_start(identity_word_pid(word),
			   word >> IDENTITY_PID_BITS & mask, mask);
}

bool identity_word_is_gone(uint64_t word)
{
	pid_t pid = identity_word_pid(word);

	/* To 0 it would be a question about our own process group. */
	return pid > 0 && is_nobody(pid);
}
