#include "p04-posix-mq/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/fdio.h"

int lines_open(struct lines *lines, int to, int *write_end)
{
	int fds[2], error;

	*lines = (struct lines){.from = -1, .to = to};
	lines->held = malloc(LINES_MAX);
	if (!lines->held)
		return -ENOMEM;
	error = fdio_pipe(fds);
	if (!error) {
		lines->from = fds[0];
		*write_end = fds[1];
		error = fdio_set_nonblock(fds[0], true);
	}
	if (error) {
		fdio_close(&lines->from);
		free(lines->held);
		lines->held = NULL;
	}
	return error;
}

/* Write the first n bytes that are held, with a newline if they have none. */
static int pass_on(struct lines *lines, size_t n)
{
	int error = fdio_write_full(lines->to, lines->held, n);

	if (!error && lines->held[n - 1] != '\n')
		error = fdio_write_full(lines->to, "\n", 1);
	lines->n -= n;
	memmove(lines->held, lines->held + n, lines->n);
	return error;
}

ssize_t lines_forward(struct lines *lines)
{
	const char *newline;
	size_t whole = 0;
	ssize_t n;
	int error;

	n = fdio_read(lines->from, lines->held + lines->n,
		      LINES_MAX - lines->n);
	if (n <= 0)
		return n;
	lines->n += (size_t)n;
	newline = memrchr(lines->held, '\n', lines->n);
	if (newline)
		whole = (size_t)(newline - lines->held) + 1;
	else if (lines->n == LINES_MAX)
		whole = LINES_MAX;
	error = whole > 0 ? pass_on(lines, whole) : 0;
	return error ? error : n;
}

int lines_close(struct lines *lines)
{
	ssize_t n = 1;
	int left = 0, error;

	if (!lines->held)
		return 0;
	if (ioctl(lines->from, FIONREAD, &left) < 0)
		left = 0;
	for (; left > 0 && n > 0; left -= (int)n)
		n = lines_forward(lines);
	error = n < 0 ? (int)n : 0;
	if (!error && lines->n > 0)
		error = pass_on(lines, lines->n);
	free(lines->held);
	lines->held = NULL;
	fdio_close(&lines->from);
	return error;
}
