/* The calculator of p02-fifo/expr.h. */
#include "p02-fifo/expr.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

static void assert_value(const char *text, int64_t wanted)
{
	int64_t value;

	if (expr_evaluate(text, &value) != EXPR_OK || value != wanted)
		fail_msg("%s: wanted %lld, got %lld", text, (long long)wanted,
			 (long long)value);
}

static void assert_error(const char *text, enum expr_error wanted,
			 int64_t column)
{
	int64_t value = 0;
	enum expr_error error = expr_evaluate(text, &value);

	if (error != wanted || value != column)
		fail_msg("%s: wanted '%s' at %lld, got '%s' at %lld", text,
			 expr_error_text(wanted), (long long)column,
			 expr_error_text(error), (long long)value);
}

static void products_bind_tighter_than_sums(void **state)
{
	(void)state;
	assert_value("5 + 3", 8);
	assert_value("10 * 4", 40);
	assert_value("2+3*4", 14);
	assert_value("2*3+4*5-6/2", 23);
	assert_value("17 % 5 + 1", 3);
	assert_value("(2+3)*4", 20);
	assert_value("\t 7 ", 7);
}

static void equal_operators_group_from_the_left(void **state)
{
	(void)state;
	assert_value("10-3-2", 5);
	assert_value("100/10/5", 2);
	assert_value("7*6%5", 2);
	assert_value("7%5*6", 12);
}

static void signs_may_stand_anywhere_a_number_may(void **state)
{
	(void)state;
	assert_value("-5 + 3", -2);
	assert_value("2 - -3", 5);
	assert_value("--4", 4);
	assert_value("-(2+3)", -5);
	assert_value("+7", 7);
	assert_value("2*-3", -6);
	assert_value("- 1", -1);
}

static void division_truncates_towards_zero(void **state)
{
	(void)state;
	assert_value("-7/2", -3);
	assert_value("-7%2", -1);
	assert_value("7/-2", -3);
	assert_value("7%-2", 1);
}

static void the_ends_of_the_range_are_numbers(void **state)
{
	(void)state;
	assert_value("9223372036854775807", INT64_MAX);
	assert_value("-9223372036854775808", INT64_MIN);
	assert_value("-9223372036854775807 - 1", INT64_MIN);
	assert_value("-9223372036854775808 % -1", 0);
}

static void beyond_the_range_is_an_error(void **state)
{
	(void)state;
	assert_error("9223372036854775808", EXPR_OVERFLOW, 1);
	assert_error("1 + 9223372036854775807", EXPR_OVERFLOW, 3);
	assert_error("-9223372036854775808 - 1", EXPR_OVERFLOW, 22);
	assert_error("-9223372036854775808 / -1", EXPR_OVERFLOW, 22);
	assert_error("4294967296 * 4294967296", EXPR_OVERFLOW, 12);
	assert_error("-(-9223372036854775808)", EXPR_OVERFLOW, 1);
	assert_error("99999999999999999999999999", EXPR_OVERFLOW, 1);
}

static void division_by_zero_is_an_error(void **state)
{
	(void)state;
	assert_error("1/0", EXPR_DIVISION_BY_ZERO, 2);
	assert_error("1 % (2-2)", EXPR_DIVISION_BY_ZERO, 3);
}

static void what_is_no_expression_is_an_error_with_its_column(void **state)
{
	(void)state;
	assert_error("", EXPR_SYNTAX, 1);
	assert_error("  ", EXPR_SYNTAX, 3);
	assert_error("1 +", EXPR_SYNTAX, 4);
	assert_error("1 2", EXPR_SYNTAX, 3);
	assert_error("(1", EXPR_SYNTAX, 3);
	assert_error("1)", EXPR_SYNTAX, 2);
	assert_error("a", EXPR_SYNTAX, 1);
	assert_error("1 ** 2", EXPR_SYNTAX, 4);
	assert_error("1.5", EXPR_SYNTAX, 2);
}

static void nesting_is_bounded(void **state)
{
	char text[2 * EXPR_DEPTH_MAX + 4] = "";

	(void)state;
	memset(text, '(', EXPR_DEPTH_MAX);
	text[EXPR_DEPTH_MAX] = '1';
	memset(text + EXPR_DEPTH_MAX + 1, ')', EXPR_DEPTH_MAX);
	assert_value(text, 1);
	memset(text, '(', EXPR_DEPTH_MAX + 1);
	assert_error(text, EXPR_TOO_DEEP, EXPR_DEPTH_MAX + 1);
	memset(text, '-', EXPR_DEPTH_MAX + 1);
	assert_error(text, EXPR_TOO_DEEP, EXPR_DEPTH_MAX + 1);
}

static void what_stands_side_by_side_is_not_nested(void **state)
{
	char text[4 * (EXPR_DEPTH_MAX + 1) + 2] = "", *end = text;

	(void)state;
	for (int i = 0; i <= EXPR_DEPTH_MAX; i++)
		end = stpcpy(end, "(1)+");
	stpcpy(end, "1");
	assert_value(text, EXPR_DEPTH_MAX + 2);
}

static void each_error_has_words_and_a_number_that_is_none(void **state)
{
	(void)state;
	for (unsigned int error = 0; error < EXPR_ERRORS; error++)
		assert_string_not_equal(expr_error_text((enum expr_error)error),
					"unknown error");
	assert_string_equal(expr_error_text(EXPR_ERRORS), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_bind_tighter_than_sums),
		cmocka_unit_test(equal_operators_group_from_the_left),
		cmocka_unit_test(signs_may_stand_anywhere_a_number_may),
		cmocka_unit_test(division_truncates_towards_zero),
		cmocka_unit_test(the_ends_of_the_range_are_numbers),
		cmocka_unit_test(beyond_the_range_is_an_error),
		cmocka_unit_test(division_by_zero_is_an_error),
		cmocka_unit_test(
			what_is_no_expression_is_an_error_with_its_column),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(what_stands_side_by_side_is_not_nested),
		cmocka_unit_test(
			each_error_has_words_and_a_number_that_is_none),
	};

	return SUPPORT_MAIN(tests);
}
