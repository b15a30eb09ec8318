/* The client: failures told apart, deadlines kept, calls done once. */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "tests/p16_rpc_fixture.h"
#include "tests/support/interrupt.h"

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

/* ---- what the server says ---- */

static void servers_refusals_are_told_apart(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct rpc_fault fault;
	char text[200];

	rpc_client_set_version(client, VERSION + 1);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_VERSION);
	assert_string_equal(rpc_fault_text(&fault, text, sizeof(text)),
			    "RPC: Program/version mismatch; low version = 3, "
			    "high version = 5");
	/* On the same connection. */
	rpc_client_set_version(client, VERSION);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_NONE);
	assert_int_equal(
		rpc_client_call(client, 99, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_PROCEDURE);
	assert_int_equal(
		rpc_client_call(client, ADD, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_GARBAGE_ARGS);
	assert_int_equal(
		rpc_client_call(client, FAIL, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_SYSTEM);
	assert_int_equal(counts_of(*state).connections, 1);
	rpc_client_close(client);
}

static void reply_of_another_form_is_a_bad_reply(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct blob blob = {0};
	struct rpc_fault fault;
	int32_t sum;

	assert_int_equal(rpc_client_call(client, COUNT, NULL, NULL,
					 (xdrproc_t)xdr_blob, &blob, &fault),
			 RPC_FAULT_BAD_REPLY);
	assert_true(rpc_fault_is_unknown(&fault));
	assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
	rpc_client_close(client);
}

/* ---- credentials ---- */

static enum auth_stat want_uid_7(const struct rpc_request *request)
{
	if (!request->who->has_uid)
		return AUTH_TOOWEAK;
	return request->who->uid == 7 ? AUTH_OK : AUTH_REJECTEDCRED;
}

static void credentials_are_sent_and_refusals_have_reasons(void **state)
{
	struct fixture f = {.options = all_transports()};
	struct rpc_client *client;
	struct rpc_fault fault;
	char text[200];

	(void)state;
	f.options.dispatch.authorise = want_uid_7;
	start_server(&f);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		client = open_client(&f, (enum rpc_transport)t);
		assert_int_equal(call_null(client, &fault), RPC_FAULT_AUTH);
		assert_int_equal(fault.why, AUTH_TOOWEAK);
		assert_string_equal(rpc_fault_text(&fault, text, sizeof(text)),
				    "RPC: Authentication error; why = "
				    "Client credential too weak");
		assert_int_equal(rpc_fault_status(&fault), 7);
		rpc_client_set_auth(client,
				    authunix_create("host", 8, 8, 0, NULL));
		assert_int_equal(call_null(client, &fault), RPC_FAULT_AUTH);
		assert_int_equal(fault.why, AUTH_REJECTEDCRED);
		rpc_client_set_auth(client,
				    authunix_create("host", 7, 7, 0, NULL));
		assert_int_equal(call_null(client, &fault), 0);
		rpc_client_close(client);
	}
	stop_server(&f);
}

/* ---- libtirpc's way to call ---- */

static void stubs_work_on_the_handle(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	CLIENT *handle = rpc_client_handle(client);
	const struct timeval timeout = {25, 0};
	const struct pair pair = {20, 22};
	struct rpc_err error;
	int32_t sum = 0;
	uint32_t version = VERSION + 1;

	assert_int_equal(clnt_call(handle, ADD, (xdrproc_t)xdr_pair,
				   (caddr_t)(uintptr_t)&pair,
				   (xdrproc_t)xdr_int32_t, (caddr_t)&sum,
				   timeout),
			 RPC_SUCCESS);
	assert_int_equal(sum, 42);
	assert_true(clnt_control(handle, CLSET_VERS, (char *)&version));
	assert_int_equal(clnt_call(handle, 0, (xdrproc_t)xdr_int32_t,
				   (caddr_t)&sum, (xdrproc_t)xdr_int32_t,
				   (caddr_t)&sum, timeout),
			 RPC_PROGVERSMISMATCH);
	clnt_geterr(handle, &error);
	assert_int_equal(error.re_vers.low, VERSION);
	assert_int_equal(error.re_vers.high, VERSION + 2);
	assert_int_equal(rpc_client_fault(client)->kind, RPC_FAULT_VERSION);
	rpc_client_close(client);
}

/* ---- time ---- */

static bool is_in_gate(void *arg)
{
	(void)arg;
	return atomic_load(&in_gate) > 0;
}

static void late_reply_times_out_and_the_next_call_is_served(void **state)
{
	struct rpc_fault fault;
	int32_t sum;

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);

		atomic_store(&gate_is_open, false);
		rpc_client_set_timeout(client, 30 * TICK_MS);
		assert_int_equal(rpc_client_call(client, GATE, NULL, NULL, NULL,
						 NULL, &fault),
				 RPC_FAULT_TIMED_OUT);
		assert_true(rpc_fault_is_unknown(&fault));
		assert_int_equal(rpc_fault_status(&fault), 3);
		/* Datagrams are served by one thread, which is in there. */
		support_wait_until(is_in_gate, NULL, 20000);
		atomic_store(&gate_is_open, true);
		rpc_client_set_timeout(client, 60 * TICK_S);
		assert_int_equal(call_add(client, 4, 5, &sum, &fault), 0);
		assert_int_equal(sum, 9);
		rpc_client_close(client);
	}
}

static void signal_handler_ends_a_call(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct rpc_fault fault;

	interrupt_start();
	assert_int_equal(
		rpc_client_call(client, GATE, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_INTERRUPTED);
	interrupt_stop();
	rpc_client_close(client);
}

/* ---- once ---- */

static atomic_int to_lose;

static bool loses(const struct rpc_call *call, void *arg)
{
	(void)call, (void)arg;
	if (atomic_load(&to_lose) <= 0)
		return false;
	atomic_fetch_sub(&to_lose, 1);
	return true;
}

static struct fixture losing_server(int n)
{
	struct fixture f = {.options = all_transports()};

	f.options.loses_reply = loses;
	atomic_store(&to_lose, n);
	return f;
}

static void lost_datagrams_are_sent_again_and_served_once(void **state)
{
	struct fixture f = losing_server(3);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_UDP);
	options.retries = 10;
	options.retry_ns = 10 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	assert_int_equal(atomic_load(&count), 2);
	assert_true(counts_of(&f).repeated >= 3);
	rpc_client_close(client);
	stop_server(&f);
}

/* The same port and xid, as a client has them that was started anew: another
 * message is another call. */
static void same_xid_with_other_arguments_is_another_call(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_UDP);
	struct rpc_fault fault;
	int32_t n;

	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	rpc_client_set_auth(client, authunix_create("host", 7, 7, 0, NULL));
	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	rpc_client_close(client);
}

static void lost_connection_is_not_repeated_unasked(void **state)
{
	struct fixture f = losing_server(1);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_TCP);
	options.retries = 5;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), RPC_FAULT_LOST);
	assert_true(rpc_fault_is_unknown(&fault));
	assert_int_equal(rpc_fault_status(&fault), 3);
	assert_int_equal(atomic_load(&count), 1);
	/* The next call makes a connection of its own. */
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	rpc_client_close(client);
	stop_server(&f);
}

static void lost_connection_is_repeated_if_that_may_be(void **state)
{
	struct fixture f = losing_server(3);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_UNIX);
	options.retries = 5;
	options.retry_ns = TICK_MS;
	options.may_repeat = true;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 4);
	rpc_client_close(client);
	stop_server(&f);
}

/* AUTH_SYS that counts how often it was made. */
static int n_marshalled;
static struct auth_ops counting;
static int (*real_marshal)(AUTH *auth, XDR *xdrs);

static int marshal_counted(AUTH *auth, XDR *xdrs)
{
	n_marshalled++;
	return real_marshal(auth, xdrs);
}

static AUTH *counted_auth(void)
{
	AUTH *auth = authunix_create("host", 7, 7, 0, NULL);

	assert_non_null(auth);
	counting = *auth->ah_ops;
	real_marshal = counting.ah_marshal;
	counting.ah_marshal = marshal_counted;
	auth->ah_ops = &counting;
	n_marshalled = 0;
	return auth;
}

static int count_marshals(enum rpc_transport transport)
{
	struct fixture f = losing_server(2);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	start_server(&f);
	options = client_options(&f, transport);
	options.retries = 30;
	options.retry_ns = 10 * TICK_MS;
	options.may_repeat = true;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_auth(client, counted_auth());
	assert_int_equal(call_count(client, &n, &fault), 0);
	rpc_client_close(client);
	stop_server(&f);
	return n_marshalled;
}

/* A time in it may not be the same twice; but a datagram is known again by
 * being the same. */
static void credentials_are_new_on_a_new_connection_only(void **state)
{
	(void)state;
	assert_int_equal(count_marshals(RPC_TCP), 3);
	assert_int_equal(count_marshals(RPC_UDP), 1);
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
		CASE(unknown_host_is_named_so),
		CASE(connecting_has_a_deadline),
		CASE(servers_refusals_are_told_apart),
		CASE(reply_of_another_form_is_a_bad_reply),
		cmocka_unit_test(
			credentials_are_sent_and_refusals_have_reasons),
		CASE(stubs_work_on_the_handle),
		CASE(late_reply_times_out_and_the_next_call_is_served),
		CASE(signal_handler_ends_a_call),
		cmocka_unit_test(lost_datagrams_are_sent_again_and_served_once),
		CASE(same_xid_with_other_arguments_is_another_call),
		cmocka_unit_test(lost_connection_is_not_repeated_unasked),
		cmocka_unit_test(lost_connection_is_repeated_if_that_may_be),
		cmocka_unit_test(credentials_are_new_on_a_new_connection_only),
		CASE(server_that_is_gone_is_unreachable),
		CASE(client_outlives_a_restart),
		CASE(lies_are_bad_replies),
	};
	return SUPPORT_MAIN(tests);
}
