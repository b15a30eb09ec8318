/* As little as two processes can do: the bytes of a call and of its reply, by
 * write and read that block, one thread for each connection. What they hold is
 * a number, and the block. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p16-rpc-calc/bench/bench_side.h"

enum {
	MARK = 4,   /* in front of a record, but not of a datagram */
	CALL = 40,  /* a call without credentials or arguments */
	REPLY = 24, /* and its reply without results */
	LENGTH = 4, /* in front of a block */
	MAX = 65536,
};

struct sizes {
	size_t call, reply, call_block, reply_block;
};

static struct sizes sizes_of(const struct bench_case *c)
{
	size_t mark = c->transport == BENCH_UDP ? 0 : MARK;
	size_t length = c->bytes ? LENGTH : 0;
	struct sizes s = {.call_block = mark + CALL + length,
			  .reply_block = mark + REPLY + length};

	s.call = s.call_block + c->bytes;
	s.reply = s.reply_block + c->bytes;
	return s;
}

struct connection {
	const struct bench_case *c;
	int fd;
};

static void answer(const struct bench_case *c, const struct sizes *s,
		   const unsigned char *call, unsigned char *reply)
{
	memcpy(reply, call, sizeof(uint32_t));
	memcpy(reply + s->reply_block, call + s->call_block, c->bytes);
}

static void *serve_connection(void *arg)
{
	struct connection *connection = arg;
	struct sizes s = sizes_of(connection->c);
	unsigned char call[MAX], reply[MAX] = {0};

	while (fdio_read_full(connection->fd, call, s.call) ==
	       (ssize_t)s.call) {
		answer(connection->c, &s, call, reply);
		if (fdio_write_full(connection->fd, reply, s.reply))
			break;
	}
	close(connection->fd);
	free(connection);
	return NULL;
}

static int serve_datagrams(const struct bench_case *c, int fd)
{
	struct sizes s = sizes_of(c);
	unsigned char call[MAX], reply[MAX] = {0};

	for (;;) {
		struct bench_address from = {.len = sizeof(from.storage)};
		struct sockaddr *address = (struct sockaddr *)&from.storage;

		if (recvfrom(fd, call, sizeof(call), 0, address, &from.len) !=
		    (ssize_t)s.call)
			return -EBADMSG;
		answer(c, &s, call, reply);
		if (sendto(fd, reply, s.reply, 0, address, from.len) < 0)
			return -errno;
	}
}

static int serve_one_more(const struct bench_case *c, int listener)
{
	struct connection *connection = malloc(sizeof(*connection));
	const int on = 1;
	pthread_t thread;

	if (!connection)
		return -ENOMEM;
	connection->c = c;
	connection->fd = accept(listener, NULL, NULL);
	if (connection->fd < 0) {
		free(connection);
		return -errno;
	}
	if (c->transport == BENCH_TCP)
		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on,
			   sizeof(on));
	if (pthread_create(&thread, NULL, serve_connection, connection)) {
		close(connection->fd);
		free(connection);
		return -EAGAIN;
	}
	pthread_detach(thread);
	return 0;
}

static int serve(const struct bench_case *c, struct bench_address *at,
		 struct rig_gate *gate)
{
	int listener = bench_listen(c, at);
	int r = listener < 0 ? listener : rig_serve(gate);

	if (r == 0 && c->transport == BENCH_UDP)
		return serve_datagrams(c, listener);
	while (r == 0)
		r = serve_one_more(c, listener);
	return r;
}

struct client {
	const struct bench_case *c;
	struct sizes s;
	int fd;
	unsigned char call[MAX], reply[MAX];
};

static int open_client(void **client, const struct bench_case *c,
		       const struct bench_address *at)
{
	struct client *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->c = c;
	new->s = sizes_of(c);
	new->fd = bench_connect(c, at);
	*client = new;
	return new->fd < 0 ? new->fd : 0;
}

static int call(void *client, uint32_t number)
{
	struct client *a = client;
	unsigned char *block = a->call + a->s.call_block;

	memcpy(a->call, &number, sizeof(number));
	bench_fill(block, a->c->bytes, number);
	if (fdio_write_full(a->fd, a->call, a->s.call) ||
	    fdio_read_full(a->fd, a->reply, a->s.reply) != (ssize_t)a->s.reply)
		return -EPIPE;
	return memcmp(a->reply, &number, sizeof(number)) == 0 &&
			       memcmp(a->reply + a->s.reply_block, block,
				      a->c->bytes) == 0
		       ? 0
		       : -EBADMSG;
}

static void close_client(void *client)
{
	struct client *a = client;

	fdio_close(&a->fd);
	free(a);
}

const struct bench_side bench_raw = {
	.name = "raw",
	.serve = serve,
	.open = open_client,
	.call = call,
	.close = close_client,
};
