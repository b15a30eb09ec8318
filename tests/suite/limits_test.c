/* What is said of limits that this machine does not have. Linked with
 * --wrap=mqlimit_read, as only who is root may be without one. */
#include "suite/checkup.h"

#include "tests/support/support.h"

#include <string.h>

#include "lib/mqlimit.h"

static enum mqlimit absent; /* of which there is none */

int64_t __real_mqlimit_read(enum mqlimit limit);
int64_t __wrap_mqlimit_read(enum mqlimit limit);

int64_t __wrap_mqlimit_read(enum mqlimit limit)
{
	return limit == absent ? -1 : __real_mqlimit_read(limit);
}

struct seen {
	enum checkup_level level;
	char value[32];
	int n;
};

static void see(const struct checkup_finding *finding, void *arg)
{
	struct seen *seen = arg;

	if (strcmp(finding->subject, mqlimit_name(absent)) != 0)
		return;
	seen->n++;
	seen->level = finding->level;
	strncpy(seen->value, finding->value, sizeof(seen->value) - 1);
}

static struct seen look(void)
{
	struct seen seen = {.n = 0};

	checkup_limits(see, &seen);
	assert_int_equal(seen.n, 1);
	return seen;
}

static void user_without_a_limit_has_enough(void **state)
{
	struct seen seen;

	(void)state;
	absent = MQLIMIT_USER_BYTES;
	seen = look();
	assert_int_equal(seen.level, CHECKUP_OK);
	assert_string_equal(seen.value, "unlimited");
}

static void kernel_without_a_limit_has_no_queues(void **state)
{
	static const enum mqlimit limits[] = {
		MQLIMIT_MESSAGES, MQLIMIT_MESSAGE_BYTES, MQLIMIT_QUEUES};
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		absent = limits[i];
		seen = look();
		assert_int_equal(seen.level, CHECKUP_MISSING);
		assert_string_equal(seen.value, "not there");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user_without_a_limit_has_enough),
		cmocka_unit_test(kernel_without_a_limit_has_no_queues),
	};

	return SUPPORT_MAIN(tests);
}
