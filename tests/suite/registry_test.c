#include "suite/registry.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/measure/measure.h"

static void every_mechanism_has_a_name_of_its_own(void **state)
{
	const struct mechanism *m;

	(void)state;
	assert_in_range(registry_count(), 1, REGISTRY_MAX);
	assert_null(registry_at(registry_count()));
	for (size_t i = 0; (m = registry_at(i)); i++) {
		assert_in_range(strlen(m->name), 1, 31);
		assert_int_equal(
			strspn(m->name,
			       "abcdefghijklmnopqrstuvwxyz0123456789-"),
			strlen(m->name));
		assert_in_range(strlen(m->title), 1, 63);
		assert_in_range(strlen(m->summary), 1, 79);
		/* The first of that name, so no earlier one has it. */
		assert_ptr_equal(registry_find(m->name), m);
	}
}

static void the_guides_six_are_there(void **state)
{
	static const char *const names[] = {"pipe",        "fifo",
					    "unix-stream", "posix-mq",
					    "sysv-mq",     "shm-sem"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(registry_find(names[i]));
	assert_null(registry_find("carrier-pigeon"));
	assert_null(registry_find(""));
}

static void picked_ones_come_in_the_order_given_and_once(void **state)
{
	const struct mechanism *picked[REGISTRY_MAX];
	char unknown[64];

	(void)state;
	assert_int_equal(registry_pick("tcp,pipe,tcp,fifo,pipe", picked,
				       unknown, sizeof(unknown)),
			 3);
	assert_string_equal(picked[0]->name, "tcp");
	assert_string_equal(picked[1]->name, "pipe");
	assert_string_equal(picked[2]->name, "fifo");
}

static void the_word_that_is_no_mechanism_is_given_back(void **state)
{
	const struct mechanism *picked[REGISTRY_MAX];
	char unknown[8];

	(void)state;
	assert_int_equal(registry_pick("pipe,pip,fifo", picked, unknown,
				       sizeof(unknown)),
			 -EINVAL);
	assert_string_equal(unknown, "pip");
	assert_int_equal(
		registry_pick("pipe,", picked, unknown, sizeof(unknown)),
		-EINVAL);
	assert_string_equal(unknown, "");
	assert_int_equal(registry_pick("carrier-pigeon", picked, unknown,
				       sizeof(unknown)),
			 -EINVAL);
	assert_string_equal(unknown, "carrier");
}

/* ---- limits: of mechanisms whose limit we know ------------------------------------ */

static size_t limit;

static int check_limit(size_t message_bytes, char *why, size_t why_size)
{
	if (message_bytes <= limit)
		return 0;
	snprintf(why, why_size, "limit %zu, asked for %zu", limit,
		 message_bytes);
	return -EMSGSIZE;
}

static void a_limit_is_found_to_the_byte(void **state)
{
	static const size_t limits[] = {16,    17,    8192,
					65535, 65536, MEASURE_MESSAGE_MAX - 1};
	const struct mechanism m = {.check = check_limit};
	char why[100], wanted[100];

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		limit = limits[i];
		assert_int_equal(registry_limit(&m, why, sizeof(why)), limit);
		snprintf(wanted, sizeof(wanted), "limit %zu, asked for %zu",
			 limit,
			 limit < 65536 ? (size_t)65536
				       : (size_t)MEASURE_MESSAGE_MAX);
		assert_string_equal(why, wanted);
	}
}

static void no_limit_has_no_reason(void **state)
{
	const struct mechanism unlimited = {.name = "x"};
	const struct mechanism large = {.check = check_limit};
	char why[100] = "?";

	(void)state;
	assert_int_equal(registry_limit(&unlimited, why, sizeof(why)),
			 MEASURE_MESSAGE_MAX);
	assert_string_equal(why, "");
	limit = MEASURE_MESSAGE_MAX;
	assert_int_equal(registry_limit(&large, why, sizeof(why)),
			 MEASURE_MESSAGE_MAX);
	assert_string_equal(why, "");
}

static void what_does_not_work_at_all_has_limit_zero(void **state)
{
	const struct mechanism m = {.check = check_limit};
	char why[100];

	(void)state;
	limit = 0;
	assert_int_equal(registry_limit(&m, why, sizeof(why)), 0);
	assert_string_equal(why, "limit 0, asked for 16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_has_a_name_of_its_own),
		cmocka_unit_test(the_guides_six_are_there),
		cmocka_unit_test(picked_ones_come_in_the_order_given_and_once),
		cmocka_unit_test(the_word_that_is_no_mechanism_is_given_back),
		cmocka_unit_test(a_limit_is_found_to_the_byte),
		cmocka_unit_test(no_limit_has_no_reason),
		cmocka_unit_test(what_does_not_work_at_all_has_limit_zero),
	};

	return SUPPORT_MAIN(tests);
}
