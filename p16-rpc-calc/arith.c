#include "p16-rpc-calc/arith.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static int divide(int64_t a, int64_t b, int64_t *value)
{
	if (b == 0)
		return -EDOM;
	/* On most processors a trap, not a wrong number. */
	if (a == INT64_MIN && b == -1)
		return -EOVERFLOW;
	*value = a / b;
	return 0;
}

int arith_evaluate(enum arith_operation operation, int64_t a, int64_t b,
		   int64_t *value)
{
	int64_t result = 0;
	bool overflows;

	switch (operation) {
	case ARITH_ADD:
		overflows = __builtin_add_overflow(a, b, &result);
		break;
	case ARITH_SUBTRACT:
		overflows = __builtin_sub_overflow(a, b, &result);
		break;
	case ARITH_MULTIPLY:
		overflows = __builtin_mul_overflow(a, b, &result);
		break;
	case ARITH_DIVIDE:
		return divide(a, b, value);
	default:
		return -EINVAL;
	}
	if (overflows)
		return -EOVERFLOW;
	*value = result;
	return 0;
}

int arith_evaluate_32(enum arith_operation operation, int32_t a, int32_t b,
		      int32_t *value)
{
	int64_t result;
	int r = arith_evaluate(operation, a, b, &result);

	if (r)
		return r;
	if (result < INT32_MIN || result > INT32_MAX)
		return -EOVERFLOW;
	*value = (int32_t)result;
	return 0;
}

int arith_parse(const char *word, enum arith_operation *operation)
{
	static const char *const words[][2] = {
		[ARITH_ADD] = {"add", "add"},
		[ARITH_SUBTRACT] = {"sub", "subtract"},
		[ARITH_MULTIPLY] = {"mul", "multiply"},
		[ARITH_DIVIDE] = {"div", "divide"},
	};

	for (int i = ARITH_ADD; i <= ARITH_DIVIDE; i++)
		if (strcmp(word, words[i][0]) == 0 ||
		    strcmp(word, words[i][1]) == 0) {
			*operation = (enum arith_operation)i;
			return 0;
		}
	return -EINVAL;
}

char arith_sign(enum arith_operation operation)
{
	return operation >= ARITH_ADD && operation <= ARITH_DIVIDE
		       ? "?+-*/"[operation]
		       : '?';
}
