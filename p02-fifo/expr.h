/* expr.h - integer expressions: + - * / %, parentheses, unary minus and plus.
 *
 * 64-bit signed integers; every operation that leaves their range is an error
 * and not a wrong number. * / % bind tighter than + -, equal ones group from
 * the left, division truncates towards zero as in C. Pure functions.
 */
#ifndef UNIXIPC_P02_FIFO_EXPR_H
#define UNIXIPC_P02_FIFO_EXPR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How deep parentheses and signs may nest: recursion is bounded. */
#define EXPR_DEPTH_MAX 200

enum expr_error {
	EXPR_OK,
	EXPR_SYNTAX,
	EXPR_DIVISION_BY_ZERO,
	EXPR_OVERFLOW,
	EXPR_TOO_DEEP,
	EXPR_ERRORS, /* how many there are */
};

/* Evaluate text. On an error *value is the column, counted from 1, where it
 * was noticed. */
enum expr_error expr_evaluate(const char *text, int64_t *value);

/* "division by zero", in a static string; also for numbers that are none. */
const char *expr_error_text(enum expr_error error);

#ifdef __cplusplus
}
#endif

#endif
