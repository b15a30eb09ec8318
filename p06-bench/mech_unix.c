/* A pair of Unix domain sockets, which goes both ways: as a stream, where the
 * reader puts messages together, and as SEQPACKET, where the kernel keeps
 * them apart and a message must fit the send buffer as a whole. */
#include "p06-bench/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/measure/machine.h"
#include "p06-bench/ends.h"

/* What the kernel counts against the send buffer besides the bytes. */
#define OVERHEAD 4096

/* Leave the buffer as users get it, unless one message would not fit. */
static int grow_send_buffer(int fd, size_t message_bytes)
{
	const int want = (int)message_bytes + OVERHEAD;
	int have;
	socklen_t size = sizeof(have);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &size) < 0)
		return -errno;
	if (have >= want)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want)) < 0
		       ? -errno
		       : 0;
}

static int create(int type, void **channel, size_t message_bytes)
{
	struct ends *e = ends_new(message_bytes);
	int fds[2], r = 0;

	if (!e)
		return -ENOMEM;
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		ends_destroy(e);
		return r;
	}
	for (int side = MECHANISM_A; side <= MECHANISM_B; side++) {
		int fd = fdio_above_std(fds[side]);

		if (fd < 0)
			r = fd;
		else if (type == SOCK_SEQPACKET && r == 0)
			r = grow_send_buffer(fd, message_bytes);
		e->in[side] = e->out[side] = fd;
	}
	if (r < 0) {
		ends_destroy(e);
		return r;
	}
	*channel = e;
	return 0;
}

static int create_stream(void **channel, size_t message_bytes)
{
	return create(SOCK_STREAM, channel, message_bytes);
}

static int create_seqpacket(void **channel, size_t message_bytes)
{
	return create(SOCK_SEQPACKET, channel, message_bytes);
}

/* Whether a single message goes through. */
static int try_one(size_t message_bytes)
{
	void *channel = NULL, *message = calloc(1, message_bytes);
	int r;

	if (!message)
		return -ENOMEM;
	r = create_seqpacket(&channel, message_bytes);
	if (channel) {
		const struct ends *e = channel;

		if (send(e->out[MECHANISM_A], message, message_bytes,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			r = -errno;
		ends_destroy(channel);
	}
	free(message);
	return r;
}

/* The kernel doubles what SO_SNDBUF asks for, up to wmem_max; and most of a
 * message must lie in one piece of its memory. */
static int check_seqpacket(size_t message_bytes, char *why, size_t why_size)
{
	int64_t max = machine_limit_read(MACHINE_SNDBUF_MAX);
	int64_t room = machine_limit_read(MACHINE_SNDBUF);
	bool is_too_long;

	if (max > room / 2)
		room = 2 * max;
	room -= OVERHEAD;
	is_too_long = max >= 0 && (int64_t)message_bytes > room;
	/* First, as a longer buffer does not help there. */
	if (try_one(is_too_long ? (size_t)room : message_bytes) == -ENOBUFS) {
		snprintf(why, why_size,
			 "the kernel has no single piece of memory for a "
			 "message of %zu bytes; no setting changes that",
			 message_bytes);
		return -EMSGSIZE;
	}
	if (is_too_long) {
		snprintf(why, why_size,
			 "message limit %lld bytes; raise: sysctl -w "
			 "net.core.wmem_max=%zu",
			 (long long)room, message_bytes + OVERHEAD);
		return -EMSGSIZE;
	}
	return 0;
}

static int send_packet(void *channel, const void *message)
{
	const struct ends *e = channel;
	ssize_t n;

	do
		n = send(e->tx, message, e->message_bytes, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int receive_packet(void *channel, void *message)
{
	const struct ends *e = channel;
	ssize_t n;

	do
		n = recv(e->rx, message, e->message_bytes, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return -EPIPE;
	if (n < 0)
		return -errno;
	return (size_t)n == e->message_bytes ? 0 : -EBADMSG;
}

const struct mechanism mech_unix_stream = {
	.name = "unix-stream",
	.title = "Unix Domain Socket",
	.summary = "a socket pair that carries a stream of bytes",
	.cost = {.calls = 4, /* socketpair write read close */
		 .can_poll = true},
	.create = create_stream,
	.attach = ends_attach,
	.send = ends_send,
	.receive = ends_receive,
	.destroy = ends_destroy,
};

const struct mechanism mech_unix_seqpacket = {
	.name = "unix-seqpacket",
	.title = "Unix Domain Socket (seqpacket)",
	.summary = "a socket pair that keeps messages apart",
	.cost = {.calls = 4, /* socketpair send recv close */
		 .keeps_boundaries = true,
		 .can_poll = true},
	.check = check_seqpacket,
	.create = create_seqpacket,
	.attach = ends_attach,
	.send = send_packet,
	.receive = receive_packet,
	.destroy = ends_destroy,
};
