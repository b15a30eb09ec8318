#include "p16-rpc-calc/cmd/expression.h"

#include <errno.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "lib/parse.h"
#include "p16-rpc-calc/arith.h"

#define ACCEPTED                                                       \
	"accepted are add, subtract (sub), multiply (mul) and divide " \
	"(div), each with two operands; accumulate; batch"

int64_t expression_number(const char *where, const char *word)
{
	int64_t value = 0;

	switch (parse_integer(word, &value)) {
	case 0:
		return value;
	case -ERANGE:
		die_usage("%soperand '%s': accepted is -9223372036854775808 to "
			  "9223372036854775807",
			  where, word);
	default:
		die_usage("%soperand '%s': accepted is a whole number", where,
			  word);
	}
}

calc_expression expression_of(const char *where, const char *const words[],
			      size_t n)
{
	calc_expression expression = {0};

	if (n == 0)
		die_usage("%san operation is missing: " ACCEPTED, where);
	if (arith_parse(words[0], &expression.operation))
		die_usage("%soperation '%s': " ACCEPTED, where, words[0]);
	if (n != 3)
		die_usage("%s%s takes two operands (%s 5 3), not %zu", where,
			  words[0], words[0], n - 1);
	expression.operands.a = expression_number(where, words[1]);
	expression.operands.b = expression_number(where, words[2]);
	return expression;
}

enum { WORDS_MAX = 4, LINE_MAX_BYTES = 256 };

static size_t split(char *line, const char *words[WORDS_MAX])
{
	char *saveptr, *word = strtok_r(line, " \t\r\n", &saveptr);
	size_t n = 0;

	for (; word && n < WORDS_MAX; n++) {
		words[n] = word;
		word = strtok_r(NULL, " \t\r\n", &saveptr);
	}
	return n;
}

size_t expression_read(FILE *file, size_t *line, calc_expression *expressions,
		       size_t max)
{
	char text[LINE_MAX_BYTES], where[32];
	const char *words[WORDS_MAX];
	size_t n = 0, n_words;

	while (n < max && fgets(text, sizeof(text), file)) {
		++*line;
		snprintf(where, sizeof(where), "line %zu: ", *line);
		if (!strchr(text, '\n') && !feof(file))
			die_usage("%slonger than %d characters", where,
				  LINE_MAX_BYTES - 2);
		n_words = split(text, words);
		if (n_words > 0)
			expressions[n++] = expression_of(where, words, n_words);
	}
	if (ferror(file))
		die_errno(errno, "cannot read expressions");
	return n;
}
