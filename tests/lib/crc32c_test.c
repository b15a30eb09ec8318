#include "lib/crc32c.h"

#include "tests/support/support.h"

#include <string.h>

/* RFC 3720, B.4, and the check value of the CRC catalogues. */
static void checksums_are_those_of_the_standard(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned char i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(crc32c(NULL, 0), 0);
}

static void checksum_of_two_parts_is_that_of_the_whole(void **state)
{
	const char *text = "the quick brown fox jumps over the lazy dog";
	size_t len = strlen(text);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++)
		assert_int_equal(
			crc32c_more(crc32c(text, cut), text + cut, len - cut),
			crc32c(text, len));
}

static void every_flip_of_a_bit_in_a_page_is_seen(void **state)
{
	unsigned char page[4096];
	uint32_t whole;

	(void)state;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (unsigned char)(i * 7);
	whole = crc32c(page, sizeof(page));
	for (size_t bit = 0; bit < sizeof(page) * 8; bit++) {
		page[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_not_equal(crc32c(page, sizeof(page)), whole);
		page[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_are_those_of_the_standard),
		cmocka_unit_test(checksum_of_two_parts_is_that_of_the_whole),
		cmocka_unit_test(every_flip_of_a_bit_in_a_page_is_seen),
	};

	return SUPPORT_MAIN(tests);
}
