/* line_buffer.h - the output of a command, passed on by whole lines.
 *
 * Several commands write at once, and only the dispatcher writes to the common
 * outlet, a number of whole lines at a time: so no line is torn by another's. A
 * line longer than LINE_BUFFER_MAX is cut into lines of that length; the last
 * one gets the newline that it lacks. While the outlet is not free nothing is
 * read: the command waits, or ends and leaves its output in the pipe. For one
 * thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_LINE_BUFFER_H
#define UNIXIPC_P04_POSIX_MQ_LINE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p04-posix-mq/outlet.h"

#define LINE_BUFFER_MAX 65536

struct line_buffer {
	int from;          /* non-blocking, ours; -1: closed */
	struct outlet *to; /* not ours */
	size_t left;       /* bytes until the end, once that is known */
	uint64_t end;      /* in the outlet, of what was passed on last */
	size_t n;
	char *held; /* LINE_BUFFER_MAX bytes and one; n wait for a newline */
};

/* Make the pipe whose other end, *write_end, the command gets. */
int line_buffer_open(struct line_buffer *buffer, struct outlet *to,
		     int *write_end);

/* Read once and pass on what is whole; at the end, the rest, and close. Returns
 * the bytes read, 0 when it is closed, -EAGAIN when nothing is there or can be
 * passed on now, or why it cannot be written. */
ssize_t line_buffer_forward(struct line_buffer *buffer);

/* Whether it is closed, and all that it passed on is out. */
bool line_buffer_is_out(const struct line_buffer *buffer);

/* The command has ended: the bytes that the pipe holds now are the last. A process
 * in the background that writes later gets EPIPE. */
void line_buffer_end(struct line_buffer *buffer);

/* End and pass on the last, waiting for the outlet until the deadline, then close
 * and forget the rest: -ETIMEDOUT. */
int line_buffer_close(struct line_buffer *buffer, int64_t deadline);

#endif
