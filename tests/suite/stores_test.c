/* The stores, as the suite measures them. */
#include "suite/storage/store.h"

#include "tests/support/support.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/measure/machine.h"
#include "lib/tick.h"
#include "suite/sync/contend.h"
#include "suite/sync/syncs.h"
#include "tests/support/leftover.h"

static size_t count_folders(void)
{
	glob_t found;
	size_t n = 0;

	if (glob("/var/tmp/ipc_suite.*", 0, NULL, &found) == 0)
		n = found.gl_pathc;
	globfree(&found);
	return n;
}

static void every_operation_is_verified_and_leaves_nothing(void **state)
{
	struct contend_options o = {.trial_ns = 20 * TICK_MS};
	struct leftover before = leftover_count();
	int fds = support_count_fds();
	size_t folders = count_folders();
	struct contend_trial trial;

	(void)state;
	if (machine_cpus(o.cpus, 2) < 2)
		o.cpus[1] = o.cpus[0];
	for (size_t i = 0; store_ops[i]; i++) {
		for (int members = 1; members <= 2; members++) {
			assert_int_equal(
				contend_run(store_ops[i], members, &o, &trial),
				0);
			assert_true(trial.ops_per_s > 0);
			assert_true(trial.share > 0);
		}
	}
	leftover_assert_same(&before);
	assert_int_equal(support_count_fds(), fds);
	assert_int_equal(count_folders(), folders);
}

static void every_store_says_what_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; store_table[i]; i++) {
		assert_in_range(strlen(store_table[i]->name), 1, 31);
		assert_in_range(strlen(store_table[i]->title), 1, 63);
		assert_in_range(strlen(store_table[i]->summary), 1, 79);
		assert_in_range(strlen(store_table[i]->most), 1, 23);
	}
	for (size_t i = 0; store_ops[i]; i++) {
		assert_in_range(i, 0, SYNCS_MAX - 1);
		assert_in_range(strlen(store_ops[i]->name), 1, 31);
		assert_in_range(strlen(store_ops[i]->title), 1, 63);
	}
}

/* A store that gave another record's value, an older half of it, or less, would
 * have a figure else. */
static void values_tell_whose_they_are_and_whether_they_are_whole(void **state)
{
	char value[STORE_VALUE], older[STORE_VALUE];

	(void)state;
	store_value(7, 2, value);
	assert_int_equal(store_check(7, value, sizeof(value)), 0);
	assert_int_equal(store_check(8, value, sizeof(value)), -EBADMSG);
	assert_int_equal(store_check(7, value, sizeof(value) - 4), -EBADMSG);
	store_value(7, 1, older);
	memcpy(value + STORE_VALUE / 2, older + STORE_VALUE / 2,
	       STORE_VALUE / 2);
	assert_int_equal(store_check(7, value, sizeof(value)), -EBADMSG);
}

static int fail_to_fill(const struct store_site *site)
{
	FILE *file = fopen(site->path, "w");

	if (file)
		fclose(file);
	return -EIO;
}

static void a_store_that_cannot_be_filled_leaves_no_folder(void **state)
{
	size_t folders = count_folders();
	void *made = NULL;

	(void)state;
	assert_int_equal(store_create(&made, 0, fail_to_fill), -EIO);
	assert_null(made);
	assert_int_equal(count_folders(), folders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_operation_is_verified_and_leaves_nothing),
		cmocka_unit_test(every_store_says_what_it_is),
		cmocka_unit_test(
			values_tell_whose_they_are_and_whether_they_are_whole),
		cmocka_unit_test(
			a_store_that_cannot_be_filled_leaves_no_folder),
	};

	return SUPPORT_MAIN(tests);
}
