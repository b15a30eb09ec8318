/* Measuring what goes wrong: a row has no figures then, but the reason; and it
 * ends. */
#include "tests/p06/measure_fixture.h"

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

/* At once: who is waited for until the time is over has not ended, but "no end
 * after" so long. */
static void killed_sender_gives_a_row_without_figures_at_once(void **state)
{
	(void)state;
	assert_row_fails(DIE, MECHANISM_A, 150, -EPIPE,
			 "side A killed by SIGKILL");
}

static void killed_receiver_gives_a_row_without_figures_at_once(void **state)
{
	(void)state;
	assert_row_fails(DIE, MECHANISM_B, 3, -EPIPE,
			 "side B killed by SIGKILL");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(flipped_bit_fails_the_row),
		CASE(bit_flipped_on_the_way_back_fails_the_row),
		CASE(lost_message_fails_the_row),
		CASE(doubled_message_fails_the_row),
		CASE(failing_call_is_the_rows_reason),
		CASE(killed_sender_gives_a_row_without_figures_at_once),
		CASE(killed_receiver_gives_a_row_without_figures_at_once),
		CASE(hanging_side_is_stopped),
		CASE(deadline_ends_a_run_that_hangs),
		CASE(stop_ends_a_run),
		CASE(size_beyond_a_limit_is_the_rows_reason),
		CASE(channel_that_cannot_be_made_is_the_rows_reason),
		CASE(missing_cpu_is_the_rows_reason),
	};

	return SUPPORT_MAIN(tests);
}
