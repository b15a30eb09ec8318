#include "p04-posix-mq/outlet.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/tick.h"

void outlet_init(struct outlet *outlet, int fd)
{
	outlet->fd = fd;
	outlet->out = 0;
	outlet->held = outlet->written = 0;
	outlet->dropped = 0;
	outlet->error = 0;
}

bool outlet_is_free(const struct outlet *outlet)
{
	return outlet->held == 0;
}

int outlet_flush(struct outlet *outlet)
{
	const int64_t at_once = 0;

	while (outlet->written < outlet->held) {
		ssize_t n = fdio_write_some(
			outlet->fd, outlet->buf + outlet->written,
			outlet->held - outlet->written, at_once);

		if (n == -ETIMEDOUT || n == -EINTR)
			return 0;
		if (n < 0)
			outlet->error = (int)n;
		if (n < 0)
			return (int)n;
		outlet->written += (size_t)n;
		outlet->out += (size_t)n;
	}
	outlet->held = outlet->written = 0;
	return 0;
}

int outlet_put(struct outlet *outlet, const char *bytes, size_t n,
	       uint64_t *end)
{
	*end = outlet->out + n;
	memcpy(outlet->buf, bytes, n);
	outlet->held = n;
	return outlet_flush(outlet);
}

int outlet_drain(struct outlet *outlet, int64_t deadline)
{
	int rc = outlet_flush(outlet);

	while (rc == 0 && !outlet_is_free(outlet)) {
		rc = fdio_wait(outlet->fd, POLLOUT, deadline);
		if (rc >= 0 || rc == -EINTR)
			rc = outlet_flush(outlet);
	}
	return rc;
}

/* Whether it fits behind what is held. */
static bool append(struct outlet *outlet, const char *text, int n)
{
	if (n < 0 || (size_t)n > sizeof(outlet->buf) - outlet->held)
		return false;
	memcpy(outlet->buf + outlet->held, text, (size_t)n);
	outlet->held += (size_t)n;
	return true;
}

int outlet_say(struct outlet *outlet, const char *format, ...)
{
	const size_t before = outlet->held;
	char line[1024], note[64] = "";
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if ((!outlet->dropped ||
	     append(outlet, note,
		    snprintf(note, sizeof(note),
			     "(%lu lines dropped: nobody read)\n",
			     outlet->dropped))) &&
	    append(outlet, line, n)) {
		outlet->dropped = 0;
	} else {
		outlet->held = before;
		outlet->dropped++;
	}
	return outlet_flush(outlet);
}
