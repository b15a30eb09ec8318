/* Measuring, on a pipe that can be made to misbehave in one of the sides. */
#include "p06-bench/measure.h"

#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p06-bench/machine.h"
#include "p06-bench/table.h"

/* ---- a pipe with faults ----------------------------------------------------- */

enum fault {
	NO_FAULT,
	FLIP_A_BIT,
	LOSE_A_MESSAGE,
	SEND_TWICE,
	FAIL,
	DIE,
	HANG,
	ASK_TO_STOP,
};

/* Set by a case, inherited by the sides. */
static struct {
	enum fault fault;
	enum mechanism_side side;    /* in which it happens */
	uint64_t at;                 /* at which of its messages */
	int64_t send_ns, receive_ns; /* how long each takes at least */
	int stop_writer;
	int create_error, check_error;

	/* Involuntary switches of side A: one from this message on, or 100
	 * more whenever it asks. */
	uint64_t switch_at;
	bool switches_always;
} plan;

static enum mechanism_side my_side;
static uint64_t n_sent;

/* The weather is ours to make: no involuntary switch but those of the plan,
 * and an empty /proc/stat. */
int __real_getrusage(int who, struct rusage *ru);
int __wrap_getrusage(int who, struct rusage *ru);
int __wrap_getrusage(int who, struct rusage *ru)
{
	static long asked;
	int r = __real_getrusage(who, ru);

	ru->ru_nivcsw = 0;
	if (my_side == MECHANISM_A && plan.switches_always)
		ru->ru_nivcsw = 100 * ++asked;
	else if (my_side == MECHANISM_A && plan.switch_at)
		ru->ru_nivcsw = n_sent >= plan.switch_at;
	return r;
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)offset;
	return 0;
}

static int faulty_check(size_t message_bytes, char *why, size_t why_size)
{
	(void)message_bytes;
	if (plan.check_error)
		snprintf(why, why_size, "limit 5 bytes; raise: nothing");
	return plan.check_error;
}

static int faulty_create(void **channel, size_t message_bytes)
{
	if (plan.create_error)
		return plan.create_error;
	return mech_pipe.create(channel, message_bytes);
}

static int faulty_attach(void *channel, enum mechanism_side side)
{
	my_side = side;
	n_sent = 0;
	return mech_pipe.attach(channel, side);
}

static int faulty_send(void *channel, const void *message)
{
	unsigned char damaged[1024];

	if (plan.send_ns)
		tick_sleep_until(tick_after(plan.send_ns));
	if (n_sent++ != plan.at || plan.fault == NO_FAULT ||
	    my_side != plan.side)
		return mech_pipe.send(channel, message);
	switch (plan.fault) {
	case FLIP_A_BIT:
		memcpy(damaged, message, sizeof(damaged));
		damaged[777] ^= 1;
		return mech_pipe.send(channel, damaged);
	case LOSE_A_MESSAGE:
		return 0;
	case SEND_TWICE:
		mech_pipe.send(channel, message);
		return mech_pipe.send(channel, message);
	case FAIL:
		return -EIO;
	case DIE:
		raise(SIGKILL);
		return 0;
	case ASK_TO_STOP:
		fdio_write_full(plan.stop_writer, "!", 1);
		pause();
		return 0;
	default:
		pause();
		return 0;
	}
}

static int faulty_receive(void *channel, void *message)
{
	if (plan.receive_ns)
		tick_sleep_until(tick_after(plan.receive_ns));
	return mech_pipe.receive(channel, message);
}

static void faulty_destroy(void *channel)
{
	mech_pipe.destroy(channel);
}

static const struct mechanism faulty = {
	.name = "faulty",
	.title = "Faulty Pipe",
	.summary = "a pipe with faults",
	.check = faulty_check,
	.create = faulty_create,
	.attach = faulty_attach,
	.send = faulty_send,
	.receive = faulty_receive,
	.destroy = faulty_destroy,
};

/* ---- what every case needs ------------------------------------------------------ */

static int fds_before;

static int reset(void **state)
{
	(void)state;
	memset(&plan, 0, sizeof(plan));
	fds_before = support_count_fds();
	return 0;
}

/* No child and no descriptor may be left, whatever happened. */
static int assert_clean(void **state)
{
	(void)state;
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		print_error("a child is left\n");
		return 1;
	}
	return support_count_fds() == fds_before ? 0 : 1;
}

static struct measure_options few(uint64_t iterations)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	o.iterations = iterations;
	o.trials = 1;
	o.placement = MEASURE_UNPINNED;
	o.deadline = tick_after(60 * TICK_S);
	return o;
}

/* Measure with this fault; the row must have no figures but this reason. */
static void assert_row_fails(enum fault fault, enum mechanism_side side,
			     uint64_t at, int error, const char *why)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	plan.fault = fault;
	plan.side = side;
	plan.at = at;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_string_equal(result.why, why);
	assert_int_equal(result.error, error);
	assert_int_equal(result.trials, 0);
	assert_true(result.median.bytes_per_s == 0);
	measure_free(&result);
}

/* ---- cases ------------------------------------------------------------------------ */

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

static void flipped_bit_fails_the_row(void **state)
{
	(void)state;
	assert_row_fails(FLIP_A_BIT, MECHANISM_A, 150, -EBADMSG,
			 "side B, message 49 arrived damaged: Bad message");
}

static void bit_flipped_on_the_way_back_fails_the_row(void **state)
{
	(void)state;
	assert_row_fails(FLIP_A_BIT, MECHANISM_B, 0, -EBADMSG,
			 "side A, message 100 arrived damaged: Bad message");
}

static void lost_message_fails_the_row(void **state)
{
	(void)state;
	assert_row_fails(
		LOSE_A_MESSAGE, MECHANISM_A, 150, -EBADMSG,
		"side B, message 50 arrived in place of 49: Bad message");
}

static void doubled_message_fails_the_row(void **state)
{
	(void)state;
	assert_row_fails(
		SEND_TWICE, MECHANISM_A, 150, -EBADMSG,
		"side B, message 49 arrived in place of 50: Bad message");
}

static void failing_call_is_the_rows_reason(void **state)
{
	(void)state;
	assert_row_fails(FAIL, MECHANISM_A, 150, -EIO,
			 "side A, sending message 49: Input/output error");
}

static void killed_sender_gives_a_row_without_figures_at_once(void **state)
{
	int64_t start = tick_now();

	(void)state;
	assert_row_fails(DIE, MECHANISM_A, 150, -EPIPE,
			 "side A killed by SIGKILL");
	assert_true(tick_now() - start < 2 * TICK_S);
}

static void killed_receiver_gives_a_row_without_figures_at_once(void **state)
{
	int64_t start = tick_now();

	(void)state;
	assert_row_fails(DIE, MECHANISM_B, 3, -EPIPE,
			 "side B killed by SIGKILL");
	assert_true(tick_now() - start < 2 * TICK_S);
}

static void hanging_side_is_stopped(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.fault = HANG;
	o.max_ns = 10 * TICK_MS;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, -ETIMEDOUT);
	assert_non_null(strstr(result.why, "no end after"));
	measure_free(&result);
}

static void deadline_ends_a_run_that_hangs(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.fault = HANG;
	o.deadline = tick_after(100 * TICK_MS);
	assert_int_equal(measure_run(&faulty, &o, &result), -ETIMEDOUT);
	measure_free(&result);
}

static void stop_ends_a_run(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;
	int fds[2];

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	plan.fault = ASK_TO_STOP;
	plan.at = 700;
	plan.stop_writer = fds[1];
	o.stop_fd = fds[0];
	assert_int_equal(measure_run(&faulty, &o, &result), -EINTR);
	measure_free(&result);
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
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

static void size_beyond_a_limit_is_the_rows_reason(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.check_error = -EMSGSIZE;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, -EMSGSIZE);
	assert_string_equal(result.why, "limit 5 bytes; raise: nothing");
	measure_free(&result);
}

static void channel_that_cannot_be_made_is_the_rows_reason(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	plan.create_error = -ENOSPC;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, -ENOSPC);
	assert_string_equal(result.why,
			    "cannot be set up: No space left on device");
	measure_free(&result);
}

static void missing_cpu_is_the_rows_reason(void **state)
{
	struct measure_options o = few(1000);
	struct measure_result result;

	(void)state;
	o.placement = MEASURE_ONE_CPU;
	o.cpus[0] = 1023;
	assert_int_equal(measure_run(&faulty, &o, &result), 0);
	assert_int_equal(result.error, -EINVAL);
	assert_non_null(strstr(result.why, "going to its CPU"));
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
		cmocka_unit_test_setup_teardown(
			figures_rest_on_all_messages_when_nothing_goes_wrong,
			reset, assert_clean),
		cmocka_unit_test_setup_teardown(flipped_bit_fails_the_row,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(
			bit_flipped_on_the_way_back_fails_the_row, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(lost_message_fails_the_row,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(doubled_message_fails_the_row,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(failing_call_is_the_rows_reason,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(
			killed_sender_gives_a_row_without_figures_at_once,
			reset, assert_clean),
		cmocka_unit_test_setup_teardown(
			killed_receiver_gives_a_row_without_figures_at_once,
			reset, assert_clean),
		cmocka_unit_test_setup_teardown(hanging_side_is_stopped, reset,
						assert_clean),
		cmocka_unit_test_setup_teardown(deadline_ends_a_run_that_hangs,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(stop_ends_a_run, reset,
						assert_clean),
		cmocka_unit_test_setup_teardown(
			clock_runs_until_the_last_message_is_read, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(latency_is_a_whole_round_trip,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(
			slow_mechanism_is_cut_down_to_its_time, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(
			disturbed_block_is_thrown_away_and_run_again, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(
			row_that_is_always_disturbed_says_so, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(
			size_beyond_a_limit_is_the_rows_reason, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(
			channel_that_cannot_be_made_is_the_rows_reason, reset,
			assert_clean),
		cmocka_unit_test_setup_teardown(missing_cpu_is_the_rows_reason,
						reset, assert_clean),
		cmocka_unit_test_setup_teardown(
			options_out_of_range_are_refused, reset, assert_clean),
		cmocka_unit_test_setup_teardown(single_message_is_enough, reset,
						assert_clean),
		cmocka_unit_test_setup_teardown(
			line_between_two_cpus_takes_time, reset, assert_clean),
	};

	return SUPPORT_MAIN(tests);
}
