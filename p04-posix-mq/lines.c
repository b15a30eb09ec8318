#include "p04-posix-mq/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/fdio.h"

static void forget(struct lines *lines)
{
	free(lines->held);
	lines->held = NULL;
	fdio_close(&lines->from);
}

int lines_open(struct lines *lines, struct outlet *to, int *write_end)
{
	int fds[2], error;

	*lines = (struct lines){.from = -1, .to = to, .left = SIZE_MAX};
	lines->held = malloc(LINES_MAX + 1);
	if (!lines->held)
		return -ENOMEM;
	error = fdio_pipe(fds);
	if (!error) {
		lines->from = fds[0];
		*write_end = fds[1];
		error = fdio_set_nonblock(fds[0], true);
	}
	if (error)
		forget(lines);
	return error;
}

/* Hand over the first n bytes that are held, with a newline if they have none:
 * then they are all. */
static int pass_on(struct lines *lines, size_t n)
{
	bool is_line = lines->held[n - 1] == '\n';
	int error;

	if (!is_line)
		lines->held[n] = '\n';
	error = outlet_put(lines->to, lines->held, n + !is_line, &lines->end);
	lines->n -= n;
	memmove(lines->held, lines->held + n, lines->n);
	return error;
}

static int pass_on_whole_ones(struct lines *lines)
{
	const char *newline = memrchr(lines->held, '\n', lines->n);

	if (newline)
		return pass_on(lines, (size_t)(newline - lines->held) + 1);
	return lines->n == LINES_MAX ? pass_on(lines, LINES_MAX) : 0;
}

static int pass_on_the_rest(struct lines *lines)
{
	int error = lines->n > 0 ? pass_on(lines, lines->n) : 0;

	forget(lines);
	return error;
}

static ssize_t read_more(struct lines *lines)
{
	size_t room = LINES_MAX - lines->n;
	ssize_t n;

	if (room > lines->left)
		room = lines->left;
	n = room ? fdio_read(lines->from, lines->held + lines->n, room) : 0;
	if (n > 0) {
		lines->n += (size_t)n;
		lines->left -= lines->left == SIZE_MAX ? 0 : (size_t)n;
	}
	return n;
}

ssize_t lines_forward(struct lines *lines)
{
	ssize_t n;
	int error;

	if (!lines->held)
		return 0;
	if (!outlet_is_free(lines->to) && (lines->left || lines->n))
		return -EAGAIN;
	n = read_more(lines);
	if (n < 0)
		return n;
	error = n ? pass_on_whole_ones(lines) : pass_on_the_rest(lines);
	return error ? error : n;
}

bool lines_are_out(const struct lines *lines)
{
	return !lines->held && lines->to->out >= lines->end;
}

void lines_end(struct lines *lines)
{
	int left = 0;

	if (!lines->held || lines->left != SIZE_MAX)
		return;
	if (ioctl(lines->from, FIONREAD, &left) < 0)
		left = 0;
	lines->left = (size_t)left;
}

int lines_close(struct lines *lines, int64_t deadline)
{
	ssize_t n;

	if (!lines->held)
		return 0;
	lines_end(lines);
	do {
		n = lines_forward(lines);
		if (n == -EAGAIN)
			n = outlet_drain(lines->to, deadline) ?: 1;
	} while (n > 0);
	forget(lines);
	return (int)n;
}
