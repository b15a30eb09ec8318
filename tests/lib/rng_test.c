#include "lib/rng.h"

#include "tests/support/support.h"

#include <endian.h>
#include <string.h>

/* What the authors' own C program prints from this state. */
static void sequence_is_that_of_the_published_program(void **state)
{
	static const uint64_t expected[] = {
		11520,
		0,
		1509978240,
		1215971899390074240,
		1216172134540287360,
		607988272756665600,
		UINT64_C(16172922978634559625),
		8476171486693032832,
		UINT64_C(10595114339597558777),
		2904607092377533576,
	};
	struct rng rng = {.s = {1, 2, 3, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_true(rng_next(&rng) == expected[i]);
}

/* splitmix64 from 1234567. */
static void seed_is_spread_by_splitmix64(void **state)
{
	static const uint64_t expected[] = {
		6457827717110365317,
		3203168211198807973,
		UINT64_C(9817491932198370423),
		4593380528125082431,
	};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1234567);
	for (int i = 0; i < 4; i++)
		assert_true(rng.s[i] == expected[i]);
	rng_seed(&rng, 0);
	assert_true(rng.s[0] | rng.s[1] | rng.s[2] | rng.s[3]);
}

static void same_seed_gives_the_same_numbers(void **state)
{
	struct rng a, b, c;
	int differences = 0;

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&c, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_next(&a);

		assert_true(x == rng_next(&b));
		differences += x != rng_next(&c);
	}
	assert_true(differences > 990);
}

static void below_stays_below(void **state)
{
	static const uint64_t bounds[] = {1,
					  2,
					  3,
					  7,
					  64,
					  1000003,
					  UINT64_C(1) << 63,
					  (UINT64_C(1) << 63) + 1,
					  UINT64_MAX};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		for (int n = 0; n < 10000; n++)
			assert_true(rng_below(&rng, bounds[i]) < bounds[i]);
}

/* 2^64 numbers do not fit 0 … 3*2^62-1 evenly: with % the lower third would
 * come up twice as often, with a multiplication alone the multiples of 3. Here
 * each third gets its 10000 within 5 standard deviations. */
static void below_is_even_for_an_awkward_bound(void **state)
{
	const uint64_t third = UINT64_C(1) << 62;
	int count[3] = {0}, residue[3] = {0};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (int n = 0; n < 30000; n++) {
		uint64_t x = rng_below(&rng, 3 * third);

		count[x / third]++;
		residue[x % 3]++;
	}
	for (int i = 0; i < 3; i++) {
		assert_in_range(count[i], 9592, 10408);
		assert_in_range(residue[i], 9592, 10408);
	}
}

static void below_reaches_every_value(void **state)
{
	int count[10] = {0};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 99);
	for (int n = 0; n < 10000; n++)
		count[rng_below(&rng, 10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(count[i], 850, 1150);
}

/* The same bytes on every machine: each number, low byte first. */
static void fill_writes_every_byte_and_none_beyond(void **state)
{
	unsigned char whole[64], part[64 + 8];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	for (size_t i = 0; i < sizeof(whole); i += 8) {
		uint64_t word = htole64(rng_next(&rng));

		memcpy(whole + i, &word, sizeof(word));
	}
	for (size_t len = 0; len <= sizeof(whole); len++) {
		memset(part, 0xa5, sizeof(part));
		rng_seed(&rng, 5);
		rng_fill(&rng, part, len);
		assert_memory_equal(part, whole, len);
		for (size_t i = len; i < sizeof(part); i++)
			assert_int_equal(part[i], 0xa5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_is_that_of_the_published_program),
		cmocka_unit_test(seed_is_spread_by_splitmix64),
		cmocka_unit_test(same_seed_gives_the_same_numbers),
		cmocka_unit_test(below_stays_below),
		cmocka_unit_test(below_is_even_for_an_awkward_bound),
		cmocka_unit_test(below_reaches_every_value),
		cmocka_unit_test(fill_writes_every_byte_and_none_beyond),
	};

	return SUPPORT_MAIN(tests);
}
