/* arith.h - whole numbers of 64 bits, and what is no such number.
 *
 * The calculator without RPC, in the words of calc.x. Nothing is allocated; any
 * thread may call.
 */
#ifndef UNIXIPC_P16_RPC_CALC_ARITH_H
#define UNIXIPC_P16_RPC_CALC_ARITH_H

#include <stdint.h>

#include "p16-rpc-calc/calc.h"

/* Division is towards zero, as in C. Returns CALC_DONE and *value; CALC_OVERFLOW
 * when the result has no place in 64 bits (the smallest number divided by -1
 * has none either), CALC_DIVISION_BY_ZERO, CALC_NO_OPERATION. */
calc_status arith_evaluate(calc_operation operation, int64_t a, int64_t b,
			   int64_t *value);

/* The same in 32 bits. */
calc_status arith_evaluate_32(calc_operation operation, int32_t a, int32_t b,
			      int32_t *value);

/* "add", "sub", "subtract", "mul", "multiply", "div", "divide". Returns 0 and
 * *operation, or -EINVAL. */
int arith_parse(const char *word, calc_operation *operation);

/* How people write it: '+', '-', '*', '/'; '?' for no operation. */
char arith_sign(calc_operation operation);

#endif
