/* The stores, as the suite measures them. */
#include "suite/storage/store.h"

#include "tests/support/support.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/identity.h"
#include "lib/measure/machine.h"
#include "lib/tick.h"
#include "suite/storage/kv_servers.h"
#include "suite/sync/contend.h"
#include "suite/sync/syncs.h"
#include "tests/support/leftover.h"
#include "tests/support/scratch.h"

/* Where the stores of this process lie, and of no other. */
static struct scratch scratch;

static int setup(void **state)
{
	(void)state;
	scratch_make(&scratch);
	return setenv("TMPDIR", scratch.dir, 1);
}

static int teardown(void **state)
{
	(void)state;
	unsetenv("TMPDIR");
	scratch_remove(&scratch);
	return 0;
}

static void assert_nothing_there(void)
{
	glob_t found;
	int error = glob(scratch_path(&scratch, "*"), 0, NULL, &found);

	globfree(&found);
	assert_int_equal(error, GLOB_NOMATCH);
}

static void every_operation_is_verified_and_leaves_nothing(void **state)
{
	struct contend_options o = {.trial_ns = 20 * TICK_MS};
	struct leftover before = leftover_count();
	int fds = support_count_fds();
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
	assert_nothing_there();
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
	void *made = NULL;

	(void)state;
	assert_int_equal(store_create(&made, 0, fail_to_fill), -EIO);
	assert_null(made);
	assert_nothing_there();
}

/* An empty TMPDIR is none, and not the root. */
static void without_tmpdir_stores_are_in_var_tmp(void **state)
{
	struct store_site site = {.flags = 0};

	(void)state;
	assert_int_equal(setenv("TMPDIR", "", 1), 0);
	assert_int_equal(store_make_folder(&site), 0);
	assert_int_equal(rmdir(site.folder), 0);
	assert_memory_equal(site.folder, "/var/tmp/", strlen("/var/tmp/"));
}

struct crew {
	const char *folder;
	int out;
};

/* Start servers, tell who they are, and stay. */
static int start_and_stay(void *arg)
{
	const struct crew *crew = arg;
	struct kv_servers servers;

	if (kv_servers_start(&servers, crew->folder) ||
	    fdio_write_full(crew->out, servers.pids, sizeof(servers.pids)))
		return 1;
	pause();
	return 0;
}

static void servers_of_one_who_is_killed_end(void **state)
{
	struct leftover before = leftover_count();
	struct crew crew = {.folder = scratch.dir};
	const int64_t deadline = tick_after(10 * TICK_S);
	uint64_t started[KV_SERVERS];
	pid_t pid, pids[KV_SERVERS];
	int ends[2], status;

	(void)state;
	assert_int_equal(fdio_pipe(ends), 0);
	crew.out = ends[1];
	assert_int_equal(child_fork(start_and_stay, &crew, &pid), 0);
	assert_int_equal(fdio_read_until(ends[0], pids, sizeof(pids), deadline),
			 sizeof(pids));
	for (int i = 0; i < KV_SERVERS; i++) {
		started[i] = identity_start_time(pids[i]);
		assert_true(identity_is_alive(pids[i], started[i]));
	}
	kill(pid, SIGKILL);
	assert_int_equal(child_wait(pid, deadline, &status), 0);
	for (int i = 0; i < KV_SERVERS; i++)
		while (identity_is_alive(pids[i], started[i])) {
			assert_false(tick_is_over(deadline));
			tick_sleep_until(tick_after(TICK_MS));
		}
	fdio_close(&ends[0]);
	fdio_close(&ends[1]);
	leftover_assert_same(&before);
}

static void servers_of_two_runs_do_not_meet(void **state)
{
	struct kv_servers a, b;

	(void)state;
	assert_int_equal(kv_servers_start(&a, scratch.dir), 0);
	assert_int_equal(kv_servers_start(&b, scratch_path(&scratch, ".")), 0);
	for (int i = 0; i < KV_SERVERS; i++)
		for (int j = 0; j < KV_SERVERS; j++)
			assert_int_not_equal(a.at[i].port, b.at[j].port);
	kv_servers_end(&a);
	kv_servers_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_operation_is_verified_and_leaves_nothing, setup,
			teardown),
		cmocka_unit_test(every_store_says_what_it_is),
		cmocka_unit_test(
			values_tell_whose_they_are_and_whether_they_are_whole),
		cmocka_unit_test_setup_teardown(
			a_store_that_cannot_be_filled_leaves_no_folder, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			without_tmpdir_stores_are_in_var_tmp, setup, teardown),
		cmocka_unit_test_setup_teardown(
			servers_of_one_who_is_killed_end, setup, teardown),
		cmocka_unit_test_setup_teardown(servers_of_two_runs_do_not_meet,
						setup, teardown),
	};

	return SUPPORT_MAIN(tests);
}
