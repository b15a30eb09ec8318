/* expr.c - recursive descent, a function for each level of the grammar:
 *
 *	sum     = product { ("+" | "-") product }
 *	product = factor { ("*" | "/" | "%") factor }
 *	factor  = number | "(" sum ")" | ("-" | "+") factor
 *
 * The first error is kept; after it every function returns at once.
 */
#include "p02-fifo/expr.h"

#include <stdbool.h>
#include <stddef.h>

struct parser {
	const char *at;
	enum expr_error error;
	const char *error_at;
	int depth;
};

static int64_t sum(struct parser *p);

static int64_t fail(struct parser *p, enum expr_error error, const char *at)
{
	if (!p->error) {
		p->error = error;
		p->error_at = at;
	}
	return 0;
}

static char peek(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
	return *p->at;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits together with the sign before them: -2^63 has no positive twin. */
static int64_t number(struct parser *p, bool is_negative)
{
	const char *start = p->at;
	int64_t value = 0;

	for (; is_digit(*p->at); p->at++) {
		int digit = *p->at - '0';

		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, is_negative ? -digit : digit,
					   &value))
			return fail(p, EXPR_OVERFLOW, start);
	}
	return value;
}

static int64_t factor(struct parser *p)
{
	char c = peek(p);
	const char *start = p->at;
	int64_t value;

	if (is_digit(c))
		return number(p, false);
	if (c != '(' && c != '-' && c != '+')
		return fail(p, EXPR_SYNTAX, start);
	if (p->depth == EXPR_DEPTH_MAX)
		return fail(p, EXPR_TOO_DEEP, start);
	p->at++;
	if (c == '-' && is_digit(peek(p)))
		return number(p, true);
	p->depth++;
	value = c == '(' ? sum(p) : factor(p);
	p->depth--;
	if (p->error)
		return 0;
	if (c == '(' && peek(p) != ')')
		return fail(p, EXPR_SYNTAX, p->at);
	if (c == '(')
		p->at++;
	if (c == '-' && __builtin_sub_overflow(0, value, &value))
		return fail(p, EXPR_OVERFLOW, start);
	return value;
}

/* Whether the quotient or remainder fits; right is not 0. */
static bool divide(char sign, int64_t left, int64_t right, int64_t *value)
{
	/* The processor traps on -2^63 / -1, and on the remainder too. */
	if (right == -1) {
		*value = 0;
		return sign == '%' || !__builtin_sub_overflow(0, left, value);
	}
	*value = sign == '/' ? left / right : left % right;
	return true;
}

static int64_t product(struct parser *p)
{
	int64_t value = factor(p);

	for (;;) {
		char sign = peek(p);
		const char *start = p->at;
		int64_t right;
		bool fits;

		if (p->error || (sign != '*' && sign != '/' && sign != '%'))
			return value;
		p->at++;
		right = factor(p);
		if (p->error)
			return 0;
		if (sign != '*' && right == 0)
			return fail(p, EXPR_DIVISION_BY_ZERO, start);
		if (sign == '*')
			fits = !__builtin_mul_overflow(value, right, &value);
		else
			fits = divide(sign, value, right, &value);
		if (!fits)
			return fail(p, EXPR_OVERFLOW, start);
	}
}

static int64_t sum(struct parser *p)
{
	int64_t value = product(p);

	for (;;) {
		char sign = peek(p);
		const char *start = p->at;
		int64_t right;

		if (p->error || (sign != '+' && sign != '-'))
			return value;
		p->at++;
		right = product(p);
		if (p->error)
			return 0;
		if (sign == '+' ? __builtin_add_overflow(value, right, &value)
				: __builtin_sub_overflow(value, right, &value))
			return fail(p, EXPR_OVERFLOW, start);
	}
}

enum expr_error expr_evaluate(const char *text, int64_t *value)
{
	struct parser p = {.at = text};

	*value = sum(&p);
	if (!p.error && peek(&p) != '\0')
		fail(&p, EXPR_SYNTAX, p.at);
	if (p.error)
		*value = p.error_at - text + 1;
	return p.error;
}

const char *expr_error_text(enum expr_error error)
{
	static const char *const texts[EXPR_ERRORS] = {
		[EXPR_OK] = "no error",
		[EXPR_SYNTAX] = "not an expression",
		[EXPR_DIVISION_BY_ZERO] = "division by zero",
		[EXPR_OVERFLOW] = "beyond 64 bits",
		[EXPR_TOO_DEEP] = "nested too deep",
	};

	return (unsigned int)error < EXPR_ERRORS ? texts[error]
						 : "unknown error";
}
