/* fifo.h - FIFOs in a directory that everybody may write to.
 *
 * /tmp is shared: a name in it may be a symbolic link, a file, or somebody
 * else's FIFO. Nothing is followed, and nothing is used before fstat(2) has
 * said that the open descriptor is a FIFO of the expected user. Returned
 * descriptors are close-on-exec, non-blocking and never 0, 1 or 2; functions
 * return -errno.
 *
 *	-ENOTUNIQ  there is something of that name, but no FIFO of this user
 */
#ifndef UNIXIPC_P02_FIFO_FIFO_H
#define UNIXIPC_P02_FIFO_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any user's: for FIFOs whose mode was widened on purpose. */
#define FIFO_ANY_USER ((uid_t)-1)

/* A FIFO that this process reads. It holds a write end too, so that it never
 * sees end of file when the last writer goes, and poll(2) does not spin. */
struct fifo {
	int read_fd, write_fd;
	bool is_new; /* we have made it, and not taken it over */
	char path[4096];
};
#define FIFO_CLOSED                           \
	{                                     \
		.read_fd = -1, .write_fd = -1 \
	}

/* Make path, or take over what a dead process left there, and open it. The
 * lock on it (flock) says that its reader lives: -EADDRINUSE when another has
 * it, or reads there without one. Forked children share the lock, until they
 * exec. The mode is exact, whatever the umask. */
int fifo_create(struct fifo *fifo, const char *path, mode_t mode);

/* The same, but take nothing over: -EEXIST. */
int fifo_create_new(struct fifo *fifo, const char *path, mode_t mode);

/* Whether the name still is this FIFO's: 0 or 1, or -errno when that cannot be
 * told (-EMFILE). It may be removed while we read (rm, tmpfiles.d(5)), and then
 * no writer finds us. */
int fifo_has_name(const struct fifo *fifo);

/* Let one other user write to it, and nobody else, by an access control list,
 * acl(5); where the file system has none, all whom this mode lets. */
int fifo_let_write(const struct fifo *fifo, uid_t user, mode_t mode);

/* Close it and leave the name, or remove that, if it still is this FIFO's. A name
 * that changes hands between the look and the removal is lost: only we and root
 * can do that in a directory with the sticky bit. */
void fifo_close(struct fifo *fifo);
void fifo_remove(struct fifo *fifo);

/* Open the write end of another process's FIFO, at once: -ENXIO when nobody
 * reads it, -ENOENT when there is none. */
int fifo_open_writer(const char *path, uid_t owner);

/* The generation of the reader of the FIFO behind fd: a number that fifo_create()
 * drew at random, 0 while no reader of ours has it open, or -errno. Another number
 * than before: another reader took the FIFO over, of which poll(2) tells only a
 * process that looks in between. A process that may write to the FIFO can forge
 * it. */
int64_t fifo_reader_generation(int fd);

/* PATH with its last part replaced by "calc_client_PID": where the server at
 * PATH answers that client. Returns 0 or -ENAMETOOLONG. */
int fifo_reply_path(char *buf, size_t size, const char *server_path, pid_t pid);

/* Remove the name of a FIFO of this user that we have open for writing (fd) and
 * nobody reads any more, if it still is that one's; whether it did. */
bool fifo_remove_if_dead(int fd, const char *path);

/* The words for an error of these functions, -ENOTUNIQ among them. */
const char *fifo_describe(int error);

#ifdef __cplusplus
}
#endif

#endif
