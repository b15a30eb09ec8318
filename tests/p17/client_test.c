/* Conversations through the client, over real sockets: servers that are
 * started anew, replies and connections that are lost, many at a time. */
#include "lib/rpc/rpc_client.h"
#include "tests/p17/server.h"

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

static struct message replayed;
static atomic_int taken;

static void *ask_once(void *arg)
{
	struct rpc_identity who;
	struct rpc_verifier verf;

	(void)arg;
	if (message_ask(&people, &replayed, &who, &verf) == AUTH_OK)
		atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
	return NULL;
}

static void of_replays_at_the_same_time_one_is_taken(void **state)
{
	pthread_t threads[THREADS];
	AUTH *alice;

	(void)state;
	people_init(&people);
	people_open_server(&people, 0);
	alice = people_client(&people, ALICE);
	for (int round = 0; round < 50; round++) {
		message_make(&replayed, alice);
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
		cmocka_unit_test(new_server_is_called_with_the_full_name),
		cmocka_unit_test(
			lost_reply_comes_from_memory_and_its_verifier_fits),
		cmocka_unit_test(
			call_that_lost_its_connection_gets_a_new_timestamp),
		cmocka_unit_test(weaker_flavors_are_told_so),
		cmocka_unit_test(many_conversations_go_on_at_the_same_time),
		cmocka_unit_test(of_replays_at_the_same_time_one_is_taken),
	};
	return SUPPORT_MAIN(tests);
}
