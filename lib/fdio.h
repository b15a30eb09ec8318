/* fdio.h - whole reads and writes, and descriptors from birth to close.
 *
 * Every function restarts after EINTR unless it says otherwise, returns
 * -errno on failure and may be called by any thread. Descriptors made here
 * are close-on-exec and never 0, 1 or 2, also when the caller was started
 * with those closed.
 */
#ifndef UNIXIPC_LIB_FDIO_H
#define UNIXIPC_LIB_FDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One read(2); the count, 0 at end of file. */
ssize_t fdio_read(int fd, void *buf, size_t len);

/* Read len bytes; fewer only at end of file. */
ssize_t fdio_read_full(int fd, void *buf, size_t len);

/* Write all len bytes. On failure some may have been written. */
int fdio_write_full(int fd, const void *buf, size_t len);

/* The same on a descriptor of either kind, blocking or not, until the
 * deadline: -ETIMEDOUT. Waits with poll(2) between partial transfers. A
 * blocking descriptor is safe too: no single call can outlast the deadline
 * for pipes, FIFOs, sockets (where several processes read one FIFO, or write
 * to it, it has to be O_NONBLOCK: a neighbour may be quicker after poll, and
 * Linux knows no other way for FIFOs). fdio_read_until returns fewer bytes
 * only at end of file. Both return -EINTR when a signal handler ran while
 * waiting, so that a stop can be noticed. What moved before a failure is not
 * told: who wants to go on calls the _some functions below. */
ssize_t fdio_read_until(int fd, void *buf, size_t len, int64_t deadline);
int fdio_write_until(int fd, const void *buf, size_t len, int64_t deadline);

/* One transfer of 1 to len bytes; waits until the deadline only while none is
 * possible, so that a deadline in the past means "try". Returns the count, 0
 * at end of file, -ETIMEDOUT or -EINTR (nothing was moved) or another
 * -errno. Up to PIPE_BUF bytes into a pipe or FIFO go as a whole. */
ssize_t fdio_read_some(int fd, void *buf, size_t len, int64_t deadline);
ssize_t fdio_write_some(int fd, const void *buf, size_t len, int64_t deadline);

/* Wait until events (POLLIN, POLLOUT) or an error or hang-up is there.
 * Returns the revents, -ETIMEDOUT, or -EINTR (a handler ran: look at your
 * stop flag and wait again). */
int fdio_wait(int fd, short events, int64_t deadline);

/* A pipe with both ends close-on-exec: fds[0] reads, fds[1] writes. */
int fdio_pipe(int fds[2]);

/* Move fd away from 0, 1 and 2 when it is one of them; takes ownership.
 * Returns the new descriptor or -errno with fd closed. */
int fdio_above_std(int fd);

/* Open /dev/null on whichever of 0, 1, 2 is closed, so that nothing opened
 * later is mistaken for a standard stream. It is opened the wrong way round:
 * to use a stream that the user closed stays an error. First call of every
 * command. */
int fdio_open_std(void);

/* Whether what is read from a file can be believed: 0 when nobody but us and root
 * may write it, else -EPERM. Files and FIFOs alone are asked; a directory or a
 * device is 0. Who owns a folder above can still put another file there. */
int fdio_check_trusted(int fd);

/* flock(2) with a deadline, which it does not know: asked again every millisecond.
 * operation is LOCK_SH or LOCK_EX. Handlers that run do not end it. Returns 0,
 * -ETIMEDOUT, or another -errno. */
int fdio_lock(int fd, int operation, int64_t deadline);

int fdio_set_cloexec(int fd, bool on);
int fdio_set_nonblock(int fd, bool on);

/* Close and report what close(2) had kept back (a full disk); -1 is allowed
 * and does nothing. *fd is -1 afterwards, whatever happened. */
int fdio_close(int *fd);

#endif
