/* Linked with --wrap=clock_gettime: the clock can be made to stand still. */
#include "lib/tick.h"

#include "tests/support/interrupt.h"
#include "tests/support/support.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

static bool is_frozen;
static int64_t frozen_monotonic, frozen_realtime;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (!is_frozen)
		return __real_clock_gettime(clock, ts);
	*ts = tick_to_timespec(clock == CLOCK_REALTIME ? frozen_realtime
						       : frozen_monotonic);
	return 0;
}

static int freeze(void **state)
{
	(void)state;
	is_frozen = true;
	frozen_monotonic = 1000 * TICK_S;
	frozen_realtime = 1700000000 * TICK_S;
	return 0;
}

static int thaw(void **state)
{
	(void)state;
	is_frozen = false;
	return 0;
}

static void deadline_of_a_timeout_is_that_far_ahead(void **state)
{
	(void)state;
	assert_int_equal(tick_now(), 1000 * TICK_S);
	assert_int_equal(tick_after(0), 1000 * TICK_S);
	assert_int_equal(tick_after(5 * TICK_MS), 1000 * TICK_S + 5 * TICK_MS);
}

static void timeout_beyond_the_clock_is_never(void **state)
{
	(void)state;
	assert_int_equal(tick_after(-1), TICK_NEVER);
	assert_int_equal(tick_after(INT64_MIN), TICK_NEVER);
	assert_int_equal(tick_after(INT64_MAX), TICK_NEVER);
	assert_int_equal(tick_after(INT64_MAX - 999 * TICK_S), TICK_NEVER);
	assert_int_equal(tick_after(INT64_MAX - 1000 * TICK_S - 1),
			 INT64_MAX - 1);
}

static void time_left_is_never_negative(void **state)
{
	(void)state;
	assert_int_equal(tick_left(1001 * TICK_S), TICK_S);
	assert_int_equal(tick_left(1000 * TICK_S), 0);
	assert_int_equal(tick_left(0), 0);
	assert_int_equal(tick_left(INT64_MIN), 0);
	assert_int_equal(tick_left(TICK_NEVER), TICK_NEVER);
	assert_int_equal(tick_left_ms(INT64_MIN), 0);
	assert_int_equal(tick_left_ms(TICK_NEVER), -1);
}

static void milliseconds_left_are_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(tick_left_ms(tick_after(0)), 0);
	assert_int_equal(tick_left_ms(tick_after(1)), 1);
	assert_int_equal(tick_left_ms(tick_after(TICK_MS)), 1);
	assert_int_equal(tick_left_ms(tick_after(TICK_MS + 1)), 2);
	assert_int_equal(tick_left_ms(tick_after(INT_MAX * TICK_MS)), INT_MAX);
	assert_int_equal(tick_left_ms(tick_after(INT_MAX * TICK_MS + 1)),
			 INT_MAX);
	assert_int_equal(tick_left_ms(TICK_NEVER - 1), INT_MAX);
}

static void deadline_is_over_at_its_very_moment(void **state)
{
	(void)state;
	assert_true(tick_is_over(1000 * TICK_S));
	assert_true(tick_is_over(INT64_MIN));
	assert_false(tick_is_over(1000 * TICK_S + 1));
	assert_false(tick_is_over(TICK_NEVER));
	frozen_monotonic++;
	assert_true(tick_is_over(1000 * TICK_S + 1));
}

static void timespec_and_back_is_the_same(void **state)
{
	static const int64_t values[] = {
		0,  1,       TICK_S - 1,  TICK_S,    TICK_S + 1,
		-1, -TICK_S, -TICK_S - 1, INT64_MAX, INT64_MIN + TICK_S};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct timespec ts = tick_to_timespec(values[i]);

		assert_in_range(ts.tv_nsec, 0, TICK_S - 1);
		assert_int_equal(tick_from_timespec(ts), values[i]);
	}
}

static void timespec_that_does_not_fit_is_the_nearest_that_does(void **state)
{
	const struct timespec late = {.tv_sec = INT64_MAX / TICK_S + 1};
	const struct timespec later = {.tv_sec = INT64_MAX, .tv_nsec = 1};
	const struct timespec last = {.tv_sec = INT64_MAX / TICK_S,
				      .tv_nsec = TICK_S - 1};
	const struct timespec early = {.tv_sec = INT64_MIN};

	(void)state;
	assert_int_equal(tick_from_timespec(late), TICK_NEVER);
	assert_int_equal(tick_from_timespec(later), TICK_NEVER);
	assert_int_equal(tick_from_timespec(last), TICK_NEVER);
	assert_int_equal(tick_from_timespec(early), INT64_MIN);
}

static void realtime_deadline_is_as_far_away(void **state)
{
	struct timespec ts = tick_to_realtime(tick_after(1500 * TICK_MS));

	(void)state;
	assert_int_equal(ts.tv_sec, 1700000001);
	assert_int_equal(ts.tv_nsec, 500 * TICK_MS);
	ts = tick_to_realtime(0);
	assert_int_equal(ts.tv_sec, 1700000000);
	assert_int_equal(ts.tv_nsec, 0);
}

static void never_is_a_realtime_that_the_kernel_accepts(void **state)
{
	static const int64_t values[] = {TICK_NEVER, TICK_NEVER - 1};
	sem_t sem;

	(void)state;
	assert_int_equal(sem_init(&sem, 0, 0), 0);
	interrupt_start();
	for (size_t i = 0; i < 2; i++) {
		struct timespec ts = tick_to_realtime(values[i]);

		assert_true(ts.tv_sec > 1800000000);
		assert_int_equal(sem_timedwait(&sem, &ts), -1);
		assert_int_equal(errno, EINTR);
	}
	interrupt_stop();
	sem_destroy(&sem);
}

static void poll_with_time_left_does_not_return_early(void **state)
{
	int64_t deadline = tick_after(3 * TICK_MS + TICK_US);

	(void)state;
	assert_int_equal(poll(NULL, 0, tick_left_ms(deadline)), 0);
	assert_true(tick_is_over(deadline));
}

static void sleep_ends_at_its_moment_and_not_before(void **state)
{
	int64_t moment = tick_after(3 * TICK_MS);

	(void)state;
	assert_int_equal(tick_sleep_until(moment), 0);
	assert_true(tick_now() >= moment);
	assert_int_equal(tick_sleep_until(moment), 0);
	assert_int_equal(tick_sleep_until(0), 0);
	assert_int_equal(tick_sleep_until(INT64_MIN), 0);
}

static void sleep_is_ended_by_a_handler(void **state)
{
	(void)state;
	interrupt_start();
	assert_int_equal(tick_sleep_until(TICK_NEVER), -EINTR);
	interrupt_stop();
}

#define FROZEN(test) cmocka_unit_test_setup_teardown(test, freeze, thaw)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROZEN(deadline_of_a_timeout_is_that_far_ahead),
		FROZEN(timeout_beyond_the_clock_is_never),
		FROZEN(time_left_is_never_negative),
		FROZEN(milliseconds_left_are_rounded_up),
		FROZEN(deadline_is_over_at_its_very_moment),
		FROZEN(realtime_deadline_is_as_far_away),
		cmocka_unit_test(timespec_and_back_is_the_same),
		cmocka_unit_test(
			timespec_that_does_not_fit_is_the_nearest_that_does),
		cmocka_unit_test(never_is_a_realtime_that_the_kernel_accepts),
		cmocka_unit_test(poll_with_time_left_does_not_return_early),
		cmocka_unit_test(sleep_ends_at_its_moment_and_not_before),
		cmocka_unit_test(sleep_is_ended_by_a_handler),
	};

	return SUPPORT_MAIN(tests);
}
