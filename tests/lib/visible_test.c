/* What may be shown, and what becomes '?'. */
#include "lib/visible.h"

#include "tests/support/support.h"

#include <string.h>

#include "lib/rng.h"

static void expect(const char *text, size_t n, const char *wanted)
{
	char buf[64] = "";

	memcpy(buf, text, n);
	visible_make(buf, n);
	assert_memory_equal(buf, wanted, n);
	assert_int_equal(buf[n], '\0');
}

#define EXPECT(text, wanted)                                        \
	do {                                                        \
		assert_int_equal(strlen(wanted), sizeof(text) - 1); \
		expect(text, sizeof(text) - 1, wanted);             \
	} while (0)

static void letters_of_all_scripts_stay(void **state)
{
	(void)state;
	EXPECT("plain ~ text", "plain ~ text");
	EXPECT("\xc3\xa9 \xc2\xa0 \xdf\xbf", "\xc3\xa9 \xc2\xa0 \xdf\xbf");
	EXPECT("\xe0\xa0\x80 \xe2\x82\xac \xed\x9f\xbf \xef\xbf\xbd",
	       "\xe0\xa0\x80 \xe2\x82\xac \xed\x9f\xbf \xef\xbf\xbd");
	EXPECT("\xf0\x90\x80\x80 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
	       "\xf0\x90\x80\x80 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf");
}

static void control_characters_do_not(void **state)
{
	(void)state;
	EXPECT("a\nb\tc\033[2Jd\177", "a?b?c?[2Jd?");
	expect("a\0b", 3, "a?b");
	/* C1, of which 9b begins a command as ESC [ does. */
	EXPECT("\xc2\x80 \xc2\x9b \xc2\x9f", "?? ?? ??");
}

static void bytes_of_no_character_do_not(void **state)
{
	(void)state;
	EXPECT("\x80 \xbf \x9b", "? ? ?");
	EXPECT("\xc3", "?"); /* cut short */
	EXPECT("\xc3(", "?(");
	EXPECT("\xe2\x82", "??");
	EXPECT("\xe2\x82z", "??z");
	EXPECT("\xf0\x9f\x98", "???");
	EXPECT("\xc0\xaf \xc1\xbf", "?? ??");           /* one byte is enough */
	EXPECT("\xe0\x9f\xbf", "???");                  /* two are */
	EXPECT("\xf0\x8f\xbf\xbf", "????");             /* three are */
	EXPECT("\xed\xa0\x80 \xed\xbf\xbf", "??? ???"); /* surrogates */
	EXPECT("\xf4\x90\x80\x80", "????");             /* beyond the end */
	EXPECT("\xf8\x88\x80\x80\x80 \xff", "????? ?");
}

/* Whatever comes: the same again changes nothing, and no byte is added. */
static void what_is_visible_stays_so(void **state)
{
	unsigned char once[64], twice[64];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 20000; i++) {
		rng_fill(&rng, once, sizeof(once));
		visible_make((char *)once, sizeof(once) - 1);
		memcpy(twice, once, sizeof(once));
		visible_make((char *)twice, sizeof(twice) - 1);
		assert_memory_equal(once, twice, sizeof(once));
		for (size_t k = 0; k < sizeof(once) - 1; k++)
			assert_true(once[k] >= 0x20 && once[k] != 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_of_all_scripts_stay),
		cmocka_unit_test(control_characters_do_not),
		cmocka_unit_test(bytes_of_no_character_do_not),
		cmocka_unit_test(what_is_visible_stays_so),
	};

	return SUPPORT_MAIN(tests);
}
