/* identity_proc.h - one process as the kernel shows it: for lib/identity alone.
 *
 * All functions may be called by any thread.
 */
#ifndef UNIXIPC_LIB_IDENTITY_PROC_H
#define UNIXIPC_LIB_IDENTITY_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

/* Of /proc/PID/stat, proc(5). */
struct identity_proc {
	char state;
	int64_t group;
	uint64_t threads;
	uint64_t start;
	int processor; /* of the first thread, now or last */
};

/* Of a process or thread. 0; -ENOENT or -ESRCH: none, or no /proc; -EPERM or
 * -EACCES: hidden; -EBADMSG. */
int identity_proc_read(pid_t id, struct identity_proc *proc);

/* A zombie does not live, unless only its first thread has ended. */
bool identity_proc_is_alive(const struct identity_proc *proc);

/* Whether /proc is that of our own PID namespace. */
bool identity_proc_is_ours(void);

/* A namespace by its file in /proc. */
int identity_proc_namespace(const char *path, struct identity_namespace *ns);
bool identity_proc_is_same_namespace(const struct identity_namespace *a,
				     const struct identity_namespace *b);
int identity_proc_boot(uint8_t boot[16]);

/* From hexadecimal digits, with dashes anywhere between bytes: -EBADMSG. */
int identity_proc_parse_boot(const char *text, uint8_t boot[16]);

/* Whether a boot lies between two notes that were made in these places: the
 * boots differ, and the namespaces are the one that the kernel makes. */
bool identity_proc_is_another_boot(const uint8_t boot_a[16],
				   const struct identity_namespace *a,
				   const uint8_t boot_b[16],
				   const struct identity_namespace *b);

/* pidfd_open(2), close-on-exec, and the inode that it has in pidfs, or 0. */
int identity_proc_pidfd(pid_t pid, uint64_t *pidfs);

/* Who has the pid of a process that was noted. */
enum identity_sight {
	IDENTITY_SIGHT_LIVING,
	IDENTITY_SIGHT_ZOMBIE,
	IDENTITY_SIGHT_ANOTHER, /* the number is a later process's */
	IDENTITY_SIGHT_NOBODY,
	IDENTITY_SIGHT_ELSEWHERE, /* of an earlier boot */
	IDENTITY_SIGHT_UNKNOWN,
};

enum identity_sight identity_proc_see(const struct identity_process *process);

#endif
