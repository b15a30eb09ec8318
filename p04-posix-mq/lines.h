/* lines.h - the output of a command, passed on by whole lines.
 *
 * Several commands write at once, and only the dispatcher writes to the common
 * outlet, a number of whole lines at a time: so no line is torn by another's. A
 * line longer than LINES_MAX is cut into lines of that length; the last one gets
 * the newline that it lacks. While the outlet is not free nothing is read, and
 * who writes waits, or ends and leaves it in the pipe. For one thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_LINES_H
#define UNIXIPC_P04_POSIX_MQ_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p04-posix-mq/outlet.h"

#define LINES_MAX 65536

struct lines {
	int from;          /* non-blocking, ours; -1: closed */
	struct outlet *to; /* not ours */
	size_t left;       /* bytes until the end, once that is known */
	uint64_t end;      /* in the outlet, of what was passed on last */
	size_t n;
	char *held; /* LINES_MAX bytes and one, of which n wait for a newline */
};

/* Make the pipe whose other end, *write_end, the command gets. */
int lines_open(struct lines *lines, struct outlet *to, int *write_end);

/* Read once and pass on what is whole; at the end, the rest, and close. Returns
 * the bytes read, 0 when it is closed, -EAGAIN when nothing is there or can be
 * passed on now, or why it cannot be written. */
ssize_t lines_forward(struct lines *lines);

/* Whether it is closed, and all that it passed on is out. */
bool lines_are_out(const struct lines *lines);

/* Whoever mattered has ended: what the pipe holds now is the last. What a process
 * in the background writes later gets EPIPE. */
void lines_end(struct lines *lines);

/* End and pass on the last, waiting for the outlet until the deadline, then close
 * and forget the rest: -ETIMEDOUT. */
int lines_close(struct lines *lines, int64_t deadline);

#endif
