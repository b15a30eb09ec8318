#include "suite/html/html.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static void assert_becomes(const char *text, const char *wanted)
{
	char *got = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&got, &len);

	assert_non_null(to);
	html_text(to, text);
	fclose(to);
	assert_string_equal(got, wanted);
	free(got);
}

static void markup_loses_its_meaning(void **state)
{
	(void)state;
	assert_becomes("<script>alert('x')</script>",
		       "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;");
	assert_becomes("a & b &amp; \"c\"",
		       "a &amp; b &amp;amp; &quot;c&quot;");
}

static void utf8_stays_as_it_is(void **state)
{
	(void)state;
	assert_becomes("§ 12.3 µs – ●", "§ 12.3 µs – ●");
	assert_becomes("\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7");
	assert_becomes("two\nlines\tof text", "two\nlines\tof text");
}

static void control_characters_are_replaced(void **state)
{
	(void)state;
	assert_becomes("\x1b[31m", BAD "[31m");
	assert_becomes("a\x01z\x7f", "a" BAD "z" BAD);
	assert_becomes("\xc2\x9b"
		       "1m", /* CSI in one character */
		       BAD BAD "1m");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	(void)state;
	assert_becomes("caf\xe9", "caf" BAD);                /* Latin-1 */
	assert_becomes("\xc0\xbc", BAD BAD);                 /* '<', too long */
	assert_becomes("\xe0\x80\xbc", BAD BAD BAD);         /* the same */
	assert_becomes("\xed\xa0\x80", BAD BAD BAD);         /* a surrogate */
	assert_becomes("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* U+110000 */
	assert_becomes("\xef\xbf\xbf", BAD BAD BAD);         /* U+FFFF */
	assert_becomes("\xef\xbf\xbe", BAD BAD BAD);         /* U+FFFE */
	assert_becomes("\xf0\x9f\xbf\xbe", BAD BAD BAD BAD); /* U+1FFFE */
	assert_becomes("\xff<", BAD "&lt;");
}

static void a_character_cut_short_does_not_swallow_what_follows(void **state)
{
	(void)state;
	assert_becomes("\xe2\x82", BAD BAD);
	assert_becomes("\xe2\x82<b>", BAD BAD "&lt;b&gt;");
	assert_becomes("\xf0", BAD);
}

static void formatted_text_is_escaped_too(void **state)
{
	char *got = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&got, &len);

	(void)state;
	assert_non_null(to);
	html_printf(to, "%s is %d < %d", "<x>", 1, 2);
	fclose(to);
	assert_string_equal(got, "&lt;x&gt; is 1 &lt; 2");
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_loses_its_meaning),
		cmocka_unit_test(utf8_stays_as_it_is),
		cmocka_unit_test(control_characters_are_replaced),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
		cmocka_unit_test(
			a_character_cut_short_does_not_swallow_what_follows),
		cmocka_unit_test(formatted_text_is_escaped_too),
	};

	return SUPPORT_MAIN(tests);
}
