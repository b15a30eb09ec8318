#include "suite/suggestion.h"

#include "tests/support/support.h"

#include <string.h>

static const char *const words[] = {"benchmark", "report",  "list",
				    "doctor",    "objects", "clean"};

static const char *nearest(const char *text)
{
	return suggestion_find(text, words, sizeof(words) / sizeof(words[0]));
}

static void a_slip_of_one_key_is_forgiven(void **state)
{
	(void)state;
	assert_string_equal(nearest("benchmrk"), "benchmark");
	assert_string_equal(nearest("benchmarkk"), "benchmark");
	assert_string_equal(nearest("banchmark"), "benchmark");
	assert_string_equal(nearest("lits"), "list");
	assert_string_equal(nearest("docotr"), "doctor");
	/* Of six letters two may be wrong, of four only one. */
	assert_string_equal(nearest("dxxtor"), "doctor");
}

static void a_beginning_is_enough(void **state)
{
	(void)state;
	assert_string_equal(nearest("bench"), "benchmark");
	assert_string_equal(nearest("ob"), "objects");
}

static void what_is_far_from_all_has_no_nearest(void **state)
{
	(void)state;
	assert_null(nearest("frobnicate"));
	assert_null(nearest("x"));
	assert_null(nearest(""));
	assert_null(nearest("lxxt"));
	assert_null(suggestion_find("list", words, 0));
}

static void words_of_any_length_are_safe(void **state)
{
	char word[5000];

	(void)state;
	for (size_t len = 1; len < sizeof(word); len *= 2) {
		memset(word, 'q', len);
		word[len] = '\0';
		assert_null(nearest(word));
	}
}

/* Of those to choose from, 31 letters at most. */
static void longest_word_is_found_and_a_longer_one_is_not(void **state)
{
	static const char *const longest[] = {
		"abcdefghijklmnopqrstuvwxyz12345"};
	static const char *const longer[] = {
		"abcdefghijklmnopqrstuvwxyz123456"};

	(void)state;
	assert_non_null(
		suggestion_find("abcdefghijklmnopqrstuvwxyz12x45", longest, 1));
	assert_null(
		suggestion_find("abcdefghijklmnopqrstuvwxyz12x456", longer, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_of_one_key_is_forgiven),
		cmocka_unit_test(a_beginning_is_enough),
		cmocka_unit_test(what_is_far_from_all_has_no_nearest),
		cmocka_unit_test(words_of_any_length_are_safe),
		cmocka_unit_test(longest_word_is_found_and_a_longer_one_is_not),
	};

	return SUPPORT_MAIN(tests);
}
