/* The synchronisation table: real primitives, and some that are broken. */
#include "suite/sync/syncs.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/measure/machine.h"
#include "lib/measure/results.h"
#include "lib/tick.h"
#include "suite/sync/contend.h"
#include "tests/support/leftover.h"

static struct contend_options options(int64_t trial_ms)
{
	struct contend_options o = {.trial_ns = trial_ms * TICK_MS};

	if (machine_cpus(o.cpus, 2) < 2)
		o.cpus[1] = o.cpus[0];
	return o;
}

static int nothing(void *state)
{
	(void)state;
	return 0;
}

static int create_nothing(void **state, int members)
{
	(void)members;
	*state = NULL;
	return 0;
}

static void destroy_nothing(void *state)
{
	(void)state;
}

/* ---- contention --------------------------------------------------------------------- */

static void every_primitive_keeps_its_promise(void **state)
{
	struct contend_options o = options(20);
	struct leftover before = leftover_count();
	int fds = support_count_fds();
	struct contend_trial trial;

	(void)state;
	for (size_t i = 0; syncop_table[i]; i++) {
		for (int members = 1; members <= 2; members++) {
			assert_int_equal(contend_run(syncop_table[i], members,
						     &o, &trial),
					 0);
			assert_true(trial.ops_per_s > 0);
			assert_true(trial.cpu_ns > 0);
			assert_true(trial.share > 0);
			assert_true(trial.share <= 1.0 / members);
		}
	}
	leftover_assert_same(&before);
	assert_int_equal(support_count_fds(), fds);
}

static void every_primitive_says_what_it_is(void **state)
{
	struct syncop_limit limit;

	(void)state;
	for (size_t i = 0; syncop_table[i]; i++) {
		const struct syncop *op = syncop_table[i];

		assert_in_range(i, 0, SYNCS_MAX - 1);
		assert_in_range(strlen(op->name), 1, 31);
		assert_in_range(strlen(op->title), 1, 63);
		assert_in_range(strlen(op->summary), 1, 79);
		assert_int_equal(syncop_ask(op, &limit), 0);
		assert_true(limit.most[0]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(syncop_table[k]->name,
						op->name);
	}
}

static int refuse_here(struct syncop_limit *limit)
{
	snprintf(limit->why, sizeof(limit->why), "too little");
	return -E2BIG;
}

static void what_does_not_work_here_says_why(void **state)
{
	const struct syncop none = {.check = refuse_here};
	struct syncop_limit limit;

	(void)state;
	assert_int_equal(syncop_ask(&none, &limit), -E2BIG);
	assert_string_equal(limit.most, "none");
	assert_string_equal(limit.why, "too little");
}

/* What two do wrong shows only when they run at the same time, which on a busy
 * machine may take some trials. */
static int run_until_caught(const struct syncop *op,
			    const struct contend_options *o)
{
	int64_t deadline = tick_after(30 * TICK_S);
	struct contend_trial trial;
	int error;

	do
		error = contend_run(op, 2, o, &trial);
	while (error == 0 && !tick_is_over(deadline));
	return error;
}

static void a_lock_that_lets_two_in_has_no_figure(void **state)
{
	const struct syncop open_door = {.create = create_nothing,
					 .enter = nothing,
					 .destroy = destroy_nothing};
	struct contend_options o = options(100);

	(void)state;
	if (o.cpus[0] == o.cpus[1])
		skip(); /* nobody runs at the same time there */
	assert_int_equal(run_until_caught(&open_door, &o), -EBADMSG);
}

static void a_meeting_that_nobody_waits_for_has_no_figure(void **state)
{
	const struct syncop no_show = {.meets = true,
				       .create = create_nothing,
				       .enter = nothing,
				       .destroy = destroy_nothing};
	struct contend_options o = options(100);

	(void)state;
	assert_int_equal(run_until_caught(&no_show, &o), -EBADMSG);
}

static int meet_and_sleep(void *state)
{
	int error = syncop_barrier.enter(state);

	tick_sleep_until(tick_after(5 * TICK_MS));
	return error;
}

/* However many meet there: more than one in 5 ms there cannot be. */
static void a_meeting_is_one_operation(void **state)
{
	const struct syncop slow = {.meets = true,
				    .create = syncop_barrier.create,
				    .enter = meet_and_sleep,
				    .destroy = syncop_barrier.destroy};
	struct contend_options o = options(50);
	struct contend_trial trial;

	(void)state;
	assert_int_equal(contend_run(&slow, 2, &o, &trial), 0);
	assert_true(trial.ops_per_s > 0);
	assert_true(trial.ops_per_s <= 200);
}

static int refuse(void *state)
{
	(void)state;
	return -EPERM;
}

static void what_a_member_met_is_what_is_said(void **state)
{
	const struct syncop broken = {.create = create_nothing,
				      .enter = nothing,
				      .leave = refuse,
				      .destroy = destroy_nothing};
	struct contend_options o = options(10);
	struct contend_trial trial;

	(void)state;
	assert_int_equal(contend_run(&broken, 2, &o, &trial), -EPERM);
}

static int hang(void *state)
{
	(void)state;
	while (pause())
		;
	return 0;
}

static void a_member_that_hangs_is_killed(void **state)
{
	const struct syncop stuck = {.create = create_nothing,
				     .enter = hang,
				     .destroy = destroy_nothing};
	struct contend_options o = options(10);
	struct contend_trial trial;

	(void)state;
	assert_int_equal(contend_run(&stuck, 2, &o, &trial), -ETIMEDOUT);
}

static void a_stop_ends_the_trial_at_once(void **state)
{
	struct contend_options o = options(100000);
	struct contend_trial trial;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "", 1), 1);
	o.stop_fd = fds[0];
	assert_int_equal(contend_run(&syncop_mutex, 2, &o, &trial), -EINTR);
	assert_int_equal(contend_run(&syncop_barrier, 2, &o, &trial), -EINTR);
	assert_int_equal(contend_run(&syncop_sysv_barrier, 2, &o, &trial),
			 -EINTR);
	close(fds[0]);
	close(fds[1]);
}

/* Half a table is not to be shown. */
static void a_stop_leaves_no_rows(void **state)
{
	const struct syncop *const ops[] = {&syncop_mutex, NULL};
	const struct contend_options o = options(100000);
	struct syncs_plan plan = {.ops = ops,
				  .trials = 3,
				  .trial_ns = o.trial_ns,
				  .cpus = {o.cpus[0], o.cpus[1]}};
	struct syncs syncs;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "", 1), 1);
	plan.stop_fd = fds[0];
	assert_int_equal(syncs_run(&plan, &syncs), -EINTR);
	assert_int_equal(syncs.n, 0);
	close(fds[0]);
	close(fds[1]);
}

static int fail_to_create(void **state, int members)
{
	(void)state;
	(void)members;
	return -ENOSPC;
}

static void what_cannot_be_made_is_a_row_that_says_so(void **state)
{
	const struct syncop none = {.name = "none",
				    .title = "None",
				    .create = fail_to_create,
				    .enter = nothing,
				    .destroy = destroy_nothing};
	const struct syncop *const ops[] = {&none, &syncop_mutex, NULL};
	const struct contend_options o = options(1);
	struct syncs_plan plan = {.ops = ops,
				  .trials = 3,
				  .trial_ns = o.trial_ns,
				  .cpus = {o.cpus[0], o.cpus[1]}};
	struct syncs syncs;

	(void)state;
	assert_int_equal(syncs_run(&plan, &syncs), 0);
	assert_int_equal(syncs.n, 2);
	assert_int_equal(syncs.row[0].error, -ENOSPC);
	assert_string_equal(syncs.row[0].why, "No space left on device");
	assert_int_equal(syncs.row[1].error, 0);
	assert_true(syncs.row[1].alone.ops_per_s > 0);
	assert_true(syncs.row[1].contended.ops_per_s > 0);
}

/* ---- JSON ----------------------------------------------------------------------------- */

static struct syncs sample(void)
{
	struct syncs syncs = {.n = 2};

	syncs.row[0] = (struct syncs_row){
		.name = "mutex",
		.title = "Mutex",
		.alone = {1e7, 0.25, 20.5, 1},
		.contended = {5e6, 0.5, 300, 0.375},
	};
	syncs.row[1] = (struct syncs_row){.name = "barrier",
					  .title = "Barrier",
					  .meets = true,
					  .error = -ENOSYS,
					  .why = "not here"};
	return syncs;
}

static json_t *sample_to_json(void)
{
	struct syncs syncs = sample();

	return json_pack("{s:o}", "sync", syncs_to_json(&syncs));
}

static void what_is_written_is_read_back(void **state)
{
	struct syncs wanted = sample(), got;
	json_t *json = sample_to_json();
	char why[RESULTS_WHY];

	(void)state;
	assert_non_null(json);
	assert_int_equal(syncs_from_json(json, &syncs_kind_sync, &got, why), 0);
	assert_int_equal(got.n, 2);
	assert_memory_equal(&got.row[0], &wanted.row[0], sizeof(got.row[0]));
	assert_memory_equal(&got.row[1], &wanted.row[1], sizeof(got.row[1]));
	json_decref(json);
}

static void results_without_a_sync_table_have_no_rows(void **state)
{
	json_t *json = json_object();
	char why[RESULTS_WHY];
	struct syncs syncs;

	(void)state;
	assert_int_equal(syncs_from_json(json, &syncs_kind_sync, &syncs, why),
			 0);
	assert_int_equal(syncs.n, 0);
	json_decref(json);
}

static void assert_unsound(json_t *json, const char *wanted)
{
	char why[RESULTS_WHY] = "";
	struct syncs syncs;

	assert_int_equal(syncs_from_json(json, &syncs_kind_sync, &syncs, why),
			 -EBADMSG);
	assert_non_null(strstr(why, wanted));
	assert_int_equal(syncs.n, 0);
	json_decref(json);
}

/* The sample with one field of its first row replaced. */
static json_t *with_field(const char *key, json_t *value)
{
	json_t *json = sample_to_json();
	json_t *row = json_array_get(json_object_get(json, "sync"), 0);

	assert_int_equal(json_object_set_new(row, key, value), 0);
	return json;
}

static void unsound_rows_are_refused(void **state)
{
	json_t *many = json_array();

	(void)state;
	for (int i = 0; i <= SYNCS_MAX; i++)
		json_array_append_new(many, json_object());
	assert_unsound(json_pack("{s:o}", "sync", many), "sync has over 64");
	assert_unsound(json_pack("{s:i}", "sync", 1), "sync is not an array");
	assert_unsound(json_pack("{s:[i]}", "sync", 1), "sync[0]");
	assert_unsound(with_field("name", json_integer(1)), "name");
	assert_unsound(with_field("title", json_string("a\nb")), "title");
	assert_unsound(with_field("meets", json_string("yes")), "meets");
	assert_unsound(with_field("alone", json_null()), "alone");
	assert_unsound(with_field("contended", json_object()), "ops_per_s");
	assert_unsound(with_field("error", json_pack("{s:i, s:s}", "errno", 0,
						     "why", "?")),
		       "errno is 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_primitive_keeps_its_promise),
		cmocka_unit_test(every_primitive_says_what_it_is),
		cmocka_unit_test(what_does_not_work_here_says_why),
		cmocka_unit_test(a_lock_that_lets_two_in_has_no_figure),
		cmocka_unit_test(a_meeting_that_nobody_waits_for_has_no_figure),
		cmocka_unit_test(a_meeting_is_one_operation),
		cmocka_unit_test(what_a_member_met_is_what_is_said),
		cmocka_unit_test(a_member_that_hangs_is_killed),
		cmocka_unit_test(a_stop_ends_the_trial_at_once),
		cmocka_unit_test(a_stop_leaves_no_rows),
		cmocka_unit_test(what_cannot_be_made_is_a_row_that_says_so),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(results_without_a_sync_table_have_no_rows),
		cmocka_unit_test(unsound_rows_are_refused),
	};

	return SUPPORT_MAIN(tests);
}
