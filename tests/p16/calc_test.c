/* The calculator over each transport, in both versions. */
#include <malloc.h>
#include <stdlib.h>

#include "tests/p16/calc_fixture.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

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
		struct rpc_fault fault = {0};
		calc_answer answer;
		int value = 0;

		assert_int_equal(
			calc_add_1(client, &(operands){5, 3}, &value, &fault),
			0);
		assert_int_equal(value, 8);
		/* Each call is of its own version, whatever was called last. */
		assert_int_equal(calc_divide_2(client,
					       &(calc_operands){INT64_MIN, 2},
					       &answer, &fault),
				 0);
		assert_int_equal(answer.status, CALC_DONE);
		assert_true(answer.calc_answer_u.value == INT64_MIN / 2);
		assert_int_equal(calc_subtract_1(client, &(operands){5, -8},
						 &value, &fault),
				 0);
		assert_int_equal(value, 13);
		assert_int_equal(calc_multiply_1(client, &(operands){-7, 6},
						 &value, &fault),
				 0);
		assert_int_equal(value, -42);
		rpc_client_close(client);
	}
}

static void version_1_gives_no_wrong_number(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS);
	struct rpc_fault fault = {0};
	int value = 7;

	(void)state;
	assert_int_equal(
		calc_add_1(client, &(operands){INT32_MAX, 1}, &value, &fault),
		RPC_FAULT_SYSTEM);
	assert_int_equal(value, 0);
	assert_int_equal(calc_subtract_1(client, &(operands){INT32_MIN, 1},
					 &value, &fault),
			 RPC_FAULT_SYSTEM);
	assert_int_equal(calc_multiply_1(client, &(operands){INT32_MIN, -1},
					 &value, &fault),
			 RPC_FAULT_SYSTEM);
	/* And the connection is as good as before. */
	assert_int_equal(
		calc_add_1(client, &(operands){INT32_MAX, -1}, &value, &fault),
		0);
	assert_int_equal(value, INT32_MAX - 1);
	rpc_client_close(client);
}

/* ---- the table that is made of calc.x ---- */

struct row {
	uint32_t version, number;
	const char *name;
	size_t max_args_bytes, max_result_bytes;
	unsigned int flags;
};

enum { PURE = RPC_IDEMPOTENT | RPC_QUICK };

/* By hand, from RFC 4506: an int, an enum and a length are 4 bytes, a hyper is
 * 8, what is opaque is filled up to a multiple of 4. */
static const struct row golden[] = {
	{CALC_VERS, 0, "null", 0, 0, RPC_IDEMPOTENT},
	{CALC_VERS, 1, "add", 8, 4, PURE},
	{CALC_VERS, 2, "subtract", 8, 4, PURE},
	{CALC_VERS, 3, "multiply", 8, 4, PURE},
	{CALC_VERS_2, 0, "null", 0, 0, PURE},
	{CALC_VERS_2, 1, "add", 16, 12, PURE},
	{CALC_VERS_2, 2, "subtract", 16, 12, PURE},
	{CALC_VERS_2, 3, "multiply", 16, 12, PURE},
	{CALC_VERS_2, 4, "divide", 16, 12, PURE},
	{CALC_VERS_2, 5, "batch", 4 + 100 * 20, 4 + 100 * 12, PURE},
	{CALC_VERS_2, 6, "accumulate", 24, 12, RPC_QUICK},
	{CALC_VERS_2, 7, "echo", 4 + 65536, 4 + 65536, PURE},
};

static void table_is_what_calc_x_says(void **state)
{
	const struct row *row = golden;

	(void)state;
	assert_int_equal(CALC_PROGRAMS, 2);
	for (size_t i = 0; i < CALC_PROGRAMS; i++) {
		const struct rpc_program *program = &calc_programs[i];

		assert_int_equal(program->program, 0x31230000);
		for (size_t j = 0; j < program->n_procedures; j++, row++) {
			const struct rpc_procedure *p = &program->procedures[j];

			assert_true(row < golden + COUNT(golden));
			assert_int_equal(program->version, row->version);
			assert_int_equal(p->number, row->number);
			assert_string_equal(p->name, row->name);
			assert_int_equal(p->max_args_bytes,
					 row->max_args_bytes);
			assert_int_equal(p->max_result_bytes,
					 row->max_result_bytes);
			assert_int_equal(p->flags, row->flags);
		}
	}
	assert_ptr_equal(row, golden + COUNT(golden));
}

static void largest_values_fill_their_bounds(void **state)
{
	static calc_expression expressions[CALC_BATCH_MAX] = {{CALC_ADD, {0}}};
	static calc_answer answers[CALC_BATCH_MAX]; /* CALC_DONE, the longest */
	static char block[CALC_ECHO_MAX];
	calc_batch batch = {CALC_BATCH_MAX, expressions};
	calc_answers results = {CALC_BATCH_MAX, answers};
	calc_bytes bytes = {CALC_ECHO_MAX, block};
	const struct rpc_procedure *table = calc_programs[1].procedures;

	(void)state;
	assert_int_equal(xdr_sizeof((xdrproc_t)xdr_calc_batch, &batch),
			 table[BATCH].max_args_bytes);
	assert_int_equal(xdr_sizeof((xdrproc_t)xdr_calc_answers, &results),
			 table[BATCH].max_result_bytes);
	assert_int_equal(xdr_sizeof((xdrproc_t)xdr_calc_bytes, &bytes),
			 table[CALC_ECHO].max_args_bytes);
}

/* ---- version 2 ---- */

static calc_answer evaluate(struct calcclient *calc, calc_operation operation,
			    int64_t a, int64_t b)
{
	const calc_expression e = {operation, {a, b}};
	calc_answer answer = {0};
	struct rpc_fault fault;

	assert_int_equal(calcclient_evaluate(calc, &e, 1, &answer, &fault), 0);
	return answer;
}

static void assert_value(calc_answer answer, int64_t value)
{
	assert_int_equal(answer.status, CALC_DONE);
	assert_int_equal(answer.calc_answer_u.value, value);
}

static void answers_can_say_no(void **state)
{
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);

	(void)state;
	assert_int_equal(evaluate(calc, CALC_DIVIDE, 1, 0).status,
			 CALC_DIVISION_BY_ZERO);
	assert_int_equal(evaluate(calc, CALC_ADD, INT64_MAX, 1).status,
			 CALC_OVERFLOW);
	assert_int_equal(evaluate(calc, CALC_DIVIDE, INT64_MIN, -1).status,
			 CALC_OVERFLOW);
	assert_value(evaluate(calc, CALC_SUBTRACT, 1, 2), -1);
	assert_int_equal(calcclient_version(calc), CALC_VERS_2);
	calcclient_close(calc);
}

enum { MANY = 2 * CALC_BATCH_MAX + 50 };

static void many_expressions_are_few_calls(void **state)
{
	struct calcclient *calc = fixture_calcclient(&f, RPC_UDP);
	calc_expression e[MANY];
	calc_answer answers[MANY];
	struct rpc_server_counts counts;
	struct rpc_fault fault;

	(void)state;
	for (int i = 0; i < MANY; i++)
		e[i] = (calc_expression){CALC_DIVIDE, {1000, i}};
	assert_int_equal(calcclient_evaluate(calc, e, MANY, answers, &fault),
			 0);
	assert_int_equal(answers[0].status, CALC_DIVISION_BY_ZERO);
	for (int i = 1; i < MANY; i++)
		assert_value(answers[i], 1000 / i);
	rpc_server_count(f.server, &counts);
	/* More, should this machine have been slow to answer. */
	assert_in_range(counts.calls, 3, 30);
	calcclient_close(calc);
}

static void batch_is_bounded_and_knows_its_operations(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_expression e[CALC_BATCH_MAX + 1] = {{CALC_ADD, {1, 2}},
						 {77, {1, 2}}};
	calc_batch batch = {2, e};
	struct rpc_fault fault;
	calc_answers answers;

	(void)state;
	assert_int_equal(calc_batch_2(client, &batch, &answers, &fault), 0);
	assert_int_equal(answers.calc_answers_len, 2);
	assert_int_equal(answers.calc_answers_val[0].status, CALC_DONE);
	assert_int_equal(answers.calc_answers_val[1].status, CALC_NO_OPERATION);
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&answers);

	batch.calc_batch_len = 0;
	assert_int_equal(calc_batch_2(client, &batch, &answers, &fault), 0);
	assert_int_equal(answers.calc_answers_len, 0);
	xdr_free((xdrproc_t)xdr_calc_answers, (char *)&answers);

	batch.calc_batch_len = CALC_BATCH_MAX + 1;
	assert_int_equal(calc_batch_2(client, &batch, &answers, &fault),
			 RPC_FAULT_ARGS);
	rpc_client_close(client);
}

static u_int n_answers;

static int serve_so_many(const struct rpc_request *request, void *args,
			 void *result)
{
	calc_answers *answers = result;

	(void)request, (void)args;
	answers->calc_answers_val = calloc(n_answers, sizeof(calc_answer));
	answers->calc_answers_len = n_answers;
	return answers->calc_answers_val ? 0 : -ENOMEM;
}

static void as_many_answers_are_taken_as_were_asked_for(void **state)
{
	struct rpc_procedure batch = {0}; /* alone */
	struct rpc_program program = calc_programs[1];
	const calc_expression e[2] = {{CALC_ADD, {1, 2}}, {CALC_ADD, {3, 4}}};
	struct calcclient *calc;
	struct rpc_fault fault;
	calc_answer answers[2];

	(void)state;
	for (size_t i = 0; i < program.n_procedures; i++)
		if (program.procedures[i].number == BATCH)
			batch = program.procedures[i];
	batch.serve = serve_so_many;
	program.procedures = &batch;
	program.n_procedures = 1;
	fixture_open_programs(&f, &program, 1);
	calc = fixture_calcclient(&f, RPC_TCP);
	for (n_answers = 1; n_answers <= 3; n_answers++)
		assert_int_equal(
			calcclient_evaluate(calc, e, 2, answers, &fault),
			n_answers == 2 ? RPC_FAULT_NONE : RPC_FAULT_BAD_REPLY);
	calcclient_close(calc);
	fixture_close(&f);
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
		calc_bytes bytes = {n, block}, back;
		struct rpc_fault fault;

		assert_int_equal(calc_echo_2(client, &bytes, &back, &fault), 0);
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
		struct calcclient *calc =
			fixture_calcclient(&f, (enum rpc_transport)t);

		assert_value(evaluate(calc, CALC_ADD, 5, 3), 8);
		assert_int_equal(calcclient_version(calc), CALC_VERS);
		assert_value(evaluate(calc, CALC_MULTIPLY, 7, 6), 42);
		calcclient_close(calc);
	}
}

/* One of a later time, which has forgotten both. */
static void client_falls_back_on_nothing_that_is_not_there(void **state)
{
	struct rpc_program later = calc_programs[1];
	const calc_expression e = {CALC_ADD, {1, 2}};
	struct calcclient *calc;
	struct rpc_fault fault;
	calc_answer answer;

	(void)state;
	later.version = CALC_VERS_2 + 1;
	fixture_open_programs(&f, &later, 1);
	calc = fixture_calcclient(&f, RPC_TCP);
	assert_int_equal(calcclient_evaluate(calc, &e, 1, &answer, &fault),
			 RPC_FAULT_VERSION);
	assert_int_equal(fault.low, CALC_VERS_2 + 1);
	assert_int_equal(calcclient_version(calc), CALC_VERS_2);
	calcclient_close(calc);
	fixture_close(&f);
}

static void batch_falls_back_too(void **state)
{
	const calc_expression e[] = {{CALC_ADD, {5, 3}},
				     {CALC_SUBTRACT, {5, 3}},
				     {CALC_MULTIPLY, {5, 3}}};
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);
	calc_answer answers[3];
	struct rpc_fault fault;

	(void)state;
	assert_int_equal(calcclient_evaluate(calc, e, 3, answers, &fault), 0);
	assert_value(answers[0], 8);
	assert_value(answers[1], 2);
	assert_value(answers[2], 15);
	calcclient_close(calc);
}

static void what_version_1_cannot_do_is_refused(void **state)
{
	static const calc_expression cannot[] = {
		{CALC_DIVIDE, {4, 2}},
		{CALC_ADD, {INT64_C(1) << 31, 0}},
		{CALC_ADD, {0, -(INT64_C(1) << 31) - 1}},
	};
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);
	calc_answer answer;
	struct rpc_fault fault;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calcclient_evaluate(calc, &cannot[i], 1,
						     &answer, &fault),
				 RPC_FAULT_VERSION);
		assert_int_equal(fault.high, CALC_VERS);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			calcclient_accumulate(calc, 5, &answer, &fault),
			RPC_FAULT_VERSION);
	/* A number that would not fit is not asked for. */
	assert_int_equal(evaluate(calc, CALC_ADD, INT32_MAX, 1).status,
			 CALC_OVERFLOW);
	calcclient_close(calc);
}

#define CASE(test, open) cmocka_unit_test_setup_teardown(test, open, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_versions_answer_over_each_transport, open_both),
		CASE(version_1_gives_no_wrong_number, open_both),
		cmocka_unit_test(table_is_what_calc_x_says),
		cmocka_unit_test(largest_values_fill_their_bounds),
		CASE(answers_can_say_no, open_both),
		CASE(many_expressions_are_few_calls, open_both),
		CASE(batch_is_bounded_and_knows_its_operations, open_both),
		cmocka_unit_test(as_many_answers_are_taken_as_were_asked_for),
		CASE(undecodable_batches_are_refused_and_pile_up_nowhere,
		     open_both),
		CASE(echo_brings_back_every_byte, open_both),
		CASE(client_falls_back_to_version_1, open_old),
		CASE(batch_falls_back_too, open_old),
		cmocka_unit_test(
			client_falls_back_on_nothing_that_is_not_there),
		CASE(what_version_1_cannot_do_is_refused, open_old),
	};

	return SUPPORT_MAIN(tests);
}
