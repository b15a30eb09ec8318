/* frame.h - messages with a type and a length over a stream of bytes.
 *
 * On the wire, in the byte order of the machine (both ends are local):
 *
 *	uint32 magic    FRAME_MAGIC: where a reader finds its feet again
 *	uint32 type     the protocol's own
 *	uint32 length   of what follows, at most FRAME_MAX and the caller's room
 *	uint32 check    of the three words above: a lie is seen before the body
 *	...             length bytes
 *
 * A frame of at most PIPE_BUF bytes (FRAME_ATOMIC_MAX of payload) is written
 * by one write(2), which POSIX promises not to mix with those of others on
 * one pipe or FIFO. Functions may be called by any thread; two threads that
 * read one descriptor need a lock of their own.
 */
#ifndef UNIXIPC_LIB_FRAME_H
#define UNIXIPC_LIB_FRAME_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_MAGIC UINT32_C(0x4d524655) /* "UFRM" */
#define FRAME_MAX (UINT32_C(64) << 20)
#define FRAME_ATOMIC_MAX (PIPE_BUF - sizeof(struct frame_header))

struct frame_header {
	uint32_t magic;
	uint32_t type;
	uint32_t length;
	uint32_t check;
};
_Static_assert(sizeof(struct frame_header) == 16, "the wire format");

/* Fill in a header for a payload of length bytes (at most FRAME_MAX). */
struct frame_header frame_header_make(uint32_t type, uint32_t length);

/* Send one frame before the deadline. Returns 0, -EMSGSIZE (length beyond
 * FRAME_MAX), -ETIMEDOUT or -EINTR (nothing was sent: try again), -EBADMSG
 * (out of time within the frame), -EPIPE, or another -errno. Up to
 * FRAME_ATOMIC_MAX into a pipe or FIFO: all or nothing. A handler that runs
 * within a frame does not stop it. */
int frame_send(int fd, uint32_t type, const void *payload, size_t length,
	       int64_t deadline);

/* Receive one frame into room bytes. Returns its length and *type; -EPIPE at
 * a clean end of file, -EBADMSG on a header that lies, an end within a
 * frame or the deadline within a frame; -EMSGSIZE when it is longer than
 * room; -ETIMEDOUT or -EINTR (nothing was read: try again). After -EBADMSG
 * and -EMSGSIZE, here and from frame_send, the stream is of no more use. */
ssize_t frame_recv(int fd, uint32_t *type, void *payload, size_t room,
		   int64_t deadline);

/* Find the first whole frame in len bytes that may hold garbage: for readers
 * with a buffer of their own, who must go on after it. Frames longer than
 * max of payload are garbage too. Returns what to drop from the front before
 * looking at what is found (*skip), and
 *	1	the frame is at buf + *skip, payload behind the header
 *	0	no whole frame yet: read more
 * Never looks beyond len. */
int frame_scan(const void *buf, size_t len, size_t max, size_t *skip,
	       struct frame_header *header);

#endif
