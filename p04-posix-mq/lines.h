/* lines.h - the output of a command, passed on by whole lines.
 *
 * Several commands write at once, and only the dispatcher writes to the
 * common output, a number of whole lines at a time: so no line is torn by
 * another's. A line longer than LINES_MAX is cut into lines of that length;
 * the last one gets the newline that it lacks. For one thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_LINES_H
#define UNIXIPC_P04_POSIX_MQ_LINES_H

#include <stddef.h>
#include <sys/types.h>

#define LINES_MAX 65536

struct lines {
	int from; /* non-blocking, ours */
	int to;   /* not ours */
	size_t n;
	char *held; /* LINES_MAX bytes, of which n wait for a newline */
};

/* Make the pipe whose other end, *write_end, the command gets. */
int lines_open(struct lines *lines, int to, int *write_end);

/* Read once and pass on what is whole. Returns the bytes read, 0 at the end,
 * -EAGAIN when nothing is there, or why it cannot be written. */
ssize_t lines_forward(struct lines *lines);

/* Pass on what the pipe holds now, and the rest, and close. What a process in
 * the background writes later gets EPIPE. Returns 0 or -errno. */
int lines_close(struct lines *lines);

#endif
