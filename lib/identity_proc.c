/* identity_proc.c - /proc and pidfds, read with the doubts that are due. */
#include "lib/identity_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/fdio.h"

#define NAMESPACE_GET_ID _IOR(0xb7, 13, uint64_t) /* NS_GET_ID, linux/nsfs.h */
#define PIDFS_MAGIC 0x50494446

/* linux/proc_ns.h gives these inodes to the namespaces that the kernel makes at
 * boot; all others get theirs from above. */
#define FIRST_FIXED UINT64_C(0xeffffff0)
#define LAST_FIXED UINT64_C(0xefffffff)

/* Marks an id that is not the kernel's but follows from a start time. */
#define BY_START (UINT64_C(1) << 62)

/* All of a small file, with a null byte behind it. */
static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fdio_read_full(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

/* The second field of /proc/PID/stat is the program's name in brackets and may
 * hold anything: count from the last bracket. */
int identity_proc_read(pid_t id, struct identity_proc *proc)
{
	char path[32], text[1024], *at;
	int error;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)id);
	error = read_text(path, text, sizeof(text));
	if (error)
		return error;
	at = strrchr(text, ')');
	if (!at || at[1] != ' ')
		return -EBADMSG;
	at += 2;
	proc->state = *at;
	for (int field = 4; field <= 39; field++) {
		at = strchr(at, ' ');
		if (!at)
			return -EBADMSG;
		at++;
		if (field == 5)
			proc->group = strtoll(at, NULL, 10);
		else if (field == 20)
			proc->threads = strtoull(at, NULL, 10);
		else if (field == 22)
			proc->start = strtoull(at, NULL, 10);
		else if (field == 39)
			proc->processor = (int)strtol(at, NULL, 10);
	}
	return 0;
}

bool identity_proc_is_alive(const struct identity_proc *proc)
{
	return (proc->state != 'Z' && proc->state != 'X') || proc->threads > 1;
}

/* NSpid has our pid in each PID namespace from that of the mount down to our
 * own: one number says that these are the same. That /proc/self is a link to
 * our pid would not, as both may have given out the same number. */
bool identity_proc_is_ours(void)
{
	char text[4096], *at, *end;

	if (read_text("/proc/self/status", text, sizeof(text)))
		return false;
	at = strstr(text, "\nNSpid:");
	if (!at)
		return false;
	at += strlen("\nNSpid:");
	return strtol(at, &end, 10) == getpid() && *end == '\n';
}

/* ---- places ------------------------------------------------------------------------ */

/* Before Linux 6.18 no PID namespace has an id, but its process 1 lives as long
 * as it does, and none has started at that tick in one that had its inode
 * before. */
static uint64_t id_by_start(const char *path)
{
	struct identity_proc init = {0};

	return strcmp(path, "/proc/self/ns/pid") == 0 &&
			       identity_proc_read(1, &init) == 0
		       ? BY_START | init.start
		       : 0;
}

int identity_proc_namespace(const char *path, struct identity_namespace *ns)
{
	struct stat st;
	uint64_t id = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (ioctl(fd, NAMESPACE_GET_ID, &id) < 0)
		id = id_by_start(path);
	close(fd);
	if (!error)
		*ns = (struct identity_namespace){.inode = st.st_ino, .id = id};
	return error;
}

static bool is_fixed(const struct identity_namespace *ns)
{
	return ns->inode >= FIRST_FIXED && ns->inode <= LAST_FIXED;
}

bool identity_proc_is_same_namespace(const struct identity_namespace *a,
				     const struct identity_namespace *b)
{
	return a->inode != 0 && a->inode == b->inode &&
	       (is_fixed(a) || (a->id != 0 && a->id == b->id));
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int identity_proc_parse_boot(const char *text, uint8_t boot[16])
{
	for (int i = 0; i < 16; i++, text += 2) {
		int high, low;

		if (*text == '-')
			text++;
		high = digit_of(text[0]);
		low = high < 0 ? -1 : digit_of(text[1]);
		if (low < 0)
			return -EBADMSG;
		boot[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int identity_proc_boot(uint8_t boot[16])
{
	char text[40] = "";
	int error = read_text("/proc/sys/kernel/random/boot_id", text,
			      sizeof(text));

	return error ? error : identity_proc_parse_boot(text, boot);
}

bool identity_proc_is_another_boot(const uint8_t boot_a[16],
				   const struct identity_namespace *a,
				   const uint8_t boot_b[16],
				   const struct identity_namespace *b)
{
	static const uint8_t none[16];

	return memcmp(boot_a, boot_b, 16) != 0 &&
	       memcmp(boot_a, none, 16) != 0 && memcmp(boot_b, none, 16) != 0 &&
	       is_fixed(a) && is_fixed(b);
}

/* ---- one process ------------------------------------------------------------------- */

/* Where inodes have 32 bits, pidfs gives them again. */
static uint64_t inode_in_pidfs(int pidfd)
{
	struct statfs fs;
	struct stat st;

	return sizeof(long) == 8 && fstatfs(pidfd, &fs) == 0 &&
			       fs.f_type == PIDFS_MAGIC &&
			       fstat(pidfd, &st) == 0
		       ? st.st_ino
		       : 0;
}

int identity_proc_pidfd(pid_t pid, uint64_t *pidfs)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return -errno;
	*pidfs = inode_in_pidfs(fd);
	return fd;
}

/* The kernel says that a pidfd can be read once all threads have ended. */
static enum identity_sight see_by_pidfd(const struct identity_process *process)
{
	struct pollfd wait = {.events = POLLIN};
	enum identity_sight sight;
	uint64_t pidfs = 0;

	wait.fd = identity_proc_pidfd(process->pid, &pidfs);
	if (wait.fd == -ESRCH)
		return IDENTITY_SIGHT_NOBODY;
	if (wait.fd < 0)
		return IDENTITY_SIGHT_UNKNOWN;
	if (pidfs == 0 || poll(&wait, 1, 0) < 0)
		sight = IDENTITY_SIGHT_UNKNOWN;
	else if (pidfs != process->pidfs)
		sight = IDENTITY_SIGHT_ANOTHER;
	else
		sight = wait.revents ? IDENTITY_SIGHT_ZOMBIE
				     : IDENTITY_SIGHT_LIVING;
	close(wait.fd);
	return sight;
}

static enum identity_sight see_by_start(const struct identity_process *process)
{
	struct identity_proc proc;

	if (process->start == 0 || identity_proc_read(process->pid, &proc))
		return IDENTITY_SIGHT_UNKNOWN;
	if (proc.start != process->start)
		return IDENTITY_SIGHT_ANOTHER;
	return identity_proc_is_alive(&proc) ? IDENTITY_SIGHT_LIVING
					     : IDENTITY_SIGHT_ZOMBIE;
}

enum identity_sight identity_proc_see(const struct identity_process *process)
{
	const struct identity_place *there = &process->place;
	enum identity_sight sight = IDENTITY_SIGHT_UNKNOWN;
	struct identity_place here;

	if (process->pid <= 0)
		return IDENTITY_SIGHT_NOBODY;
	if (identity_place_here(&here))
		return IDENTITY_SIGHT_UNKNOWN;
	if (identity_proc_is_another_boot(there->boot, &there->pid, here.boot,
					  &here.pid))
		return IDENTITY_SIGHT_ELSEWHERE;
	if (memcmp(there->boot, here.boot, sizeof(here.boot)) != 0 ||
	    !identity_proc_is_same_namespace(&there->pid, &here.pid))
		return IDENTITY_SIGHT_UNKNOWN;
	if (process->pidfs)
		sight = see_by_pidfd(process);
	if (sight != IDENTITY_SIGHT_UNKNOWN)
		return sight;
	if (kill(process->pid, 0) < 0 && errno == ESRCH)
		return IDENTITY_SIGHT_NOBODY;
	if (!identity_proc_is_same_namespace(&there->time, &here.time))
		return IDENTITY_SIGHT_UNKNOWN;
	return see_by_start(process);
}
