/* A server that does with the calls of one connection what the case wants:
 * answers them in any order, some of them, or none. */
#ifndef UNIXIPC_TESTS_LIB_RPC_FAKE_FIXTURE_H
#define UNIXIPC_TESTS_LIB_RPC_FAKE_FIXTURE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_stream.h"
#include "tests/lib/rpc_fixture.h"

enum { FAKE_CALLS = 256 };

struct fake {
	int listener;
	uint16_t port;
	struct rpc_stream stream;  /* of the connection */
	uint32_t xids[FAKE_CALLS]; /* of the calls that came */
	size_t n_calls;
	void (*serve)(struct fake *fake);
	void *arg;
	pthread_t thread;
};

/* In the fake's thread: take calls until there are n of them. False: the
 * client has gone, or nothing comes. */
static inline bool fake_take(struct fake *fake, size_t n)
{
	int64_t deadline = tick_after(60 * TICK_S);
	uint8_t *record;
	ssize_t bytes;

	while (fake->n_calls < n) {
		bytes = rpc_stream_next(&fake->stream, &record);
		if (bytes >= 4 && fake->n_calls < FAKE_CALLS)
			fake->xids[fake->n_calls++] = rpc_message_get32(record);
		else if (bytes != -EAGAIN ||
			 rpc_stream_fill(&fake->stream, deadline))
			return false;
	}
	return true;
}

/* SUCCESS, and the number as the result. */
static inline bool fake_answer(struct fake *fake, uint32_t xid, uint32_t number)
{
	const struct rpc_reply reply = {.xid = xid, .stat = MSG_ACCEPTED};
	uint8_t *to = rpc_stream_reserve(&fake->stream, 64);
	ssize_t n = to ? rpc_message_encode_reply(to, 64, &reply) : -1;

	if (n < 0)
		return false;
	rpc_message_put32(to + n, number);
	rpc_stream_put(&fake->stream, (size_t)n + 4);
	return rpc_stream_flush(&fake->stream) == 0;
}

static inline void *fake_run(void *arg)
{
	struct fake *fake = arg;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);

	rpc_stream_init(&fake->stream, 1 << 20, 1 << 20);
	fake->stream.socket.fd = accept4(
		fake->listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
	if (fake->stream.socket.fd >= 0)
		fake->serve(fake);
	rpc_stream_fini(&fake->stream);
	return NULL;
}

static inline void fake_start(struct fake *fake,
			      void (*serve)(struct fake *fake), void *arg)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);

	*fake = (struct fake){.serve = serve, .arg = arg};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fake->listener >= 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fake->listener, 8), 0);
	assert_int_equal(
		getsockname(fake->listener, (struct sockaddr *)&in, &len), 0);
	fake->port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake),
			 0);
}

static inline void fake_end(struct fake *fake)
{
	assert_int_equal(pthread_join(fake->thread, NULL), 0);
	fdio_close(&fake->listener);
}

static inline struct rpc_client_options fake_options(const struct fake *fake)
{
	return (struct rpc_client_options){
		.host = "127.0.0.1",
		.port = fake->port,
		.program = PROGRAM,
		.version = VERSION,
		.timeout_ns = 60 * TICK_S,
	};
}

#endif
