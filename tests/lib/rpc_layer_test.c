/* A server whose connections go through a layer, as they would through TLS: it
 * begins in many small steps, in both directions, and then carries blocks, of
 * which it holds back what nobody has asked for yet. */
#include <poll.h>

#include "lib/rpc/rpc_stream.h"
#include "tests/lib/rpc_hostile_fixture.h"
#include "tests/lib/rpc_server_fixture.h"

enum {
	HELLO = 16, /* bytes, of both sides */
	KEY = 0x5a,
	BLOCK_MAX = 60000,
	HEAD = 2, /* how long a block is */
};

/* One end of it. */
struct end {
	size_t heard, said; /* of the hellos */
	uint8_t in[HEAD + BLOCK_MAX], out[HEAD + BLOCK_MAX];
	size_t in_at, in_end; /* of the block that came: what is left */
	size_t got;           /* of the one that is coming, with its head */
	size_t out_at, out_end;
};

static atomic_int n_open, n_steps, n_held_back;

static int of_errno(void)
{
	return errno == EINTR ? -EAGAIN : -errno;
}

static void turn(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] ^= KEY;
}

/* ---- beginning: the client's hello, the server's, one byte a step ---- */

static int step(void *state, int fd)
{
	struct end *end = state;
	uint8_t byte = 0;
	ssize_t n;

	atomic_fetch_add(&n_steps, 1);
	if (end->heard < HELLO) {
		n = recv(fd, &byte, 1, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0)
			return of_errno() == -EAGAIN ? POLLIN : -errno;
		if (byte != 'h')
			return -EBADMSG;
		return ++end->heard < HELLO ? POLLIN : POLLOUT;
	}
	n = send(fd, "H", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return of_errno() == -EAGAIN ? POLLOUT : -errno;
	return ++end->said < HELLO ? POLLOUT : 0;
}

/* ---- blocks ---- */

/* Have a whole block lie there. Returns 1, 0 at the end or -errno. */
static ssize_t take_block(struct end *end, int fd)
{
	size_t whole = HEAD;
	ssize_t n;

	for (;;) {
		if (end->got >= HEAD)
			whole = HEAD + (size_t)(end->in[0] << 8 | end->in[1]);
		if (end->got >= HEAD && end->got == whole)
			break;
		n = recv(fd, end->in + end->got, whole - end->got,
			 MSG_DONTWAIT);
		if (n <= 0)
			return n == 0 ? 0 : of_errno();
		end->got += (size_t)n;
		if (whole > sizeof(end->in))
			return -EBADMSG;
	}
	turn(end->in + HEAD, whole - HEAD);
	end->in_at = HEAD;
	end->in_end = whole;
	end->got = 0;
	return 1;
}

static ssize_t read_blocks(void *state, int fd, void *buf, size_t n)
{
	struct end *end = state;
	size_t done = 0, some;
	ssize_t rc = 1;

	while (done < n) {
		if (end->in_at == end->in_end)
			rc = take_block(end, fd);
		if (rc <= 0)
			break;
		some = end->in_end - end->in_at;
		some = some < n - done ? some : n - done;
		memcpy((uint8_t *)buf + done, end->in + end->in_at, some);
		end->in_at += some;
		done += some;
	}
	if (end->in_at < end->in_end)
		atomic_fetch_add(&n_held_back, 1);
	return done > 0 ? (ssize_t)done : rc;
}

static ssize_t write_block(void *state, int fd, const void *buf, size_t n)
{
	struct end *end = state;
	ssize_t sent;

	if (end->out_at == end->out_end) {
		n = n < BLOCK_MAX ? n : BLOCK_MAX;
		end->out[0] = (uint8_t)(n >> 8);
		end->out[1] = (uint8_t)n;
		memcpy(end->out + HEAD, buf, n);
		turn(end->out + HEAD, n);
		end->out_at = 0;
		end->out_end = HEAD + n;
	}
	/* Nothing of a block counts as sent before all of it is. */
	while (end->out_at < end->out_end) {
		sent = send(fd, end->out + end->out_at,
			    end->out_end - end->out_at,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			return of_errno();
		end->out_at += (size_t)sent;
	}
	return (ssize_t)end->out_end - HEAD;
}

static void close_end(void *state)
{
	free(state);
	atomic_fetch_sub(&n_open, 1);
}

static struct rpc_layer make_end(void)
{
	struct rpc_layer layer = {
		.begin = step,
		.read = read_blocks,
		.write = write_block,
		.close = close_end,
		.state = calloc(1, sizeof(struct end)),
	};

	assert_non_null(layer.state);
	atomic_fetch_add(&n_open, 1);
	return layer;
}

/* ---- both sides ---- */

static int secure_server(const struct rpc_peer *peer, struct rpc_layer *layer,
			 void *arg)
{
	(void)arg;
	if (peer->transport != RPC_UDP)
		*layer = make_end();
	return 0;
}

/* As long as it takes; a case may say only part of it. */
static void say_hello(int fd, size_t n)
{
	assert_int_equal(fdio_write_full(fd, "hhhhhhhhhhhhhhhh", n), 0);
}

static void hear_hello(int fd)
{
	char hello[HELLO];

	assert_int_equal(
		fdio_read_until(fd, hello, HELLO, tick_after(60 * TICK_S)),
		HELLO);
	assert_memory_equal(hello, "HHHHHHHHHHHHHHHH", HELLO);
}

static int secure_client(struct rpc_stream *stream, int64_t deadline, void *arg)
{
	struct rpc_layer layer = make_end();

	(void)deadline, (void)arg;
	say_hello(stream->socket.fd, HELLO);
	hear_hello(stream->socket.fd);
	rpc_stream_set_layer(stream, &layer);
	return 0;
}

static enum auth_stat behind_a_layer(const struct rpc_request *request)
{
	const struct end *end = request->peer->layer;

	return end && end->said == HELLO ? AUTH_OK : AUTH_TOOWEAK;
}

static void start_secured(struct fixture *f)
{
	*f = special();
	f->options.secure = secure_server;
	f->options.dispatch.authorise = behind_a_layer;
	f->options.has_udp = false;
	if (f->options.loops)
		f->options.loops = 1;
	atomic_store(&n_open, 0);
	atomic_store(&n_steps, 0);
	atomic_store(&n_held_back, 0);
}

static struct rpc_client *open_secured(const struct fixture *f,
				       enum rpc_transport transport)
{
	struct rpc_client_options options = client_options(f, transport);
	struct rpc_client *client;
	struct rpc_fault fault;

	options.secure = secure_client;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	return client;
}

static void call_some(struct rpc_client *client)
{
	struct rpc_fault fault;
	int32_t n;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(call_add(client, i, 7, &n, &fault), 0);
		assert_int_equal(n, i + 7);
		/* Which a worker answers where there are loops. */
		assert_int_equal(call_count(client, &n, &fault), 0);
	}
}

/* ---- the cases ---- */

static void calls_go_through_a_layer(void **state)
{
	static char bytes[ECHO_MAX];
	struct fixture f;
	struct rpc_fault fault;

	(void)state;
	start_secured(&f);
	start_server(&f);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 251);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct blob in = {ECHO_MAX, bytes}, out = {0};
		struct rpc_client *client;

		if (t == RPC_UDP)
			continue;
		client = open_secured(&f, (enum rpc_transport)t);
		call_some(client);
		assert_int_equal(rpc_client_call(client, ECHO, XDR(blob), &in,
						 XDR(blob), &out, &fault),
				 0);
		assert_int_equal(out.n, in.n);
		assert_memory_equal(out.bytes, in.bytes, in.n);
		xdr_free(XDR(blob), &out);
		rpc_client_close(client);
	}
	/* One for each byte, at least, as it was meant. */
	assert_true(atomic_load(&n_steps) >= 2 * 2 * HELLO);
	stop_server(&f);
	assert_int_equal(atomic_load(&n_open), 0);
}

/* Calls that come in one block, more than the server has room for: nothing says
 * that the rest is there but the layer. */
static void calls_that_a_layer_holds_back_are_answered(void **state)
{
	enum { CALLS = 1000, EACH = 44, BACK = 28 };
	static uint8_t calls[CALLS * EACH], replies[CALLS * BACK];
	struct rpc_layer layer;
	struct fixture f;
	size_t at = 0;
	ssize_t n;
	int fd;

	(void)state;
	start_secured(&f);
	start_server(&f);
	fd = connect_raw(&f);
	say_hello(fd, HELLO);
	hear_hello(fd);
	layer = make_end();
	for (uint32_t i = 0; i < CALLS; i++) {
		uint8_t *call = calls + (size_t)i * EACH;

		rpc_record_mark(call, EACH - 4);
		put_call(call + 4, 0);
		rpc_message_put32(call + 4, i);
	}
	assert_int_equal(layer.write(layer.state, fd, calls, sizeof(calls)),
			 sizeof(calls));
	while (at < sizeof(replies)) {
		n = layer.read(layer.state, fd, replies + at,
			       sizeof(replies) - at);
		if (n == -EAGAIN)
			assert_true(fdio_wait(fd, POLLIN,
					      tick_after(60 * TICK_S)) > 0);
		else
			assert_true(n > 0);
		at += n > 0 ? (size_t)n : 0;
	}
	for (uint32_t i = 0; i < CALLS; i++)
		assert_int_equal(
			rpc_message_get32(replies + (size_t)i * BACK + 4), i);
	assert_true(atomic_load(&n_held_back) > 0);
	layer.close(layer.state);
	close(fd);
	stop_server(&f);
	assert_int_equal(atomic_load(&n_open), 0);
}

/* With one loop, for which a step that waited would be the end. */
static void half_a_beginning_holds_up_nobody(void **state)
{
	enum { HALF = 5 };
	struct fixture f;
	struct rpc_client *client;
	int fds[HALF];

	(void)state;
	start_secured(&f);
	start_server(&f);
	for (int i = 0; i < HALF; i++) {
		fds[i] = connect_raw(&f);
		say_hello(fds[i], (size_t)i * 3);
	}
	client = open_secured(&f, RPC_TCP);
	call_some(client);
	/* They go on, as if nothing had been. */
	for (int i = 0; i < HALF; i++) {
		say_hello(fds[i], HELLO - (size_t)i * 3);
		hear_hello(fds[i]);
	}
	call_some(client);
	rpc_client_close(client);
	for (int i = 0; i < HALF; i++)
		close(fds[i]);
	stop_server(&f);
	assert_int_equal(atomic_load(&n_open), 0);
}

static void beginning_has_a_deadline(void **state)
{
	struct fixture f;
	char byte;
	int fd;

	(void)state;
	start_secured(&f);
	f.options.record_ns = TICK_S / 2;
	start_server(&f);
	fd = connect_raw(&f);
	say_hello(fd, 3);
	wait_event(RPC_SERVER_SLOW);
	assert_int_equal(fdio_read(fd, &byte, 1), 0);
	close(fd);
	stop_server(&f);
	assert_int_equal(atomic_load(&n_open), 0);
}

static void call_in_clear_is_not_served(void **state)
{
	struct fixture f;
	uint8_t call[44];
	char byte;
	int fd;

	(void)state;
	start_secured(&f);
	start_server(&f);
	fd = connect_raw(&f);
	rpc_record_mark(call, 40);
	put_call(call + 4, COUNT);
	assert_int_equal(fdio_write_full(fd, call, sizeof(call)), 0);
	wait_event(RPC_SERVER_BAD_RECORD);
	assert_true(fdio_read(fd, &byte, 1) <= 0);
	assert_int_equal(counts_of(&f).calls, 0);
	close(fd);
	stop_server(&f);
	assert_int_equal(atomic_load(&n_open), 0);
}

static int refuse(const struct rpc_peer *peer, struct rpc_layer *layer,
		  void *arg)
{
	(void)peer, (void)layer, (void)arg;
	return -EACCES;
}

static void connection_that_cannot_be_secured_is_closed(void **state)
{
	struct fixture f;
	char byte;
	int fd;

	(void)state;
	start_secured(&f);
	f.options.secure = refuse;
	start_server(&f);
	fd = connect_raw(&f);
	wait_event(RPC_SERVER_REFUSED);
	assert_int_equal(fdio_read(fd, &byte, 1), 0);
	close(fd);
	stop_server(&f);
}

static void stop_does_not_wait_for_a_beginning(void **state)
{
	struct fixture f;
	int64_t begun;
	int fd;

	(void)state;
	start_secured(&f);
	f.options.record_ns = 300 * TICK_S;
	start_server(&f);
	fd = connect_raw(&f);
	say_hello(fd, 3);
	while (atomic_load(&n_steps) < 3)
		tick_sleep_until(tick_after(TICK_MS));
	begun = tick_now();
	stop_server(&f);
	assert_true(tick_now() - begun < 60 * TICK_S);
	assert_int_equal(atomic_load(&n_open), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODES_CASE(calls_go_through_a_layer),
		MODES_CASE(calls_that_a_layer_holds_back_are_answered),
		MODES_CASE(half_a_beginning_holds_up_nobody),
		MODES_CASE(beginning_has_a_deadline),
		MODES_CASE(call_in_clear_is_not_served),
		MODES_CASE(connection_that_cannot_be_secured_is_closed),
		MODES_CASE(stop_does_not_wait_for_a_beginning),
	};

	return SUPPORT_MAIN(tests);
}
