#include "p13-shm-image/image/source.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "lib/fdio.h"

void source_from_fd(struct source *source, int fd)
{
	source->fd = fd;
	source->stop_fd = -1;
	source->at = source->end = source->buf;
}

void source_from_memory(struct source *source, const void *bytes, size_t len)
{
	source->fd = source->stop_fd = -1;
	source->at = bytes;
	source->end = source->at + len;
}

/* Until there is something to read, or a stop. What is wrong with fd itself
 * is for read(2) to tell. */
static int wait_for_bytes(const struct source *source)
{
	struct pollfd fds[] = {
		{.fd = source->fd, .events = POLLIN},
		{.fd = source->stop_fd, .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return fds[1].revents ? -EINTR : 0;
}

static int refill(struct source *source)
{
	ssize_t n;
	int error;

	if (source->fd < 0)
		return -ENODATA;
	error = wait_for_bytes(source);
	if (error)
		return error;
	n = fdio_read(source->fd, source->buf, sizeof(source->buf));
	if (n <= 0)
		return n < 0 ? (int)n : -ENODATA;
	source->at = source->buf;
	source->end = source->buf + n;
	return 0;
}

int source_peek(struct source *source)
{
	int error = source->at == source->end ? refill(source) : 0;

	return error ? error : *source->at;
}

int source_read(struct source *source, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t n = (size_t)(source->end - source->at);
		int error = n == 0 ? refill(source) : 0;

		if (error)
			return error;
		n = (size_t)(source->end - source->at);
		if (n > len)
			n = len;
		memcpy(to, source->at, n);
		source->at += n;
		to += n;
		len -= n;
	}
	return 0;
}
