/* A flavor of authentication with all that RPCSEC_GSS needs: calls of its own,
 * calls that get no reply, sealed arguments and results, and waiting. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/lib/rpc_hostile_fixture.h"
#include "tests/lib/rpc_server_fixture.h"

/* The credential is a word: what is to become of the call. The verifier of the
 * reply is a word too. */
enum { FLAVOR = 390000, SERVE, BEGIN, DROP, WAIT, DENY, CONTEXT = 4711 };

static atomic_int released, verified;

static enum auth_stat verify(void *state, const struct rpc_call *call,
			     const struct rpc_peer *peer,
			     struct rpc_identity *who,
			     struct rpc_verifier *verf)
{
	(void)state, (void)peer;
	if (call->cred.bytes != 4)
		return AUTH_BADCRED;
	who->handle = rpc_message_get32(call->cred.body);
	verf->flavor = FLAVOR;
	verf->bytes = 4;
	rpc_message_put32(verf->body, CONTEXT);
	atomic_fetch_add(&verified, 1);
	switch (who->handle) {
	case DROP:
		return RPC_AUTH_DROP;
	case WAIT:
		/* As for a server of keys that is slow: in the same loop. */
		serve_gate(NULL, NULL, NULL);
		return AUTH_OK;
	case DENY:
		return AUTH_FAILED;
	default:
		return AUTH_OK;
	}
}

static ssize_t answer(void *state, const struct rpc_call *call,
		      const struct rpc_identity *who, struct rpc_buffer *reply,
		      size_t offset)
{
	(void)state, (void)call;
	if (who->handle != BEGIN)
		return -EAGAIN;
	if (rpc_buffer_reserve(reply, offset + 4))
		return -ENOMEM;
	rpc_message_put32(reply->bytes + offset, CONTEXT);
	return 4;
}

static void turn(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] ^= 0x55;
}

static int unwrap(void *state, const struct rpc_identity *who,
		  const uint8_t **bytes, size_t *n, struct rpc_buffer *scratch)
{
	(void)state, (void)who;
	if (rpc_buffer_reserve(scratch, *n + 1))
		return -EBADMSG;
	memcpy(scratch->bytes, *bytes, *n);
	turn(scratch->bytes, *n);
	*bytes = scratch->bytes;
	return 0;
}

/* It grows, too. */
static ssize_t wrap(void *state, const struct rpc_identity *who,
		    struct rpc_buffer *reply, size_t offset, size_t n)
{
	(void)state, (void)who;
	if (rpc_buffer_reserve(reply, offset + n + 4))
		return -ENOMEM;
	turn(reply->bytes + offset, n);
	rpc_message_put32(reply->bytes + offset + n, (uint32_t)n);
	return (ssize_t)n + 4;
}

static void release(void *state, const struct rpc_identity *who)
{
	(void)state;
	assert_true(who->handle >= SERVE && who->handle <= DENY);
	atomic_fetch_add(&released, 1);
}

static const struct rpc_auth_flavor sealing = {
	.number = FLAVOR,
	.name = "sealing",
	.verify = verify,
	.answer = answer,
	.unwrap = unwrap,
	.wrap = wrap,
	.release = release,
	.seal_bytes = 4,
	.may_block = true,
};
static const struct rpc_auth_flavor *const flavors[] = {&rpc_auth_none,
							&sealing};

static struct fixture served;

static void open_it(void)
{
	served = special();
	served.options.dispatch.flavors = flavors;
	served.options.dispatch.n_flavors = 2;
	if (served.options.loops)
		served.options.loops = 1;
	atomic_store(&released, 0);
	atomic_store(&verified, 0);
	start_server(&served);
}

/* A call of ADD, sealed; 68 bytes with its mark. */
static size_t put_sealed(uint8_t *at, uint32_t xid, uint32_t what)
{
	const uint32_t words[] = {xid,    CALL, 2,    PROGRAM, VERSION, ADD,
				  FLAVOR, 4,    what, 0,       0};
	uint8_t *start = at;

	at += 4;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		at = rpc_message_put32(at, words[i]);
	at = rpc_message_put32(at, 40 ^ 0x55555555u);
	at = rpc_message_put32(at, 2 ^ 0x55555555u);
	rpc_record_mark(start, (size_t)(at - start) - 4);
	return (size_t)(at - start);
}

static void send_sealed(int fd, uint32_t xid, uint32_t what)
{
	uint8_t call[128];
	size_t n = put_sealed(call, xid, what);

	assert_int_equal(fdio_write_full(fd, call, n), 0);
}

/* An accepted reply, with so many words of results. */
static void hear(int fd, uint32_t xid, const uint32_t *results, size_t n)
{
	const uint32_t head[] = {xid, REPLY,   MSG_ACCEPTED, FLAVOR,
				 4,   CONTEXT, SUCCESS};
	uint8_t reply[128];
	size_t bytes = 4 + sizeof(head) + n * 4;

	assert_int_equal(
		fdio_read_until(fd, reply, bytes, tick_after(60 * TICK_S)),
		bytes);
	assert_int_equal(rpc_message_get32(reply),
			 RPC_RECORD_LAST | (bytes - 4));
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		assert_int_equal(rpc_message_get32(reply + 4 + 4 * i), head[i]);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			rpc_message_get32(reply + 4 + sizeof(head) + 4 * i),
			results[i]);
}

static const uint32_t sum[] = {42 ^ 0x55555555u, 4};
static const uint32_t context[] = {CONTEXT};

static void flavor_answers_drops_and_seals(void **state)
{
	int fd;

	(void)state;
	open_it();
	fd = connect_raw(&served);
	send_sealed(fd, 1, BEGIN);
	hear(fd, 1, context, 1);
	send_sealed(fd, 2, DROP);
	send_sealed(fd, 3, SERVE);
	/* That of 2 never comes. */
	hear(fd, 3, sum, 2);
	close(fd);
	stop_server(&served);
	assert_int_equal(atomic_load(&verified), 3);
	assert_int_equal(atomic_load(&released), 3);
}

static void flavor_drops_datagrams_each_time(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t call[128], reply[128];
	size_t n;

	(void)state;
	open_it();
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(rpc_server_port(served.server, RPC_UDP));
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	for (int i = 0; i < 3; i++) {
		n = put_sealed(call, 1, DROP);
		assert_int_equal(send(fd, call + 4, n - 4, 0), n - 4);
	}
	n = put_sealed(call, 2, SERVE);
	assert_int_equal(send(fd, call + 4, n - 4, 0), n - 4);
	assert_int_equal(fdio_wait(fd, POLLIN, tick_after(60 * TICK_S)),
			 POLLIN);
	assert_int_equal(recv(fd, reply, sizeof(reply), 0), 28 + 8);
	assert_int_equal(rpc_message_get32(reply), 2);
	close(fd);
	stop_server(&served);
}

static bool is_in_gate(void *arg)
{
	(void)arg;
	return atomic_load(&in_gate) > 0;
}

static void flavor_that_waits_holds_up_nobody_else(void **state)
{
	struct rpc_client *other;
	struct rpc_fault fault;
	int32_t result;
	int fd;

	(void)state;
	open_it();
	fd = connect_raw(&served);
	send_sealed(fd, 1, WAIT);
	assert_true(support_wait_until(is_in_gate, NULL, 60000));
	/* In a loop it is the same thread that serves this one. */
	other = open_client(&served, RPC_TCP);
	assert_int_equal(call_add(other, 1, 2, &result, &fault), 0);
	assert_int_equal(result, 3);
	atomic_store(&gate_is_open, true);
	hear(fd, 1, sum, 2);
	rpc_client_close(other);
	close(fd);
	stop_server(&served);
}

static void flavor_that_denies_lets_go(void **state)
{
	uint8_t reply[24];
	int fd;

	(void)state;
	open_it();
	fd = connect_raw(&served);
	send_sealed(fd, 9, DENY);
	assert_int_equal(fdio_read_until(fd, reply, sizeof(reply),
					 tick_after(60 * TICK_S)),
			 sizeof(reply));
	assert_int_equal(rpc_message_get32(reply + 12), MSG_DENIED);
	assert_int_equal(rpc_message_get32(reply + 16), AUTH_ERROR);
	assert_int_equal(rpc_message_get32(reply + 20), AUTH_FAILED);
	close(fd);
	stop_server(&served);
	assert_int_equal(atomic_load(&released), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODES_CASE(flavor_answers_drops_and_seals),
		MODES_CASE(flavor_drops_datagrams_each_time),
		MODES_CASE(flavor_that_waits_holds_up_nobody_else),
		MODES_CASE(flavor_that_denies_lets_go),
	};

	return SUPPORT_MAIN(tests);
}
