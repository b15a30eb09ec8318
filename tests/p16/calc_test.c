/* The calculator over each transport, in both versions. */
#include <malloc.h>
#include <stdlib.h>

#include "tests/p16/calc_fixture.h"

static struct fixture f;

static int open_both(void **state)
{
	(void)state;
	fixture_open(&f, 2);
	return 0;
}

static int open_old(void **state)
{
	(void)state;
	fixture_open(&f, 1);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static void both_versions_answer_over_each_transport(void **state)
{
	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			fixture_client(&f, (enum rpc_transport)t, CALC_VERS);
		CLIENT *handle = rpc_client_handle(client);
		calc_answer answer = {0};
		int value = 0;

		assert_int_equal(add_1((operands){5, 3}, &value, handle), 0);
		assert_int_equal(value, 8);
		assert_int_equal(subtract_1((operands){5, -8}, &value, handle),
				 0);
		assert_int_equal(value, 13);
		assert_int_equal(multiply_1((operands){-7, 6}, &value, handle),
				 0);
		assert_int_equal(value, -42);
		rpc_client_set_version(client, CALC_VERS_2);
		assert_int_equal(divide_2((calc_operands){INT64_MIN, 2},
					  &answer, handle),
				 0);
		assert_int_equal(answer.status, CALC_DONE);
		assert_true(answer.calc_answer_u.value == INT64_MIN / 2);
		rpc_client_close(client);
	}
}

static void version_1_gives_no_wrong_number(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS);
	int value = 0;

	(void)state;
	assert_int_equal(add_1((operands){INT32_MAX, 1}, &value,
			       rpc_client_handle(client)),
			 RPC_SYSTEMERROR);
	assert_int_equal(rpc_client_fault(client)->kind, RPC_FAULT_SYSTEM);
	/* And the connection is as good as before. */
	assert_int_equal(add_1((operands){INT32_MAX, -1}, &value,
			       rpc_client_handle(client)),
			 0);
	assert_int_equal(value, INT32_MAX - 1);
	rpc_client_close(client);
}

static struct remote_answer evaluate(struct remote *remote,
				     enum arith_operation operation, int64_t a,
				     int64_t b)
{
	const struct remote_expression e = {operation, a, b};
	struct remote_answer answer = {0};
	struct rpc_fault fault;

	assert_int_equal(remote_evaluate(remote, &e, 1, &answer, &fault), 0);
	return answer;
}

static void answers_can_say_no(void **state)
{
	struct remote *remote = fixture_remote(&f, RPC_TCP);

	(void)state;
	assert_int_equal(evaluate(remote, ARITH_DIVIDE, 1, 0).result, -EDOM);
	assert_int_equal(evaluate(remote, ARITH_ADD, INT64_MAX, 1).result,
			 -EOVERFLOW);
	assert_int_equal(evaluate(remote, ARITH_DIVIDE, INT64_MIN, -1).result,
			 -EOVERFLOW);
	assert_int_equal(evaluate(remote, ARITH_SUBTRACT, 1, 2).value, -1);
	assert_int_equal(remote_version(remote), CALC_VERS_2);
	remote_close(remote);
}

enum { MANY = 2 * CALC_BATCH_MAX + 50 };

static void many_expressions_are_few_calls(void **state)
{
	struct remote *remote = fixture_remote(&f, RPC_UDP);
	struct remote_expression e[MANY];
	struct remote_answer answers[MANY];
	struct rpc_server_counts counts;
	struct rpc_fault fault;

	(void)state;
	for (int i = 0; i < MANY; i++)
		e[i] = (struct remote_expression){ARITH_DIVIDE, 1000, i};
	assert_int_equal(remote_evaluate(remote, e, MANY, answers, &fault), 0);
	assert_int_equal(answers[0].result, -EDOM);
	for (int i = 1; i < MANY; i++) {
		assert_int_equal(answers[i].result, 0);
		assert_int_equal(answers[i].value, 1000 / i);
	}
	rpc_server_count(f.server, &counts);
	/* More, should this machine have been slow to answer. */
	assert_in_range(counts.calls, 3, 30);
	remote_close(remote);
}

static void batch_is_bounded_and_knows_its_operations(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_expression e[CALC_BATCH_MAX + 1] = {{CALC_ADD, {1, 2}},
						 {77, {1, 2}}};
	calc_batch batch = {2, e};
	calc_answers answers = {0};

	(void)state;
	assert_int_equal(batch_2(batch, &answers, rpc_client_handle(client)),
			 0);
	assert_int_equal(answers.calc_answers_len, 2);
	assert_int_equal(answers.calc_answers_val[0].status, CALC_DONE);
	assert_int_equal(answers.calc_answers_val[1].status, CALC_NO_OPERATION);
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&answers);

	answers = (calc_answers){0};
	batch.calc_batch_len = 0;
	assert_int_equal(batch_2(batch, &answers, rpc_client_handle(client)),
			 0);
	assert_int_equal(answers.calc_answers_len, 0);
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&answers);

	batch.calc_batch_len = CALC_BATCH_MAX + 1;
	assert_int_not_equal(
		batch_2(batch, &answers, rpc_client_handle(client)), 0);
	assert_int_equal(rpc_client_fault(client)->kind, RPC_FAULT_ARGS);
	rpc_client_close(client);
}

/* A batch that ends in the middle. */
static bool_t put_half(XDR *xdr, void *batch)
{
	u_int n = CALC_BATCH_MAX;

	return xdr_u_int(xdr, &n) && xdr_calc_expression(xdr, batch);
}

static void undecodable_batches_are_refused_and_pile_up_nowhere(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	int n = support_is_stress()     ? 1000000
		: support_is_valgrind() ? 500
					: 20000;
	calc_expression e = {CALC_ADD, {1, 2}};
	size_t before = mallinfo2().uordblks;
	struct rpc_fault fault;

	(void)state;
	for (int i = 0; i < n; i++)
		assert_int_equal(rpc_client_call(client, BATCH,
						 (xdrproc_t)put_half, &e, NULL,
						 NULL, &fault),
				 RPC_FAULT_GARBAGE_ARGS);
	/* Of each there were 100 expressions decoded, or room for them. */
	assert_true(mallinfo2().uordblks < before + ((size_t)1 << 20));
	rpc_client_close(client);
}

/* Size by size, up to what the transport carries. */
static void assert_echoes(enum rpc_transport transport, u_int max)
{
	struct rpc_client *client = fixture_client(&f, transport, CALC_VERS_2);
	char *block = malloc(max);

	assert_non_null(block);
	for (u_int i = 0; i < max; i++)
		block[i] = (char)(i * 7);
	for (u_int n = 0; n <= max;
	     n = n < max && 3 * n + 1 > max ? max : 3 * n + 1) {
		calc_bytes bytes = {n, block}, back = {0};

		assert_int_equal(
			calc_echo_2(bytes, &back, rpc_client_handle(client)),
			0);
		assert_int_equal(back.calc_bytes_len, n);
		if (n > 0)
			assert_memory_equal(back.calc_bytes_val, block, n);
		xdr_free((xdrproc_t)xdr_calc_bytes, (char *)&back);
	}
	free(block);
	rpc_client_close(client);
}

static void echo_brings_back_every_byte(void **state)
{
	(void)state;
	assert_echoes(RPC_TCP, CALC_ECHO_MAX);
	assert_echoes(RPC_UNIX, CALC_ECHO_MAX);
	assert_echoes(RPC_UDP, 60000);
}

/* ---- a server that has version 1 only ---- */

static void client_falls_back_to_version_1(void **state)
{
	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct remote *remote =
			fixture_remote(&f, (enum rpc_transport)t);

		assert_int_equal(evaluate(remote, ARITH_ADD, 5, 3).value, 8);
		assert_int_equal(remote_version(remote), CALC_VERS);
		assert_int_equal(evaluate(remote, ARITH_MULTIPLY, 7, 6).value,
				 42);
		remote_close(remote);
	}
}

static void batch_falls_back_too(void **state)
{
	const struct remote_expression e[] = {{ARITH_ADD, 5, 3},
					      {ARITH_SUBTRACT, 5, 3},
					      {ARITH_MULTIPLY, 5, 3}};
	struct remote *remote = fixture_remote(&f, RPC_TCP);
	struct remote_answer answers[3];
	struct rpc_fault fault;

	(void)state;
	assert_int_equal(remote_evaluate(remote, e, 3, answers, &fault), 0);
	assert_int_equal(answers[0].value, 8);
	assert_int_equal(answers[1].value, 2);
	assert_int_equal(answers[2].value, 15);
	remote_close(remote);
}

static void what_version_1_cannot_do_is_refused(void **state)
{
	static const struct remote_expression cannot[] = {
		{ARITH_DIVIDE, 4, 2},
		{ARITH_ADD, INT64_C(1) << 31, 0},
		{ARITH_ADD, 0, -(INT64_C(1) << 31) - 1},
	};
	struct remote *remote = fixture_remote(&f, RPC_TCP);
	struct remote_answer answer;
	struct rpc_fault fault;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			remote_evaluate(remote, &cannot[i], 1, &answer, &fault),
			RPC_FAULT_VERSION);
		assert_int_equal(fault.high, CALC_VERS);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(remote_accumulate(remote, 5, &answer, &fault),
				 RPC_FAULT_VERSION);
	/* A number that would not fit is not asked for. */
	assert_int_equal(evaluate(remote, ARITH_ADD, INT32_MAX, 1).result,
			 -EOVERFLOW);
	remote_close(remote);
}

#define CASE(test, open) cmocka_unit_test_setup_teardown(test, open, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_versions_answer_over_each_transport, open_both),
		CASE(version_1_gives_no_wrong_number, open_both),
		CASE(answers_can_say_no, open_both),
		CASE(many_expressions_are_few_calls, open_both),
		CASE(batch_is_bounded_and_knows_its_operations, open_both),
		CASE(undecodable_batches_are_refused_and_pile_up_nowhere,
		     open_both),
		CASE(echo_brings_back_every_byte, open_both),
		CASE(client_falls_back_to_version_1, open_old),
		CASE(batch_falls_back_too, open_old),
		CASE(what_version_1_cannot_do_is_refused, open_old),
	};

	return SUPPORT_MAIN(tests);
}
