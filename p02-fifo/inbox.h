/* inbox.h - a receive buffer: whole frames out of a FIFO that may hold anything.
 *
 * A frame of at most PIPE_BUF bytes enters a FIFO all at once. So one that is
 * still incomplete when the FIFO is empty will never be completed: its sender
 * wrote garbage, or in pieces. It is skipped, and the search for the next
 * header goes on within it. One inbox belongs to one thread.
 */
#ifndef UNIXIPC_P02_FIFO_INBOX_H
#define UNIXIPC_P02_FIFO_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct inbox {
	int fd; /* non-blocking; the caller's */
	size_t start, end;
	uint64_t skipped; /* bytes of garbage so far */
	/* The last read took less than there was room for: there is no more. */
	bool is_drained;
	unsigned char buf[1 << 16];
};

void inbox_init(struct inbox *inbox, int fd);

/* One read(2). Returns 1 when something came, 0 when the FIFO is empty, -EPIPE
 * at end of file (no writer), or -errno. */
int inbox_fill(struct inbox *inbox);

/* The same, but let other processes run first, and when the FIFO is still empty
 * again, for some microseconds in all: to go to sleep and be woken by an
 * answer that is on its way costs more than that (make bench). */
int inbox_fill_soon(struct inbox *inbox);

/* The next frame of what has been read, up to PIPE_BUF with its header. The
 * payload stays in the inbox and is valid until the next call. Returns its
 * size, or -EAGAIN when there is none: fill again. */
ssize_t inbox_next(struct inbox *inbox, uint32_t *type, const void **payload);

/* What inbox_next() returned was no message after all: look for frames inside
 * its bytes too, where other people's may be. */
void inbox_reject(struct inbox *inbox, const void *payload);

#endif
