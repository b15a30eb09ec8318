#include "p04-posix-mq/line_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/fdio.h"

static void forget(struct line_buffer *buffer)
{
	free(buffer->held);
	buffer->held = NULL;
	fdio_close(&buffer->from);
}

int line_buffer_open(struct line_buffer *buffer, struct outlet *to,
		     int *write_end)
{
	int fds[2], error;

	*buffer = (struct line_buffer){.from = -1, .to = to, .left = SIZE_MAX};
	buffer->held = malloc(LINE_BUFFER_MAX + 1);
	if (!buffer->held)
		return -ENOMEM;
	error = fdio_pipe(fds);
	if (!error) {
		buffer->from = fds[0];
		*write_end = fds[1];
		error = fdio_set_nonblock(fds[0], true);
	}
	if (error)
		forget(buffer);
	return error;
}

/* Hand over the first n bytes that are held, with a newline if they have none:
 * then they are all. */
static int pass_on(struct line_buffer *buffer, size_t n)
{
	bool is_line = buffer->held[n - 1] == '\n';
	int error;

	if (!is_line)
		buffer->held[n] = '\n';
	error = outlet_put(buffer->to, buffer->held, n + !is_line,
			   &buffer->end);
	buffer->n -= n;
	memmove(buffer->held, buffer->held + n, buffer->n);
	return error;
}

static int pass_on_whole_ones(struct line_buffer *buffer)
{
	const char *newline = memrchr(buffer->held, '\n', buffer->n);

	if (newline)
		return pass_on(buffer, (size_t)(newline - buffer->held) + 1);
	return buffer->n == LINE_BUFFER_MAX ? pass_on(buffer, LINE_BUFFER_MAX)
					    : 0;
}

static int pass_on_the_rest(struct line_buffer *buffer)
{
	int error = buffer->n > 0 ? pass_on(buffer, buffer->n) : 0;

	forget(buffer);
	return error;
}

static ssize_t read_more(struct line_buffer *buffer)
{
	size_t room = LINE_BUFFER_MAX - buffer->n;
	ssize_t n;

	if (room > buffer->left)
		room = buffer->left;
	n = room ? fdio_read(buffer->from, buffer->held + buffer->n, room) : 0;
	if (n > 0) {
		buffer->n += (size_t)n;
		buffer->left -= buffer->left == SIZE_MAX ? 0 : (size_t)n;
	}
	return n;
}

ssize_t line_buffer_forward(struct line_buffer *buffer)
{
	ssize_t n;
	int error;

	if (!buffer->held)
		return 0;
	if (!outlet_is_free(buffer->to) && (buffer->left || buffer->n))
		return -EAGAIN;
	n = read_more(buffer);
	if (n < 0)
		return n;
	error = n ? pass_on_whole_ones(buffer) : pass_on_the_rest(buffer);
	return error ? error : n;
}

bool line_buffer_is_out(const struct line_buffer *buffer)
{
	return !buffer->held && buffer->to->out >= buffer->end;
}

void line_buffer_end(struct line_buffer *buffer)
{
	int left = 0;

	if (!buffer->held || buffer->left != SIZE_MAX)
		return;
	if (ioctl(buffer->from, FIONREAD, &left) < 0)
		left = 0;
	buffer->left = (size_t)left;
}

int line_buffer_close(struct line_buffer *buffer, int64_t deadline)
{
	ssize_t n;

	if (!buffer->held)
		return 0;
	line_buffer_end(buffer);
	do {
		n = line_buffer_forward(buffer);
		if (n == -EAGAIN)
			n = outlet_drain(buffer->to, deadline) ?: 1;
	} while (n > 0);
	forget(buffer);
	return (int)n;
}
