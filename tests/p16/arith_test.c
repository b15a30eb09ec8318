#include "p16-rpc-calc/arith.h"

#include "tests/support/support.h"

#include <errno.h>

static int64_t value_of(calc_operation operation, int64_t a, int64_t b)
{
	int64_t value = 4711;

	assert_int_equal(arith_evaluate(operation, a, b, &value), CALC_DONE);
	return value;
}

static void assert_refused(calc_status status, calc_operation operation,
			   int64_t a, int64_t b)
{
	int64_t value = 4711;

	assert_int_equal(arith_evaluate(operation, a, b, &value), status);
	assert_int_equal(value, 4711);
}

static void four_operations_have_their_results(void **state)
{
	(void)state;
	assert_int_equal(value_of(CALC_ADD, 5, 3), 8);
	assert_int_equal(value_of(CALC_SUBTRACT, 5, 8), -3);
	assert_int_equal(value_of(CALC_MULTIPLY, -7, 6), -42);
	assert_int_equal(value_of(CALC_DIVIDE, -7, 2), -3);
	assert_int_equal(value_of(CALC_MULTIPLY, 3000000000, 3000000000),
			 9000000000000000000);
}

static void results_at_the_edge_of_64_bits_are_right(void **state)
{
	(void)state;
	assert_true(value_of(CALC_ADD, INT64_MAX, INT64_MIN) == -1);
	assert_true(value_of(CALC_ADD, INT64_MAX - 1, 1) == INT64_MAX);
	assert_true(value_of(CALC_SUBTRACT, -1, INT64_MAX) == INT64_MIN);
	assert_true(value_of(CALC_MULTIPLY, INT64_MIN, 1) == INT64_MIN);
	assert_true(value_of(CALC_DIVIDE, INT64_MIN, 1) == INT64_MIN);
}

static void results_beyond_64_bits_are_refused(void **state)
{
	(void)state;
	assert_refused(CALC_OVERFLOW, CALC_ADD, INT64_MAX, 1);
	assert_refused(CALC_OVERFLOW, CALC_SUBTRACT, INT64_MIN, 1);
	assert_refused(CALC_OVERFLOW, CALC_MULTIPLY, INT64_MIN, -1);
	assert_refused(CALC_OVERFLOW, CALC_DIVIDE, INT64_MIN, -1);
}

static void division_by_zero_and_no_operation_are_told_apart(void **state)
{
	(void)state;
	assert_refused(CALC_DIVISION_BY_ZERO, CALC_DIVIDE, 1, 0);
	assert_refused(CALC_DIVISION_BY_ZERO, CALC_DIVIDE, 0, 0);
	assert_refused(CALC_NO_OPERATION, 0, 1, 1);
	assert_refused(CALC_NO_OPERATION, CALC_DIVIDE + 1, 1, 1);
}

static void results_of_32_bits_have_their_own_edge(void **state)
{
	int32_t value = 0;

	(void)state;
	assert_int_equal(
		arith_evaluate_32(CALC_ADD, INT32_MAX, INT32_MIN, &value),
		CALC_DONE);
	assert_int_equal(value, -1);
	assert_int_equal(arith_evaluate_32(CALC_MULTIPLY, INT32_MIN, 1, &value),
			 CALC_DONE);
	assert_int_equal(value, INT32_MIN);
	assert_int_equal(arith_evaluate_32(CALC_ADD, INT32_MAX, 1, &value),
			 CALC_OVERFLOW);
	assert_int_equal(arith_evaluate_32(CALC_DIVIDE, INT32_MIN, -1, &value),
			 CALC_OVERFLOW);
	assert_int_equal(arith_evaluate_32(CALC_DIVIDE, 1, 0, &value),
			 CALC_DIVISION_BY_ZERO);
}

static void words_long_and_short_name_an_operation(void **state)
{
	static const struct {
		const char *word;
		calc_operation operation;
		char sign;
	} words[] = {
		{"add", CALC_ADD, '+'},           {"sub", CALC_SUBTRACT, '-'},
		{"subtract", CALC_SUBTRACT, '-'}, {"mul", CALC_MULTIPLY, '*'},
		{"multiply", CALC_MULTIPLY, '*'}, {"div", CALC_DIVIDE, '/'},
		{"divide", CALC_DIVIDE, '/'},
	};
	calc_operation operation;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(arith_parse(words[i].word, &operation), 0);
		assert_int_equal(operation, words[i].operation);
		assert_int_equal(arith_sign(operation), words[i].sign);
	}
	assert_int_equal(arith_parse("", &operation), -EINVAL);
	assert_int_equal(arith_parse("plus", &operation), -EINVAL);
	assert_int_equal(arith_sign(0), '?');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_operations_have_their_results),
		cmocka_unit_test(results_at_the_edge_of_64_bits_are_right),
		cmocka_unit_test(results_beyond_64_bits_are_refused),
		cmocka_unit_test(
			division_by_zero_and_no_operation_are_told_apart),
		cmocka_unit_test(results_of_32_bits_have_their_own_edge),
		cmocka_unit_test(words_long_and_short_name_an_operation),
	};

	return SUPPORT_MAIN(tests);
}
