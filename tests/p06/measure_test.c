/* Measuring, on a pipe that can be made slow, and under disturbances: what the
 * figures stand for. What goes wrong is in measure_fault_test.c. */
#include "tests/p06/measure_fixture.h"

#include "lib/measure/machine.h"

static void figures_rest_on_all_messages_when_nothing_goes_wrong(void **state)
{
	struct measure_options o = few(5000);
	struct measure_result result;

	(void)state;
	o.trials = 2;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.trials, 2);
	for (int i = 0; i < 2; i++) {
		const struct measure_trial *t = &result.trial[i];

		assert_int_equal(t->messages, 5000);
		assert_int_equal(t->round_trips, 1000);
		assert_true(t->bytes_per_s == t->messages_per_s * 1024);
		assert_true(t->rtt_p50 > 0 && t->rtt_p50 <= t->rtt_p99);
		assert_true(t->rtt_p99 <= t->rtt_p999);
		assert_true(t->rtt_p999 <= t->rtt_max);
		assert_true(t->rtt_mean > 0 && t->rtt_mean <= t->rtt_max);
		assert_true(t->cpu_ns > 0 && t->rtt_cpu_ns > 0);
		assert_true(t->rtt_switches > 0);
	}
	measure_free(&result);
}

/* All of it fits into the pipe, so the sender is done at once; the reader
 * takes 5 ms for each. */
static void clock_runs_until_the_last_message_is_read(void **state)
{
	struct measure_options o = few(30);
	struct measure_result result;

	(void)state;
	plan.receive_ns = 5 * TICK_MS;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.median.messages, 30);
	assert_true(result.median.messages_per_s <= 200);
	measure_free(&result);
}

static void latency_is_a_whole_round_trip(void **state)
{
	struct measure_options o = few(10);
	struct measure_result result;

	(void)state;
	plan.send_ns = 5 * TICK_MS; /* once there and once back */
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.median.round_trips, 10);
	assert_true(result.median.rtt_p50 >= 10 * TICK_MS);
	measure_free(&result);
}

static void slow_mechanism_is_cut_down_to_its_time(void **state)
{
	struct measure_options o = few(100000);
	struct measure_result result;
	int64_t start = tick_now();

	(void)state;
	plan.send_ns = TICK_MS;
	o.max_ns = 200 * TICK_MS;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_in_range(result.median.messages, 1, 1000);
	assert_in_range(result.median.round_trips, 1, 1000);
	assert_true(tick_now() - start < 20 * TICK_S);
	measure_free(&result);
}

/* Side A sends 101 messages to warm up, the stream of 1001, and 101 to warm up
 * the round trips, so this comes about in one block of those. */
static void disturbed_block_is_thrown_away_and_run_again(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.switch_at = 1250;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_in_range(result.median.disturbed, 1, 1000);
	assert_int_equal(result.median.round_trips, 1000);
	assert_false(result.median.is_disturbed);
	measure_free(&result);
}

static void row_that_is_always_disturbed_says_so(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.switches_always = true;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_true(result.median.is_disturbed);
	assert_int_equal(result.median.disturbed, 1000); /* the first stream */
	assert_int_equal(result.median.round_trips, 3000);
	measure_free(&result);
}

static void options_out_of_range_are_refused(void **state)
{
	struct measure_result result;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct measure_options o = few(1000);

		if (i == 0)
			o.message_bytes = MEASURE_MESSAGE_MIN - 1;
		else if (i == 1)
			o.message_bytes = MEASURE_MESSAGE_MAX + 1;
		else if (i == 2)
			o.iterations = 0;
		else if (i == 3)
			o.trials = 0;
		else
			o.trials = MEASURE_TRIALS_MAX + 1;
		assert_int_equal(measure_run(&faulty, &o, &result), -EINVAL);
		measure_free(&result);
	}
}

static void single_message_is_enough(void **state)
{
	struct measure_options o = few(1);
	struct measure_result result;

	(void)state;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(result.median.messages, 1);
	assert_int_equal(result.median.round_trips, 1);
	measure_free(&result);
}

static void line_between_two_cpus_takes_time(void **state)
{
	struct measure_options o = few(1);
	double ns = 0;

	(void)state;
	if (machine_cpus(o.cpus, 2) < 2)
		skip();
	assert_int_equal(measure_line_rtt(&o, &ns), 0);
	assert_true(ns > 1);
	o.cpus[1] = o.cpus[0];
	assert_int_equal(measure_line_rtt(&o, &ns), -ENODEV);
	o.cpus[1] = 1023;
	assert_int_equal(measure_line_rtt(&o, &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(figures_rest_on_all_messages_when_nothing_goes_wrong),
		CASE(clock_runs_until_the_last_message_is_read),
		CASE(latency_is_a_whole_round_trip),
		CASE(slow_mechanism_is_cut_down_to_its_time),
		CASE(disturbed_block_is_thrown_away_and_run_again),
		CASE(row_that_is_always_disturbed_says_so),
		CASE(options_out_of_range_are_refused),
		CASE(single_message_is_enough),
		CASE(line_between_two_cpus_takes_time),
	};

	return SUPPORT_MAIN(tests);
}
