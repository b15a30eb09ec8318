/* The four ways side by side, over real sockets: what lies on the wire, what
 * a copy of a call does, and a call in the name of another. Their answers are
 * the table of the README, row by row. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p16-rpc-calc/rpc_client.h"
#include "p16-rpc-calc/rpc_record.h"
#include "p16-rpc-calc/rpc_server.h"
#include "p17-rpc-auth/service.h"
#include "p17-rpc-auth/sums.h"
#include "tests/p17_fixture.h"

#define SOCKET "/tmp/p17_flavors_test.socket"
#define LONG_NS (60 * TICK_S)

enum way { NONE, SYS_TCP, SYS_UNIX, DES, WAYS };

static struct people people;
static struct service service;
static struct rpc_server *server;
static pthread_t thread;
static int stop[2];
static atomic_int to_lose;

static void *run(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)rpc_server_run(server, stop[0]);
}

static bool loses_reply(const struct rpc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return atomic_fetch_sub_explicit(&to_lose, 1, memory_order_relaxed) > 0;
}

static void start_on(enum service_auth auth, uint16_t port)
{
	struct rpc_server_options options = {
		.host = "127.0.0.1",
		.has_tcp = true,
		.has_udp = true,
		.tcp_port = port,
		.unix_path = SOCKET,
		.loses_reply = loses_reply,
	};

	if (auth == SERVICE_DES) {
		const struct authdh_server_options dh = {
			.publics = &people.publics,
			.secret = &people.secret[SERVER],
		};

		assert_int_equal(authdh_server_open(&people.server, &dh), 0);
	}
	service.auth = auth;
	service.dh = people.server;
	policy_init(&service.policy, service_procedures);
	assert_int_equal(policy_add(&service.policy, "* anybody"), 0);
	service_dispatch(&service, &options.dispatch);
	to_lose = 0;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(rpc_server_open(&server, &options), 0);
	assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

static void start(enum service_auth auth)
{
	people_init(&people);
	start_on(auth, 0);
}

static int end(void **state)
{
	void *result;

	(void)state;
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	rpc_server_close(server);
	authdh_server_close(people.server);
	people.server = NULL;
	close(stop[0]);
	close(stop[1]);
	return 0;
}

/* ---- a client that keeps what it sends ---- */

struct exchange {
	uint8_t call[1024]; /* from RPC_RECORD_MARK on */
	size_t call_bytes;
	uint8_t reply[1024];
	size_t reply_bytes;
};

static int connect_to(enum way way)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(server, RPC_TCP)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	bool is_local = way == SYS_UNIX;
	int fd = socket(is_local ? AF_UNIX : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, is_local ? (void *)&local : (void *)&in,
				 is_local ? (socklen_t)sizeof(local)
					  : (socklen_t)sizeof(in)),
			 0);
	return fd;
}

/* The same call again, over a connection of its own. */
static void send_copy(struct exchange *exchange, enum way way)
{
	int fd = connect_to(way);
	struct rpc_record_reader reader;
	uint8_t *reply;
	ssize_t n;

	assert_int_equal(rpc_record_send(fd, exchange->call,
					 exchange->call_bytes, LONG_NS),
			 0);
	rpc_record_init(&reader, fd, sizeof(exchange->reply), LONG_NS);
	n = rpc_record_read(&reader, &reply);
	assert_true(n > 0);
	memcpy(exchange->reply, reply, (size_t)n);
	exchange->reply_bytes = (size_t)n;
	rpc_record_fini(&reader);
	close(fd);
}

static void call_add(struct exchange *exchange, enum way way, AUTH *auth)
{
	sums_operands operands = {70007, 90009};
	uint8_t *to = exchange->call + RPC_RECORD_MARK;
	XDR xdrs;

	to = rpc_call_put32(to, 4711);
	to = rpc_call_put32(to, CALL);
	to = rpc_call_put32(to, RPC_MSG_VERSION);
	to = rpc_call_put32(to, SUMS_PROG);
	to = rpc_call_put32(to, SUMS_VERS);
	to = rpc_call_put32(to, SUMS_ADD);
	xdrmem_create(&xdrs, (char *)to, 512, XDR_ENCODE);
	assert_true(AUTH_MARSHALL(auth, &xdrs));
	assert_true(xdr_sums_operands(&xdrs, &operands));
	exchange->call_bytes = RPC_RECORD_MARK + 24 + xdr_getpos(&xdrs);
	rpc_record_mark(exchange->call, exchange->call_bytes - RPC_RECORD_MARK);
	send_copy(exchange, way);
}

/* "served", or "refused: " and why. */
static void put_answer(char *cell, size_t size, const struct exchange *exchange)
{
	uint32_t status = rpc_call_get32(exchange->reply + 8);

	if (status == MSG_ACCEPTED)
		snprintf(cell, size, "served");
	else
		snprintf(cell, size, "refused: %s",
			 rpc_fault_auth_text((enum auth_stat)rpc_call_get32(
				 exchange->reply + 16)));
}

/* ---- the table ---- */

static bool is_in(const uint8_t *bytes, size_t n, const void *what, size_t size)
{
	return memmem(bytes, n, what, size) != NULL;
}

static bool has_number(const struct exchange *exchange, uint32_t number)
{
	uint8_t wire[4];

	rpc_call_put32(wire, number);
	return is_in(exchange->call, exchange->call_bytes, wire, 4) ||
	       is_in(exchange->reply, exchange->reply_bytes, wire, 4);
}

static void put_seen(char *cell, const struct exchange *exchange, enum way way)
{
	static const char *const names[] = {"machine-x", "unix.1000@test"};

	/* What never leaves the machine is on no wire. */
	if (way == SYS_UNIX) {
		strcpy(cell, "nothing");
		return;
	}
	strcpy(cell, "");
	if (has_number(exchange, 70007) && has_number(exchange, 90009))
		strcat(cell, "operands");
	if (has_number(exchange, 160016))
		strcat(cell, ", result");
	if (has_number(exchange, 54321))
		strcat(cell, ", uid");
	for (int i = 0; i < 2; i++)
		if (is_in(exchange->call, exchange->call_bytes, names[i],
			  strlen(names[i])))
			strcat(cell, i ? ", netname" : ", machine");
	/* Of no way: */
	assert_false(is_in(exchange->call, exchange->call_bytes,
			   people.secret[ALICE].key, DH_KEY));
}

/* With our own uid on the Unix socket, as a true one would be. */
static AUTH *make_auth(enum way way, bool is_spoofed)
{
	uid_t uid = way == SYS_UNIX ? geteuid() : 54321;
	AUTH *auth;

	switch (way) {
	case NONE:
		return authnone_create();
	case DES:
		people.clocks.client = 0;
		if (is_spoofed)
			strcpy(people.secret[BOB].name,
			       people.secret[ALICE].name);
		{
			const struct authdh_client_options options = {
				.secret = &people.secret[is_spoofed ? BOB
								    : ALICE],
				.server = keys_find(&people.publics,
						    people.secret[SERVER].name),
			};

			assert_int_equal(authdh_client_create(&auth, &options),
					 0);
		}
		return auth;
	default:
		auth = authunix_create("machine-x", is_spoofed ? uid + 1 : uid,
				       getegid(), 0, NULL);
		assert_non_null(auth);
		return auth;
	}
}

static void put_row(char *row, size_t size, enum way way)
{
	static const char *const titles[] = {"AUTH_NONE", "AUTH_SYS over TCP",
					     "AUTH_SYS over a Unix socket",
					     "AUTH_DH over TCP"};
	static const enum service_auth auths[] = {SERVICE_NONE, SERVICE_SYS,
						  SERVICE_SYS, SERVICE_DES};
	char seen[128], replayed[64], spoofed[64] = "(nobody is asked)";
	struct exchange exchange;
	AUTH *auth;

	start(auths[way]);
	auth = make_auth(way, false);
	call_add(&exchange, way, auth);
	put_answer(replayed, sizeof(replayed), &exchange);
	assert_string_equal(replayed, "served");
	put_seen(seen, &exchange, way);
	send_copy(&exchange, way);
	put_answer(replayed, sizeof(replayed), &exchange);
	auth_destroy(auth);
	if (way != NONE) {
		auth = make_auth(way, true);
		call_add(&exchange, way, auth);
		put_answer(spoofed, sizeof(spoofed), &exchange);
		auth_destroy(auth);
	}
	end(NULL);
	snprintf(row, size, "| %s | %s | %s | %s |\n", titles[way], seen,
		 replayed, spoofed);
}

static void table_of_the_readme_is_what_happens(void **state)
{
	char *text = calloc(1, 1 << 20), row[512];
	FILE *readme = fopen("p17-rpc-auth/README.md", "r");
	int missing = 0;

	(void)state;
	assert_non_null(text);
	if (readme) {
		assert_true(fread(text, 1, (1 << 20) - 1, readme) > 0);
		fclose(readme);
	}
	for (enum way way = NONE; way < WAYS; way++) {
		put_row(row, sizeof(row), way);
		if (strstr(text, row))
			continue;
		print_error("README.md has no row\n%s", row);
		missing++;
	}
	free(text);
	assert_int_equal(missing, 0);
}

/* ---- through the client ---- */

static struct rpc_client *open_client(enum rpc_transport transport, AUTH *auth)
{
	const struct rpc_client_options options = {
		.transport = transport,
		.host = "127.0.0.1",
		.port = rpc_server_port(server, transport),
		.unix_path = SOCKET,
		.program = SUMS_PROG,
		.version = SUMS_VERS,
		.timeout_ns = LONG_NS,
		.retry_ns = 20 * TICK_MS,
		.retries = 8,
		.may_repeat = true,
	};
	struct rpc_client *client;
	struct rpc_fault fault;

	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_auth(client, auth);
	return client;
}

static enum rpc_fault_kind add(struct rpc_client *client, int a, int b,
			       quad_t *sum, struct rpc_fault *fault)
{
	sums_operands operands = {a, b};

	*sum = 0;
	return rpc_client_call(client, SUMS_ADD, (xdrproc_t)xdr_sums_operands,
			       &operands, (xdrproc_t)xdr_quad_t, sum, fault);
}

static void new_server_is_called_with_the_full_name(void **state)
{
	struct rpc_client *client;
	struct rpc_fault fault;
	uint16_t port;
	AUTH *auth;
	quad_t sum;

	(void)state;
	start(SERVICE_DES);
	auth = make_auth(DES, false);
	client = open_client(RPC_TCP, auth);
	port = rpc_server_port(server, RPC_TCP);
	assert_int_equal(add(client, 1, 2, &sum, &fault), 0);
	assert_int_equal(add(client, 2, 3, &sum, &fault), 0);
	assert_int_equal(authdh_client_fullnames(auth), 1);
	end(NULL);
	start_on(SERVICE_DES, port);
	assert_int_equal(add(client, 3, 4, &sum, &fault), 0);
	assert_int_equal(sum, 7);
	assert_int_equal(authdh_client_fullnames(auth), 2);
	rpc_client_close(client);
	end(NULL);
}

static void lost_reply_comes_from_memory_and_its_verifier_fits(void **state)
{
	struct rpc_server_counts counts;
	struct rpc_client *client;
	struct rpc_fault fault;
	quad_t sum;

	(void)state;
	start(SERVICE_DES);
	client = open_client(RPC_UDP, make_auth(DES, false));
	for (int i = 0; i < 3; i++) {
		to_lose = 2;
		assert_int_equal(add(client, i, 10, &sum, &fault), 0);
		assert_int_equal(sum, i + 10);
	}
	rpc_server_count(server, &counts);
	assert_true(counts.repeated >= 6);
	rpc_client_close(client);
	end(NULL);
}

static void call_that_lost_its_connection_gets_a_new_timestamp(void **state)
{
	struct rpc_client *client;
	struct rpc_fault fault;
	quad_t sum;

	(void)state;
	start(SERVICE_DES);
	client = open_client(RPC_TCP, make_auth(DES, false));
	for (int i = 0; i < 3; i++) {
		to_lose = 1;
		assert_int_equal(add(client, i, 20, &sum, &fault), 0);
		assert_int_equal(sum, i + 20);
	}
	rpc_client_close(client);
	end(NULL);
}

static void weaker_flavors_are_told_so(void **state)
{
	struct rpc_client *client;
	struct rpc_fault fault;
	quad_t sum;

	(void)state;
	start(SERVICE_DES);
	client = open_client(RPC_TCP, NULL);
	assert_int_equal(add(client, 1, 2, &sum, &fault), RPC_FAULT_AUTH);
	assert_int_equal(fault.why, AUTH_TOOWEAK);
	rpc_client_set_auth(client, make_auth(SYS_TCP, false));
	assert_int_equal(add(client, 1, 2, &sum, &fault), RPC_FAULT_AUTH);
	assert_int_equal(fault.why, AUTH_TOOWEAK);
	assert_int_equal(rpc_client_call(client, SUMS_NULL, NULL, NULL, NULL,
					 NULL, &fault),
			 0);
	rpc_client_close(client);
	end(NULL);
	/* And one that it has never heard of. */
	start(SERVICE_SYS);
	client = open_client(RPC_TCP, make_auth(DES, false));
	assert_int_equal(add(client, 1, 2, &sum, &fault), RPC_FAULT_AUTH);
	assert_int_equal(fault.why, AUTH_REJECTEDCRED);
	rpc_client_close(client);
	end(NULL);
}

/* ---- at the same time ---- */

enum { THREADS = 4, CALLS = 20 };

static void *call_often(void *arg)
{
	struct rpc_client *client = open_client(RPC_TCP, arg);
	struct rpc_fault fault;
	intptr_t failed = 0;
	quad_t sum;

	for (int i = 0; i < CALLS; i++)
		if (add(client, i, i, &sum, &fault) || sum != 2 * i)
			failed++;
	rpc_client_close(client);
	return (void *)failed;
}

static void many_conversations_go_on_at_the_same_time(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	start(SERVICE_DES);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often,
						make_auth(DES, false)),
				 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	end(NULL);
}

static struct message copied;
static atomic_int taken;

static void *ask_once(void *arg)
{
	struct rpc_identity who;
	struct rpc_verifier verf;

	(void)arg;
	if (message_ask(&people, &copied, &who, &verf) == AUTH_OK)
		atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
	return NULL;
}

static void of_copies_at_the_same_time_one_is_taken(void **state)
{
	pthread_t threads[THREADS];
	AUTH *alice;

	(void)state;
	people_init(&people);
	people_open_server(&people, 0);
	alice = people_client(&people, ALICE);
	for (int round = 0; round < 50; round++) {
		message_make(&copied, alice);
		taken = 0;
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
							ask_once, NULL),
					 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(taken, 1);
	}
	auth_destroy(alice);
	authdh_server_close(people.server);
	people.server = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_the_readme_is_what_happens),
		cmocka_unit_test(new_server_is_called_with_the_full_name),
		cmocka_unit_test(
			lost_reply_comes_from_memory_and_its_verifier_fits),
		cmocka_unit_test(
			call_that_lost_its_connection_gets_a_new_timestamp),
		cmocka_unit_test(weaker_flavors_are_told_so),
		cmocka_unit_test(many_conversations_go_on_at_the_same_time),
		cmocka_unit_test(of_copies_at_the_same_time_one_is_taken),
	};
	return SUPPORT_MAIN(tests);
}
