#include "lib/measure/session.h"

#include "tests/support/support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p06-bench/table.h"

static const struct mechanism *const two[] = {&mech_pipe, &mech_shm_sem, NULL};
static const size_t sizes[] = {64, 100};
static const enum measure_placement placements[] = {MEASURE_UNPINNED,
						    MEASURE_ONE_CPU};

static struct {
	char order[200]; /* first letters of what was told */
	uint64_t last_done, total;
	int stop_writer; /* written to at the third step, when not 0 */
} heard;

static void listen(void *arg, uint64_t done, uint64_t total, const char *what)
{
	size_t len = strlen(heard.order);

	assert_ptr_equal(arg, &heard);
	if (len + 1 < sizeof(heard.order))
		heard.order[len] = what[0];
	heard.last_done = done;
	heard.total = total;
	if (len == 2 && heard.stop_writer)
		fdio_write_full(heard.stop_writer, "!", 1);
}

static struct session_plan plan_of(void)
{
	struct session_plan plan = {
		.mechanisms = two,
		.sizes = sizes,
		.n_sizes = 2,
		.placements = placements,
		.n_placements = 2,
		.options = MEASURE_OPTIONS_INIT,
		.progress = listen,
		.arg = &heard,
	};

	memset(&heard, 0, sizeof(heard));
	plan.options.iterations = 50;
	plan.options.trials = 2;
	plan.options.deadline = tick_after(60 * TICK_S);
	return plan;
}

static void rows_are_by_placement_then_size_then_mechanism(void **state)
{
	struct session_plan plan = plan_of();
	struct results results;
	size_t i = 0;

	(void)state;
	assert_int_equal(session_run(&plan, &results), 0);
	assert_int_equal(results.n, 8);
	for (int p = 0; p < 2; p++) {
		for (int s = 0; s < 2; s++) {
			for (int m = 0; m < 2; m++) {
				const struct results_row *row =
					&results.row[i++];
				const struct measure_options *o =
					&row->figures.options;

				assert_string_equal(row->name, two[m]->name);
				assert_int_equal(o->message_bytes, sizes[s]);
				assert_int_equal(o->placement, placements[p]);
				assert_int_equal(row->figures.trials, 2);
				assert_true(results_row_is_good(row));
			}
		}
	}
	results_free(&results);
}

/* Both trials of a row in a row would be "pppp…ssss…". */
static void trials_are_interleaved_over_all_rows(void **state)
{
	struct session_plan plan = plan_of();
	struct results results;

	(void)state;
	assert_int_equal(session_run(&plan, &results), 0);
	assert_string_equal(heard.order, "pspspspspspspsps");
	assert_int_equal(heard.last_done, 15);
	assert_int_equal(heard.total, 16);
	results_free(&results);
}

static void stop_halfway_gives_no_results(void **state)
{
	struct session_plan plan = plan_of();
	struct results results;
	int fds[2];

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	heard.stop_writer = fds[1];
	plan.options.stop_fd = fds[0];
	assert_int_equal(session_run(&plan, &results), -EINTR);
	assert_string_equal(heard.order, "psp");
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
}

static void deadline_gives_no_results(void **state)
{
	struct session_plan plan = plan_of();
	struct results results;

	(void)state;
	plan.options.deadline = tick_now();
	assert_int_equal(session_run(&plan, &results), -ETIMEDOUT);
}

static void nothing_to_measure_is_refused(void **state)
{
	static const struct mechanism *const none[] = {NULL};
	struct session_plan plan = plan_of();
	struct results results;

	(void)state;
	plan.mechanisms = none;
	assert_int_equal(session_run(&plan, &results), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			rows_are_by_placement_then_size_then_mechanism),
		cmocka_unit_test(trials_are_interleaved_over_all_rows),
		cmocka_unit_test(stop_halfway_gives_no_results),
		cmocka_unit_test(deadline_gives_no_results),
		cmocka_unit_test(nothing_to_measure_is_refused),
	};

	return SUPPORT_MAIN(tests);
}
