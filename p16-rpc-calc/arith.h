/* arith.h - whole numbers of 64 bits, and what is no such number.
 *
 * The calculator without RPC. Nothing is allocated; any thread may call.
 */
#ifndef UNIXIPC_P16_RPC_CALC_ARITH_H
#define UNIXIPC_P16_RPC_CALC_ARITH_H

#include <stdint.h>

enum arith_operation {
	ARITH_ADD = 1,
	ARITH_SUBTRACT,
	ARITH_MULTIPLY,
	ARITH_DIVIDE, /* towards zero, as C does */
};

/* Returns 0 and *value; -EOVERFLOW when the result has no place in 64 bits
 * (the smallest number divided by -1 has none either), -EDOM for a division by
 * zero, -EINVAL for an operation that is none. */
int arith_evaluate(enum arith_operation operation, int64_t a, int64_t b,
		   int64_t *value);

/* The same in 32 bits. */
int arith_evaluate_32(enum arith_operation operation, int32_t a, int32_t b,
		      int32_t *value);

/* "add", "sub", "subtract", "mul", "multiply", "div", "divide". Returns 0 and
 * *operation, or -EINVAL. */
int arith_parse(const char *word, enum arith_operation *operation);

/* How people write it: '+', '-', '*', '/'. */
char arith_sign(enum arith_operation operation);

#endif
