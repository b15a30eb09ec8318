/* words.c - one pass over the text, one block for the result.
 *
 * The block holds the pointers and behind them the text of all words, each
 * with its NUL. There is room because the result cannot be longer than the
 * input: quotes only go away, and the NUL of a word stands in the place of
 * the separator behind it.
 */
#include "p01-pipeline/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Room for n pointers, the NULL behind them, and bytes of text (*room). */
static char **make_block(size_t n, size_t bytes, char **room)
{
	char **block = malloc((n + 1) * sizeof(*block) + bytes);

	if (block)
		*room = (char *)(block + n + 1);
	return block;
}

/* Whether a backslash in double quotes does more than stand for itself. */
static bool is_escapable(char c)
{
	return c && strchr("$`\"\\\n", c);
}

/* Copy what stands between quotes; *from is behind the opening one and goes
 * behind the closing one. False when there is none. */
static bool copy_quoted(const char **from, char **to, char quote)
{
	const char *at = *from;

	for (; *at != quote; at++) {
		if (*at == '\0')
			return false;
		if (quote == '"' && *at == '\\' && is_escapable(at[1])) {
			at++;
			if (*at == '\n')
				continue;
		}
		*(*to)++ = *at;
	}
	*from = at + 1;
	return true;
}

/* Copy one word without its quotes; *from stands on its first character and
 * goes behind its last. */
static bool copy_word(const char **from, char **to)
{
	while (**from && !is_blank(**from)) {
		char c = *(*from)++;

		if (c == '\'' || c == '"') {
			if (!copy_quoted(from, to, c))
				return false;
			continue;
		}
		/* One at the very end stands for itself, as in the shells. */
		if (c == '\\' && **from) {
			c = *(*from)++;
			if (c == '\n')
				continue;
		}
		*(*to)++ = c;
	}
	*(*to)++ = '\0';
	return true;
}

/* Blanks and continued lines. */
static const char *skip_blanks(const char *at)
{
	for (;;) {
		if (is_blank(*at))
			at++;
		else if (at[0] == '\\' && at[1] == '\n')
			at += 2;
		else
			return at;
	}
}

ssize_t words_split(const char *text, char ***words)
{
	size_t len = strlen(text), n = 0;
	char *to, **block;

	/* The most words a text can hold is one every other character. */
	block = make_block(len / 2 + 1, len + 1, &to);
	if (!block)
		return -ENOMEM;
	for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
		block[n++] = to;
		if (!copy_word(&text, &to)) {
			free(block);
			return -EINVAL;
		}
	}
	block[n] = NULL;
	*words = block;
	return (ssize_t)n;
}

/* The end of what at begins: a quoted part, an escaped character, or one
 * character. NULL when the quote is not closed. */
static char *after_part(char *at)
{
	const char quote = *at++;

	if (quote == '\\' && *at)
		return at + 1;
	if (quote != '\'' && quote != '"')
		return at;
	for (; *at != quote; at++) {
		if (quote == '"' && *at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
	}
	return at + 1;
}

ssize_t words_cut(const char *text, char ***pieces)
{
	size_t len = strlen(text), bars = 0, n = 0;
	char *copy, *next, **block;

	for (const char *at = text; *at; at++)
		bars += *at == '|';
	block = make_block(bars + 1, len + 1, &copy);
	if (!block)
		return -ENOMEM;
	memcpy(copy, text, len + 1);
	block[n++] = copy;
	for (char *at = copy; *at; at = next) {
		next = after_part(at);
		if (!next) {
			free(block);
			return -EINVAL;
		}
		if (*at == '|') {
			*at = '\0';
			block[n++] = next;
		}
	}
	block[n] = NULL;
	*pieces = block;
	return (ssize_t)n;
}
