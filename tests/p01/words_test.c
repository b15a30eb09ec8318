/* Quoting, checked by hand and against the shell of this machine. */
#include "p01-pipeline/words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"
#include "tests/support/capture.h"
#include "tests/support/support.h"

/* "<a><b c>" for the words "a" and "b c"; "!" when a quote is not closed. */
static const char *bracketed(ssize_t n, char **words)
{
	static char text[4096];
	size_t len = 0;

	if (n < 0) {
		assert_int_equal(n, -EINVAL);
		return "!";
	}
	text[0] = '\0';
	for (ssize_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "<%s>",
					words[i]);
	assert_null(words[n]);
	free(words);
	return text;
}

static const char *split(const char *text)
{
	char **words = NULL;
	ssize_t n = words_split(text, &words);

	return bracketed(n, words);
}

static const char *cut(const char *text)
{
	char **pieces = NULL;
	ssize_t n = words_cut(text, &pieces);

	return bracketed(n, pieces);
}

static void words_are_separated_by_blanks(void **state)
{
	(void)state;
	assert_string_equal(split("ls -la"), "<ls><-la>");
	assert_string_equal(split(" \t a \n b\t"), "<a><b>");
	assert_string_equal(split(""), "");
	assert_string_equal(split(" \t\n"), "");
}

static void single_quotes_keep_everything(void **state)
{
	(void)state;
	assert_string_equal(split("a 'b  c' d"), "<a><b  c><d>");
	assert_string_equal(split("'\\\"$`'"), "<\\\"$`>");
	assert_string_equal(split("x''y ''"), "<xy><>");
}

static void double_quotes_keep_all_but_some_escapes(void **state)
{
	(void)state;
	assert_string_equal(split("\"a 'b' c\""), "<a 'b' c>");
	assert_string_equal(split("\"\\$ \\` \\\" \\\\\""), "<$ ` \" \\>");
	assert_string_equal(split("\"\\a\\'\""), "<\\a\\'>");
	assert_string_equal(split("\"a\\\nb\""), "<ab>");
}

static void backslash_keeps_one_character(void **state)
{
	(void)state;
	assert_string_equal(split("a\\ b \\'"), "<a b><'>");
	assert_string_equal(split("\\\\ \\n"), "<\\><n>");
	/* As the shells do with one that nothing follows. */
	assert_string_equal(split("a\\"), "<a\\>");
}

static void continued_line_is_no_separator_and_no_word(void **state)
{
	(void)state;
	assert_string_equal(split("a\\\nb \\\n c \\\n"), "<ab><c>");
	assert_string_equal(split("\\\n"), "");
}

static void nothing_is_expanded(void **state)
{
	(void)state;
	assert_string_equal(split("echo * $HOME `x` ~ #a > b ; c"),
			    "<echo><*><$HOME><`x`><~><#a><>><b><;><c>");
}

static void open_quote_is_refused(void **state)
{
	(void)state;
	assert_string_equal(split("a 'b"), "!");
	assert_string_equal(split("\"a"), "!");
	assert_string_equal(split("\"a\\\""), "!");
	assert_string_equal(split("'a' \"'"), "!");
	assert_string_equal(cut("a | 'b"), "!");
	assert_string_equal(cut("a | \"b\\"), "!");
}

static void line_is_cut_at_bars_outside_of_quotes(void **state)
{
	(void)state;
	assert_string_equal(cut("a|b | c"), "<a><b >< c>");
	assert_string_equal(cut("grep 'a|b' | tr \"|\" \\|"),
			    "<grep 'a|b' >< tr \"|\" \\|>");
	assert_string_equal(cut(""), "<>");
	assert_string_equal(cut("a||b|"), "<a><><b><>");
}

static void megabyte_of_words_is_split(void **state)
{
	enum { N = 1 << 19 };
	char *text = malloc(2 * N + 1), **words;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < N; i++)
		memcpy(text + 2 * i, "a ", 2);
	text[2 * N] = '\0';
	assert_int_equal(words_split(text, &words), N);
	assert_string_equal(words[N - 1], "a");
	assert_null(words[N]);
	free(words);
	memset(text, 'a', 2 * N);
	assert_int_equal(words_split(text, &words), 1);
	assert_int_equal(strlen(words[0]), 2 * N);
	free(words);
	free(text);
}

/* Any text of these characters means the same to sh, with globbing off. No
 * newline, which would end the command. */
static void random_text_is_split_as_the_shell_does(void **state)
{
	static const char *const parts[] = {"a",  " ",  "  ", "'",
					    "\"", "\\", "\t", "\\\""};
	enum { ROUNDS = 200 };
	char text[64], script[256];
	struct capture capture;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int round = 0; round < ROUNDS; round++) {
		char *const argv[] = {(char *)"sh", (char *)"-c", script, NULL};
		const char *ours;
		size_t len = 0;

		text[0] = '\0';
		for (uint64_t n = rng_below(&rng, 14); n > 0; n--)
			len += (size_t)sprintf(text + len, "%s",
					       parts[rng_below(&rng, 8)]);
		ours = split(text);
		/* The function is there so that no text makes a command. */
		snprintf(script, sizeof(script),
			 "set -f; f() { [ $# = 0 ] || printf '<%%s>' \"$@\"; }"
			 "\nf %s",
			 text);
		capture_run(&capture, argv, NULL, 10000);
		if (strcmp(ours, "!") == 0)
			assert_int_not_equal(capture.status, 0);
		else
			assert_string_equal(capture.out, ours);
		capture_free(&capture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_separated_by_blanks),
		cmocka_unit_test(single_quotes_keep_everything),
		cmocka_unit_test(double_quotes_keep_all_but_some_escapes),
		cmocka_unit_test(backslash_keeps_one_character),
		cmocka_unit_test(continued_line_is_no_separator_and_no_word),
		cmocka_unit_test(nothing_is_expanded),
		cmocka_unit_test(open_quote_is_refused),
		cmocka_unit_test(line_is_cut_at_bars_outside_of_quotes),
		cmocka_unit_test(megabyte_of_words_is_split),
		cmocka_unit_test(random_text_is_split_as_the_shell_does),
	};

	return SUPPORT_MAIN(tests);
}
