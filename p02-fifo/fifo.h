/* fifo.h - FIFOs in a directory that everybody may write to.
 *
 * /tmp is shared: a name in it may be a symbolic link, a file, or somebody
 * else's FIFO. Nothing is followed, and nothing is used before fstat(2) has
 * said that the open descriptor is a FIFO of the expected user. Returned
 * descriptors are close-on-exec and non-blocking; functions return -errno.
 *
 *	-ENOTUNIQ  there is something of that name, but no FIFO of this user
 */
#ifndef UNIXIPC_P02_FIFO_FIFO_H
#define UNIXIPC_P02_FIFO_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Any user's: for FIFOs whose mode was widened on purpose. */
#define FIFO_ANY_USER ((uid_t)-1)

/* A FIFO that this process reads. It holds a write end too, so that it never
 * sees end of file when the last writer goes, and poll(2) does not spin. */
struct fifo {
	int read_fd, write_fd;
	char path[4096];
};
#define FIFO_CLOSED                           \
	{                                     \
		.read_fd = -1, .write_fd = -1 \
	}

/* Make path, or take over what a dead process left there, and open it. The
 * lock on it (flock) says that its reader lives: -EADDRINUSE when another has
 * it. The mode is exact, whatever the umask. */
int fifo_create(struct fifo *fifo, const char *path, mode_t mode);

/* Close it and remove the name, if it still is this FIFO's. */
void fifo_remove(struct fifo *fifo);

/* Open the write end of another process's FIFO, at once: -ENXIO when nobody
 * reads it, -ENOENT when there is none. */
int fifo_open_writer(const char *path, uid_t owner);

/* PATH with its last part replaced by "calc_client_PID": where the server at
 * PATH answers that client. Returns 0 or -ENAMETOOLONG. */
int fifo_reply_path(char *buf, size_t size, const char *server_path, pid_t pid);

/* Remove a reply FIFO of this user that nobody reads; whether it did. */
bool fifo_remove_if_dead(const char *path);

/* Remove what dead clients left beside the server's FIFO. Returns how many. */
int fifo_sweep(const char *server_path);

#endif
