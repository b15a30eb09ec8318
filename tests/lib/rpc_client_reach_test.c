/* The client and servers that are not there, end, start again, or lie. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/lib/rpc_fixture.h"

/* ---- where nobody is ---- */

/* A socket bound to a port of the loopback; TCP: whether it listens. */
static int open_port(int type, bool listens, uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	if (listens)
		assert_int_equal(listen(fd, 8), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static enum rpc_fault_kind fault_of_opening(struct rpc_client_options options,
					    struct rpc_fault *fault)
{
	struct rpc_client *client;

	rpc_client_open(&client, &options, fault);
	assert_null(client);
	return fault->kind;
}

static void nobody_there_is_unreachable(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct rpc_fault fault;
	int fd = open_port(SOCK_STREAM, false, &options.port);

	assert_int_equal(fault_of_opening(options, &fault),
			 RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, ECONNREFUSED);
	assert_false(rpc_fault_is_unknown(&fault));
	assert_int_equal(rpc_fault_status(&fault), 4);
	close(fd);
	options.transport = RPC_UNIX;
	options.unix_path = "/tmp/nobody";
	assert_int_equal(fault_of_opening(options, &fault),
			 RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, ENOENT);
}

static void closed_udp_port_is_unreachable(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_UDP);
	struct rpc_client *client;
	struct rpc_fault fault;

	close(open_port(SOCK_DGRAM, false, &options.port));
	options.retries = 2;
	options.retry_ns = TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, ECONNREFUSED);
	assert_false(rpc_fault_is_unknown(&fault));
	rpc_client_close(client);
}

/* Refused once, and there is no time for another try. */
static void closed_udp_port_is_unreachable_when_time_is_over(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_UDP);
	struct rpc_client *client;
	struct rpc_fault fault;

	close(open_port(SOCK_DGRAM, false, &options.port));
	options.retries = 5;
	options.retry_ns = 60 * TICK_S;
	options.timeout_ns = 100 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, ECONNREFUSED);
	assert_false(rpc_fault_is_unknown(&fault));
	rpc_client_close(client);
}

static void unknown_host_is_named_so(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct rpc_fault fault;
	char text[200];

	options.host = "999.999.999.999";
	assert_int_equal(fault_of_opening(options, &fault), RPC_FAULT_HOST);
	assert_int_equal(rpc_fault_status(&fault), 4);
	rpc_fault_text(&fault, text, sizeof(text));
	assert_non_null(strstr(text, "RPC: Unknown host: "));
}

/* Of a port whose queue of connections is full, nothing ever comes back. */
static void connecting_has_a_deadline(void **state)
{
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct rpc_fault fault;
	int fillers[8], fd = open_port(SOCK_STREAM, false, &options.port);
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(options.port)};

	assert_int_equal(listen(fd, 0), 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 8; i++) {
		fillers[i] = socket(
			AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], (struct sockaddr *)&in, sizeof(in));
	}
	options.connect_ns = 100 * TICK_MS;
	assert_int_equal(fault_of_opening(options, &fault),
			 RPC_FAULT_UNREACHABLE);
	assert_int_equal(fault.error, ETIMEDOUT);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(fd);
}

/* ---- servers come and go ---- */

static void server_that_is_gone_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *client = open_client(f, RPC_TCP);
	struct rpc_fault fault;

	assert_int_equal(call_null(client, &fault), 0);
	stop_server(f);
	/* The server had ended, so the call was not done; but the client may
	 * notice only after it was sent. */
	assert_int_not_equal(call_null(client, &fault), 0);
	assert_true(fault.kind == RPC_FAULT_UNREACHABLE ||
		    fault.kind == RPC_FAULT_LOST);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_UNREACHABLE);
	assert_false(rpc_fault_is_unknown(&fault));
	rpc_client_close(client);
	start_server(f);
}

static void client_outlives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct rpc_client_options options;
	struct rpc_client *clients[RPC_TRANSPORTS];
	struct rpc_fault fault;
	int32_t sum;

	/* On the same ports as before. */
	f->options.tcp_port = rpc_server_port(f->server, RPC_TCP);
	f->options.udp_port = rpc_server_port(f->server, RPC_UDP);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		options = client_options(f, (enum rpc_transport)t);
		options.retries = 3;
		options.may_repeat = true;
		assert_int_equal(rpc_client_open(&clients[t], &options, &fault),
				 0);
		assert_int_equal(call_null(clients[t], &fault), 0);
	}
	stop_server(f);
	start_server(f);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		assert_int_equal(call_add(clients[t], t, 1, &sum, &fault), 0);
		assert_int_equal(sum, t + 1);
		rpc_client_close(clients[t]);
	}
}

/* ---- servers that lie ---- */

struct liar {
	int fd;
	const char *says;
	size_t bytes;
	pthread_t thread;
};

/* Take one connection, and answer whatever comes. */
static void *lie(void *arg)
{
	struct liar *liar = arg;
	char buf[256];
	int fd = accept(liar->fd, NULL, NULL);

	if (fd < 0)
		return NULL;
	if (recv(fd, buf, sizeof(buf), 0) > 0 &&
	    send(fd, liar->says, liar->bytes, MSG_NOSIGNAL) > 0)
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
	close(fd);
	return NULL;
}

static enum rpc_fault_kind believe(void **state, const char *says, size_t bytes)
{
	struct liar liar = {.says = says, .bytes = bytes};
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct rpc_client *client;
	struct rpc_fault fault;

	options.timeout_ns = 10 * TICK_S;
	liar.fd = open_port(SOCK_STREAM, true, &options.port);
	assert_int_equal(pthread_create(&liar.thread, NULL, lie, &liar), 0);
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_xid(client, 0x41414141);
	call_null(client, &fault);
	rpc_client_close(client);
	assert_int_equal(pthread_join(liar.thread, NULL), 0);
	close(liar.fd);
	return fault.kind;
}

static void lies_are_bad_replies(void **state)
{
	static const char endless[] = "\xff\xff\xff\xff";
	static const char is_call[] = "\x80\0\0\x0c"
				      "AAAA\0\0\0\0\0\0\0\0";
	static const char short_verf[] = "\x80\0\0\x18"
					 "AAAA\0\0\0\x01\0\0\0\0\0\0\0\0"
					 "\0\0\x01\x90\0\0\0\0";
	static const char success[] = "\x80\0\0\x18"
				      "AAAA\0\0\0\x01\0\0\0\0\0\0\0\0"
				      "\0\0\0\0\0\0\0\0";

	assert_int_equal(believe(state, endless, 4), RPC_FAULT_BAD_REPLY);
	assert_int_equal(believe(state, is_call, 16), RPC_FAULT_BAD_REPLY);
	assert_int_equal(believe(state, short_verf, 28), RPC_FAULT_BAD_REPLY);
	assert_int_equal(believe(state, success, 28), RPC_FAULT_NONE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nobody_there_is_unreachable),
		CASE(closed_udp_port_is_unreachable),
		CASE(closed_udp_port_is_unreachable_when_time_is_over),
		CASE(unknown_host_is_named_so),
		CASE(connecting_has_a_deadline),
		CASE(server_that_is_gone_is_unreachable),
		CASE(client_outlives_a_restart),
		CASE(lies_are_bad_replies),
	};

	return SUPPORT_MAIN(tests);
}
