/* Any text as an expression: it has a value, which is the same in parentheses and
 * when it is read again, or a column where it ceases to be one. */
#include "p02-fifo/expr.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void evaluate_to(const char *text, int64_t wanted)
{
	int64_t value;
	enum expr_error error = expr_evaluate(text, &value);

	/* Parentheses may be the one too many. */
	must(error == EXPR_TOO_DEEP || (error == EXPR_OK && value == wanted));
}

static void try_value(const char *text, int64_t value)
{
	const size_t room = strlen(text) + sizeof("0 + ( ) * 1");
	char *longer = malloc(room), written[32];

	snprintf(written, sizeof(written), "%" PRId64, value);
	evaluate_to(written, value);
	if (!longer)
		return;
	snprintf(longer, room, "0 + (%s) * 1", text);
	evaluate_to(longer, value);
	snprintf(longer, room, "\t%s ", text);
	evaluate_to(longer, value);
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size: ASan guards the end. */
	char *text = malloc(size + 1);
	enum expr_error error;
	int64_t value;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	error = expr_evaluate(text, &value);
	must((unsigned int)error < EXPR_ERRORS);
	if (error == EXPR_OK)
		try_value(text, value);
	else
		must(value >= 1 && (size_t)value <= strlen(text) + 1);
	free(text);
	return 0;
}
