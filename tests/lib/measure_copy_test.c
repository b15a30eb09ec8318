#include "lib/measure/copy.h"

#include "tests/support/support.h"

static void copies_take_time_and_nothing_takes_none(void **state)
{
	(void)state;
	if (!support_is_valgrind()) /* a second or two of copying */
		assert_true(copy_bytes_per_s(1 << 20) > 0);
	assert_true(copy_bytes_per_s(0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_take_time_and_nothing_takes_none),
	};

	return SUPPORT_MAIN(tests);
}
