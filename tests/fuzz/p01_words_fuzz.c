/* Any text as a command line: what is split must be what was meant, as its words
 * in quotes are the same words, and its pieces with bars between them the text. */
#include "p01-pipeline/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static char *put(char *to, const char *text)
{
	return stpcpy(to, text);
}

/* The word in single quotes; such a quote itself stands between two others. */
static char *put_quoted(char *to, const char *word)
{
	to = put(to, " '");
	for (; *word; word++) {
		if (*word == '\'')
			to = put(to, "'\\''");
		else
			*to++ = *word;
	}
	return put(to, "'");
}

/* Of a text of that length, the quoted words, split once more. */
static void split_again(char **words, ssize_t n, size_t len)
{
	/* Four bytes for each quote, and three around each word. */
	char *text = malloc(8 * len + 1), *at = text, **again;

	if (!text)
		return;
	*at = '\0';
	for (ssize_t i = 0; i < n; i++)
		at = put_quoted(at, words[i]);
	must(words_split(text, &again) == n);
	for (ssize_t i = 0; i < n; i++)
		must(strcmp(again[i], words[i]) == 0);
	free(again);
	free(text);
}

static bool try_split(const char *text)
{
	char **words;
	ssize_t n = words_split(text, &words);
	size_t len = 0;

	if (n < 0)
		return n != -EINVAL;
	for (ssize_t i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	must(!words[n] && len <= strlen(text) + 1);
	split_again(words, n, strlen(text));
	free(words);
	return true;
}

static bool try_cut(const char *text)
{
	const char *at = text;
	char **pieces;
	ssize_t n = words_cut(text, &pieces);

	if (n < 0)
		return n != -EINVAL;
	must(n > 0 && !pieces[n]);
	for (ssize_t i = 0; i < n; i++) {
		size_t len = strlen(pieces[i]);

		must(strncmp(at, pieces[i], len) == 0);
		at += len;
		must(*at == (i + 1 < n ? '|' : '\0'));
		at++;
		must(try_split(pieces[i]));
	}
	free(pieces);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of its own size: ASan guards the end. */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	/* A quote that is open is so to both. */
	must(try_split(text) == try_cut(text));
	free(text);
	return 0;
}
