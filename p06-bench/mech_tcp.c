/* A TCP connection over loopback, for comparison: what one pays for being
 * able to move a side to another machine. */
#include "p06-bench/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p06-bench/ends.h"

#define STRANGERS_MAX 100

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

/* Listen on a free port; *at is where. */
static int start_listening(int fd, struct sockaddr_in *at)
{
	socklen_t size = sizeof(*at);

	*at = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (bind(fd, (struct sockaddr *)at, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)at, &size) < 0)
		return -errno;
	return 0;
}

static bool is_same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_port == b->sin_port &&
	       a->sin_addr.s_addr == b->sin_addr.s_addr;
}

/* Any process may connect to a port: take our own connection and no other. */
static int accept_own(int listener, int client, int *server)
{
	struct sockaddr_in own = {0};
	socklen_t size = sizeof(own);

	if (getsockname(client, (struct sockaddr *)&own, &size) < 0)
		return -errno;
	for (int i = 0; i < STRANGERS_MAX; i++) {
		struct sockaddr_in peer = {0};
		int fd;

		size = sizeof(peer);
		fd = accept4(listener, (struct sockaddr *)&peer, &size,
			     SOCK_CLOEXEC);
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return -errno;
		if (fd < 0)
			continue;
		if (is_same(&own, &peer)) {
			*server = fdio_above_std(fd);
			return *server < 0 ? *server : 0;
		}
		close(fd);
	}
	return -ECONNABORTED;
}

/* A message is not to wait until there is more to send. */
static int set_nodelay(int fd)
{
	const int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0
		       ? -errno
		       : 0;
}

static int open_connection(int listener, int *client, int *server)
{
	struct sockaddr_in at;
	int r = start_listening(listener, &at);

	if (r == 0)
		r = *client = open_socket();
	if (r < 0)
		return r;
	if (connect(*client, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	r = accept_own(listener, *client, server);
	if (r == 0)
		r = set_nodelay(*client);
	return r < 0 ? r : set_nodelay(*server);
}

static int create(void **channel, size_t message_bytes)
{
	struct ends *e = ends_new(message_bytes);
	int listener, r;

	if (!e)
		return -ENOMEM;
	listener = open_socket();
	r = listener < 0 ? listener
			 : open_connection(listener, &e->in[MECHANISM_A],
					   &e->in[MECHANISM_B]);
	if (listener >= 0)
		fdio_close(&listener);
	e->out[MECHANISM_A] = e->in[MECHANISM_A];
	e->out[MECHANISM_B] = e->in[MECHANISM_B];
	if (r < 0) {
		ends_destroy(e);
		return r;
	}
	*channel = e;
	return 0;
}

const struct mechanism mech_tcp = {
	.name = "tcp",
	.title = "TCP Loopback",
	.summary = "a TCP connection over loopback, without Nagle's delay",
	.cost = {.calls = 10, /* socket bind listen getsockname connect accept
			       * setsockopt write read close */
		 .can_poll = true},
	.create = create,
	.attach = ends_attach,
	.send = ends_send,
	.receive = ends_receive,
	.destroy = ends_destroy,
};
