/* openfiles.h - how many processes have a file open or mapped.
 *
 * From /proc, so only processes that the caller may look at count: all for
 * root, one's own otherwise, and none of another PID namespace. Nothing is
 * opened but /proc: to look at an object must not change it.
 */
#ifndef UNIXIPC_SUITE_OPENFILES_H
#define UNIXIPC_SUITE_OPENFILES_H

#include <stddef.h>
#include <sys/types.h>

struct openfile {
	dev_t dev;
	ino_t inode;    /* 0: no file, its count stays 0 */
	unsigned count; /* processes other than the caller */
};

/* Fill in count for each of n files, in one walk over the processes. Returns 0
 * or -errno (no /proc). */
int openfiles_count(struct openfile *files, size_t n);

/* Fill in dev and inode of the socket that is bound to path: of the socket
 * itself, which is what processes hold, and not of its name. The path is
 * compared with the text that was given to bind(2). Returns 0, -ENOENT (no
 * socket is bound to it now) or another -errno. */
int openfiles_socket(const char *path, struct openfile *file);

#endif
