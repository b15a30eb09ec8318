/* At most once: replies are lost on purpose, after the work was done. */
#include "tests/p16/calc_fixture.h"

static struct fixture f;

static int open_it(void **state)
{
	(void)state;
	fixture_open(&f, 2);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static int64_t accumulate(struct remote *remote, int64_t amount)
{
	calc_answer answer = {0};
	struct rpc_fault fault;

	assert_int_equal(remote_accumulate(remote, amount, &answer, &fault), 0);
	assert_int_equal(answer.status, CALC_DONE);
	return answer.calc_answer_u.value;
}

static struct accumulator_counts counts(void)
{
	return accumulator_counts(f.service.accumulator);
}

static void requests_are_done_in_their_order(void **state)
{
	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct remote *remote =
			fixture_remote(&f, (enum rpc_transport)t);

		assert_int_equal(accumulate(remote, 10), 7 * t + 10);
		assert_int_equal(accumulate(remote, -3), 7 * t + 7);
		remote_close(remote);
	}
	assert_int_equal(counts().added, 6);
	assert_int_equal(counts().clients, 3);
}

static void lost_datagrams_are_repeated_and_done_once(void **state)
{
	struct remote *remote = fixture_remote(&f, RPC_UDP);
	struct rpc_server_counts server;

	(void)state;
	f.to_lose = 2;
	assert_int_equal(accumulate(remote, 5), 5);
	assert_int_equal(counts().added, 1);
	rpc_server_count(f.server, &server);
	/* The first reply, kept: the calculator was not asked again. */
	assert_true(server.repeated >= 2);
	assert_int_equal(counts().repeated, 0);
	remote_close(remote);
}

static void lost_connections_are_made_again_and_calls_done_once(void **state)
{
	const enum rpc_transport streams[] = {RPC_TCP, RPC_UNIX};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct remote *remote = fixture_remote(&f, streams[i]);
		struct rpc_server_counts server;

		f.to_lose = 3;
		assert_int_equal(accumulate(remote, 5), 5 * (i + 1));
		assert_int_equal(counts().added, i + 1);
		/* By the request's name: nothing else knows it again. */
		assert_int_equal(counts().repeated, 3 * (i + 1));
		rpc_server_count(f.server, &server);
		assert_int_equal(server.connections, 4 * (i + 1));
		remote_close(remote);
	}
}

/* ---- the name of a request, by hand ---- */

static int64_t call(struct rpc_client *client, uint64_t who, uint64_t sequence,
		    calc_status *status)
{
	calc_accumulation request = {{who, sequence}, 5};
	struct rpc_fault fault;
	calc_answer answer;

	assert_int_equal(calc_accumulate_2(client, &request, &answer, &fault),
			 0);
	*status = answer.status;
	return answer.status == CALC_DONE ? answer.calc_answer_u.value : -1;
}

static void same_request_over_another_transport_is_known(void **state)
{
	calc_status status;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int t = 0; t < RPC_TRANSPORTS; t++) {
			struct rpc_client *client = fixture_client(
				&f, (enum rpc_transport)t, CALC_VERS_2);

			assert_int_equal(call(client, 4711, 1, &status), 5);
			rpc_client_close(client);
		}
	assert_int_equal(counts().added, 1);
	assert_int_equal(counts().repeated, 5);
}

static void late_request_is_refused(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_status status;

	(void)state;
	call(client, 4711, 1, &status);
	call(client, 4711, 2, &status);
	call(client, 4711, 1, &status);
	assert_int_equal(status, CALC_OUT_OF_ORDER);
	call(client, 4711, 4, &status);
	assert_int_equal(status, CALC_OUT_OF_ORDER);
	assert_int_equal(call(client, 4711, 3, &status), 15);
	rpc_client_close(client);
}

static void one_client_too_many_is_told_so(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_status status;

	(void)state;
	for (uint64_t i = 1; i <= 64; i++)
		assert_int_equal(call(client, i, 1, &status), 5 * i);
	call(client, 65, 1, &status);
	assert_int_equal(status, CALC_TOO_MANY_CLIENTS);
	assert_int_equal(call(client, 1, 2, &status), 5 * 65);
	rpc_client_close(client);
}

/* ---- many at once ---- */

enum { CLIENTS = 6, REQUESTS = 30 };

static void *accumulate_many(void *remote)
{
	calc_answer answer = {0};
	struct rpc_fault fault;

	for (int i = 0; i < REQUESTS; i++)
		if (remote_accumulate(remote, 1, &answer, &fault) ||
		    answer.status)
			return remote;
	return NULL;
}

static void every_third_reply_lost_and_the_sum_is_right(void **state)
{
	struct remote *remotes[CLIENTS], *last;
	pthread_t threads[CLIENTS];

	(void)state;
	f.every = 3;
	for (int i = 0; i < CLIENTS; i++)
		remotes[i] = fixture_remote(&f, i % 2 ? RPC_TCP : RPC_UNIX);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						accumulate_many, remotes[i]),
				 0);
	for (int i = 0; i < CLIENTS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
		remote_close(remotes[i]);
	}
	assert_int_equal(counts().added, CLIENTS * REQUESTS);
	assert_true(counts().repeated > 0);
	last = fixture_remote(&f, RPC_TCP);
	assert_int_equal(accumulate(last, 0), CLIENTS * REQUESTS);
	remote_close(last);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_it, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(requests_are_done_in_their_order),
		CASE(lost_datagrams_are_repeated_and_done_once),
		CASE(lost_connections_are_made_again_and_calls_done_once),
		CASE(same_request_over_another_transport_is_known),
		CASE(late_request_is_refused),
		CASE(one_client_too_many_is_told_so),
		CASE(every_third_reply_lost_and_the_sum_is_right),
	};

	return SUPPORT_MAIN(tests);
}
