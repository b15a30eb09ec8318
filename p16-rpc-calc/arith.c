#include "p16-rpc-calc/arith.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

calc_status arith_evaluate(calc_operation operation, int64_t a, int64_t b,
			   int64_t *value)
{
	int64_t result = 0;
	bool overflows;

	switch (operation) {
	case CALC_ADD:
		overflows = __builtin_add_overflow(a, b, &result);
		break;
	case CALC_SUBTRACT:
		overflows = __builtin_sub_overflow(a, b, &result);
		break;
	case CALC_MULTIPLY:
		overflows = __builtin_mul_overflow(a, b, &result);
		break;
	case CALC_DIVIDE:
		if (b == 0)
			return CALC_DIVISION_BY_ZERO;
		/* On most processors a trap, not a wrong number. */
		overflows = a == INT64_MIN && b == -1;
		if (!overflows)
			result = a / b;
		break;
	default:
		return CALC_NO_OPERATION;
	}
	if (overflows)
		return CALC_OVERFLOW;
	*value = result;
	return CALC_DONE;
}

calc_status arith_evaluate_32(calc_operation operation, int32_t a, int32_t b,
			      int32_t *value)
{
	int64_t result;
	calc_status status = arith_evaluate(operation, a, b, &result);

	if (status)
		return status;
	if (result < INT32_MIN || result > INT32_MAX)
		return CALC_OVERFLOW;
	*value = (int32_t)result;
	return CALC_DONE;
}

static const struct {
	const char *word, *long_word;
	char sign;
} operations[] = {
	[CALC_ADD] = {"add", "add", '+'},
	[CALC_SUBTRACT] = {"sub", "subtract", '-'},
	[CALC_MULTIPLY] = {"mul", "multiply", '*'},
	[CALC_DIVIDE] = {"div", "divide", '/'},
};

int arith_parse(const char *word, calc_operation *operation)
{
	for (int i = CALC_ADD; i <= CALC_DIVIDE; i++)
		if (strcmp(word, operations[i].word) == 0 ||
		    strcmp(word, operations[i].long_word) == 0) {
			*operation = (calc_operation)i;
			return 0;
		}
	return -EINVAL;
}

char arith_sign(calc_operation operation)
{
	return operation >= CALC_ADD && operation <= CALC_DIVIDE
		       ? operations[operation].sign
		       : '?';
}
