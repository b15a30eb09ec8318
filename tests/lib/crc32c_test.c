/* With the source itself, as of its two ways a processor takes but one. */
#include "lib/crc32c.c" // NOLINT(bugprone-suspicious-include)

#include "tests/support/support.h"

#include <string.h>

#include "lib/rng.h"

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
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
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

/* As it is defined: bit by bit. */
static uint32_t by_bits(const unsigned char *byte, size_t len)
{
	uint32_t crc = ~0U;

	for (; len > 0; byte++, len--) {
		crc ^= *byte;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Lengths around those at which the source goes from one way to the next. */
static void every_way_gives_what_bits_give(void **state)
{
	static unsigned char bytes[3 * 4032 + 64];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	rng_fill(&rng, bytes, sizeof(bytes));
	for (size_t len = 0; len + 8 <= sizeof(bytes);
	     len += len % 4032 < 64 ? 1 : 61) {
		const unsigned char *start = bytes + len % 8;
		uint32_t wanted = by_bits(start, len);

		assert_int_equal(crc32c(start, len), wanted);
		assert_int_equal(~by_table(~0U, start, len), wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums_are_those_of_the_standard),
		cmocka_unit_test(checksum_of_two_parts_is_that_of_the_whole),
		cmocka_unit_test(every_way_gives_what_bits_give),
		cmocka_unit_test(every_flip_of_a_bit_in_a_page_is_seen),
	};

	return SUPPORT_MAIN(tests);
}
