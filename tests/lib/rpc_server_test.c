/* The server as a whole, asked by the client of the same core: what it serves,
 * how it ends, and sockets that are taken. Its limits are in
 * rpc_server_limits_test.c. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/rpc/rpc_record.h"
#include "tests/lib/rpc_server_fixture.h"

/* ---- serving ---- */

static void every_transport_answers(void **state)
{
	int32_t sum;
	struct rpc_fault fault;

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);

		assert_int_equal(call_null(client, &fault), 0);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(call_add(client, i, -50, &sum, &fault),
					 0);
			assert_int_equal(sum, i - 50);
		}
		rpc_client_close(client);
	}
	assert_int_equal(counts_of(*state).calls, 3 * 21);
}

static void large_arguments_and_results_go_through(void **state)
{
	static const u_int sizes[RPC_TRANSPORTS] = {ECHO_MAX, 60000, ECHO_MAX};
	static char bytes[ECHO_MAX];
	struct rpc_fault fault;

	for (u_int i = 0; i < ECHO_MAX; i++)
		bytes[i] = (char)(i % 251);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);
		struct blob in = {sizes[t], bytes}, out = {0};

		assert_int_equal(
			rpc_client_call(client, ECHO, (xdrproc_t)xdr_blob, &in,
					(xdrproc_t)xdr_blob, &out, &fault),
			0);
		assert_int_equal(out.n, in.n);
		assert_memory_equal(out.bytes, in.bytes, in.n);
		xdr_free((xdrproc_t)xdr_blob, &out);
		rpc_client_close(client);
	}
}

static void arguments_beyond_a_datagram_cannot_be_encoded(void **state)
{
	static char bytes[ECHO_MAX];
	struct rpc_client *client = open_client(*state, RPC_UDP);
	struct blob in = {66000, bytes}, out = {0};
	struct rpc_fault fault;

	assert_int_equal(rpc_client_call(client, ECHO, (xdrproc_t)xdr_blob, &in,
					 (xdrproc_t)xdr_blob, &out, &fault),
			 RPC_FAULT_ARGS);
	assert_false(rpc_fault_is_unknown(&fault));
	rpc_client_close(client);
}

static void pipelined_calls_are_answered_in_order(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	int fd = rpc_client_fd(client);
	uint8_t calls[50 * 44] = {0}, replies[50 * 28];

	for (uint32_t i = 0; i < 50; i++) {
		uint8_t *at = calls + (size_t)i * 44;

		rpc_record_mark(at, 40);
		at = rpc_message_put32(at + 4, i);
		at = rpc_message_put32(at, CALL);
		at = rpc_message_put32(at, 2);
		at = rpc_message_put32(at, PROGRAM);
		rpc_message_put32(at, VERSION);
	}
	assert_int_equal(fdio_write_full(fd, calls, sizeof(calls)), 0);
	assert_int_equal(fdio_read_full(fd, replies, sizeof(replies)),
			 sizeof(replies));
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(
			rpc_message_get32(replies + (size_t)i * 28 + 4), i);
	rpc_client_close(client);
}

/* libtirpc cuts what it sends into fragments of its send size: of a hundred
 * bytes, a thousand of them for one call. */
static void stock_client_with_small_fragments_is_served(void **state)
{
	static char bytes[100000];
	const struct timeval patience = {.tv_sec = 60};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(
			((struct fixture *)*state)->server, RPC_TCP)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct netbuf address = {sizeof(in), sizeof(in), &in};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct blob args = {sizeof(bytes), bytes}, result = {0};
	CLIENT *client;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i % 241);
	assert_int_equal(connect(fd, (void *)&in, sizeof(in)), 0);
	client = clnt_vc_create(fd, &address, PROGRAM, VERSION, 100, 100);
	assert_non_null(client);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(clnt_call(client, ECHO, (xdrproc_t)xdr_blob,
					   (char *)&args, (xdrproc_t)xdr_blob,
					   (char *)&result, patience),
				 RPC_SUCCESS);
		assert_int_equal(result.n, sizeof(bytes));
		assert_memory_equal(result.bytes, bytes, sizeof(bytes));
		xdr_free((xdrproc_t)xdr_blob, &result);
		memset(&result, 0, sizeof(result));
	}
	clnt_destroy(client);
	close(fd);
}

static void *call_gate(void *arg)
{
	struct rpc_fault fault;

	rpc_client_call(arg, GATE, NULL, NULL, NULL, NULL, &fault);
	return (void *)(uintptr_t)fault.kind;
}

static bool is_in_gate(void *arg)
{
	(void)arg;
	return atomic_load(&in_gate) > 0;
}

static void long_call_holds_up_nobody_else(void **state)
{
	struct rpc_client *slow = open_client(*state, RPC_TCP);
	pthread_t thread;
	struct rpc_fault fault;
	void *kind;
	int32_t sum;

	assert_int_equal(pthread_create(&thread, NULL, call_gate, slow), 0);
	assert_true(support_wait_until(is_in_gate, NULL, 60000));
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);

		assert_int_equal(call_add(client, 1, 1, &sum, &fault), 0);
		rpc_client_close(client);
	}
	atomic_store(&gate_is_open, true);
	assert_int_equal(pthread_join(thread, &kind), 0);
	assert_null(kind);
	rpc_client_close(slow);
}

/* ---- who calls ---- */

static struct rpc_peer seen[RPC_TRANSPORTS];

static enum auth_stat look(const struct rpc_request *request)
{
	seen[request->peer->transport] = *request->peer;
	return AUTH_OK;
}

static void kernel_says_who_is_at_a_unix_socket(void **state)
{
	struct fixture f = special();
	struct rpc_fault fault;

	(void)state;
	f.options.dispatch.authorise = look;
	start_server(&f);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(&f, (enum rpc_transport)t);

		/* Whatever it says of itself. */
		rpc_client_set_auth(client,
				    authunix_create("liar", 9, 9, 0, NULL));
		assert_int_equal(call_null(client, &fault), 0);
		rpc_client_close(client);
	}
	stop_server(&f);
	assert_true(seen[RPC_UNIX].has_ids);
	assert_int_equal(seen[RPC_UNIX].pid, getpid());
	assert_int_equal(seen[RPC_UNIX].uid, geteuid());
	assert_false(seen[RPC_TCP].has_ids);
	assert_false(seen[RPC_UDP].has_ids);
	assert_int_equal(seen[RPC_TCP].address.ss_family, AF_INET);
	assert_int_equal(seen[RPC_UDP].address.ss_family, AF_INET);
}

/* ---- stopping ---- */

static void call_in_hand_is_answered_before_the_end(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *client = open_client(f, RPC_TCP);
	struct rpc_client *idle = open_client(f, RPC_UNIX);
	const uint64_t one = 1;
	pthread_t thread;
	void *kind;

	assert_int_equal(pthread_create(&thread, NULL, call_gate, client), 0);
	assert_true(support_wait_until(is_in_gate, NULL, 60000));
	assert_int_equal(write(f->stop_fd, &one, sizeof(one)), sizeof(one));
	atomic_store(&gate_is_open, true);
	assert_int_equal(pthread_join(thread, &kind), 0);
	assert_null(kind);
	stop_server(f);
	rpc_client_close(client);
	rpc_client_close(idle);
	start_server(f);
}

static void nothing_is_left_after_the_end(void **state)
{
	int fds = support_count_fds();
	struct fixture f = special();
	struct rpc_client *clients[RPC_TRANSPORTS];
	struct rpc_fault fault;

	(void)state;
	start_server(&f);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		clients[t] = open_client(&f, (enum rpc_transport)t);
		assert_int_equal(call_null(clients[t], &fault), 0);
	}
	stop_server(&f);
	for (int t = 0; t < RPC_TRANSPORTS; t++)
		rpc_client_close(clients[t]);
	assert_int_equal(support_count_fds(), fds);
	assert_int_equal(access(UNIX_PATH, F_OK), -1);
}

/* ---- sockets that are taken ---- */

static void dead_servers_socket_is_replaced(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = UNIX_PATH};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fixture f = special();
	struct rpc_client *client;
	struct rpc_fault fault;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd); /* the file stays, as after kill -9 */
	assert_int_equal(access(UNIX_PATH, F_OK), 0);
	start_server(&f);
	client = open_client(&f, RPC_UNIX);
	assert_int_equal(call_null(client, &fault), 0);
	rpc_client_close(client);
	stop_server(&f);
}

static void living_servers_sockets_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct rpc_server_options options = all_transports();
	struct rpc_server *server;

	assert_int_equal(rpc_server_open(&server, &options), -EADDRINUSE);
	assert_null(server);
	options.unix_path = NULL;
	options.tcp_port = rpc_server_port(f->server, RPC_TCP);
	assert_int_equal(rpc_server_open(&server, &options), -EADDRINUSE);
	options.tcp_port = 0;
	options.udp_port = rpc_server_port(f->server, RPC_UDP);
	assert_int_equal(rpc_server_open(&server, &options), -EADDRINUSE);
	assert_int_equal(access(UNIX_PATH, F_OK), 0);
}

static void other_files_are_left_alone(void **state)
{
	struct rpc_server_options options = all_transports();
	struct rpc_server *server;
	char longer[200];
	int fd;

	(void)state;
	options.unix_path = "/tmp/p16-a-file";
	fd = open(options.unix_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(rpc_server_open(&server, &options), -ENOTSOCK);
	assert_int_equal(unlink(options.unix_path), 0);
	close(fd);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	options.unix_path = longer;
	assert_int_equal(rpc_server_open(&server, &options), -ENAMETOOLONG);
	options = (struct rpc_server_options){.dispatch = DISPATCH};
	assert_int_equal(rpc_server_open(&server, &options), -EINVAL);
	options.has_tcp = true;
	options.host = "not-an-address";
	assert_int_equal(rpc_server_open(&server, &options), -EINVAL);
}

/* The socket of one that started after us at the same path. */
static void successors_socket_is_left_alone(void **state)
{
	struct fixture old = special(), new = special();
	struct rpc_client *client;
	struct rpc_fault fault;

	(void)state;
	assert_int_equal(rpc_server_open(&old.server, &old.options), 0);
	assert_int_equal(unlink(UNIX_PATH), 0);
	start_server(&new);
	rpc_server_close(old.server);
	client = open_client(&new, RPC_UNIX);
	assert_int_equal(call_null(client, &fault), 0);
	rpc_client_close(client);
	stop_server(&new);
	assert_int_equal(access(UNIX_PATH, F_OK), -1);
}

static unsigned int mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static atomic_int renewals;

static void count_renewal(const char *path, void *arg)
{
	assert_string_equal(path, UNIX_PATH);
	assert_ptr_equal(arg, &renewals);
	atomic_fetch_add(&renewals, 1);
}

static bool is_served_at_its_path(void *arg)
{
	struct rpc_client_options options = client_options(arg, RPC_UNIX);
	struct rpc_client *client;
	struct rpc_fault fault;
	bool is_served;

	if (rpc_client_open(&client, &options, &fault))
		return false;
	is_served = call_null(client, &fault) == 0;
	rpc_client_close(client);
	return is_served;
}

static bool has_ended(void *thread)
{
	return pthread_tryjoin_np(*(pthread_t *)thread, NULL) == 0;
}

/* Who is connected goes on; others find it again. */
static void socket_whose_name_is_gone_is_there_again_within_a_second(
	void **state)
{
	struct fixture f = special();
	struct rpc_client *client;
	struct rpc_fault fault;

	(void)state;
	atomic_store(&renewals, 0);
	f.options.on_renewed = count_renewal;
	f.options.arg = &renewals;
	f.options.unix_mode = 0640;
	start_server(&f);
	client = open_client(&f, RPC_UNIX);
	assert_int_equal(call_null(client, &fault), 0);
	assert_int_equal(unlink(UNIX_PATH), 0);
	support_wait_promised(is_served_at_its_path, &f, TICK_S);
	assert_int_equal(atomic_load(&renewals), 1);
	assert_int_equal(mode_of(UNIX_PATH), 0640);
	assert_int_equal(call_null(client, &fault), 0);
	rpc_client_close(client);
	stop_server(&f);
	assert_int_equal(access(UNIX_PATH, F_OK), -1);
}

static void server_whose_name_is_anothers_ends_within_a_second(void **state)
{
	struct fixture f = special();

	(void)state;
	start_server(&f);
	assert_int_equal(unlink(UNIX_PATH), 0);
	assert_int_equal(mkdir(UNIX_PATH, 0700), 0);
	support_wait_promised(has_ended, &f.thread, TICK_S);
	assert_int_equal(f.result, -ESTALE);
	rpc_server_close(f.server);
	fdio_close(&f.stop_fd);
	assert_int_equal(rmdir(UNIX_PATH), 0); /* and stays */
}

static void socket_has_the_mode_that_was_asked_for(void **state)
{
	struct fixture f = special();

	(void)state;
	f.options.unix_mode = 0600;
	start_server(&f);
	assert_int_equal(mode_of(UNIX_PATH), 0600);
	stop_server(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED_CASE(every_transport_answers),
		SERVED_CASE(large_arguments_and_results_go_through),
		SERVED_CASE(arguments_beyond_a_datagram_cannot_be_encoded),
		SERVED_CASE(pipelined_calls_are_answered_in_order),
		SERVED_CASE(stock_client_with_small_fragments_is_served),
		SERVED_CASE(long_call_holds_up_nobody_else),
		MODES_CASE(kernel_says_who_is_at_a_unix_socket),
		SERVED_CASE(call_in_hand_is_answered_before_the_end),
		MODES_CASE(nothing_is_left_after_the_end),
		MODES_CASE(dead_servers_socket_is_replaced),
		SERVED_CASE(living_servers_sockets_are_left_alone),
		MODES_CASE(other_files_are_left_alone),
		MODES_CASE(successors_socket_is_left_alone),
		cmocka_unit_test(
			socket_whose_name_is_gone_is_there_again_within_a_second),
		cmocka_unit_test(
			server_whose_name_is_anothers_ends_within_a_second),
		MODES_CASE(socket_has_the_mode_that_was_asked_for),
	};

	return SUPPORT_MAIN(tests);
}
