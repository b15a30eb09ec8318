/* tick.c - all arithmetic saturates: a deadline never wraps into the past. */
#include "lib/tick.h"

#include <errno.h>
#include <limits.h>

/* The year 2200: still a valid time for every system call. */
static const int64_t FAR_FUTURE_S = INT64_C(7258118400);

static int64_t now_on(clockid_t clock)
{
	struct timespec ts;

	/* Cannot fail: both clocks exist and ts is ours. */
	clock_gettime(clock, &ts);
	return tick_from_timespec(ts);
}

int64_t tick_now(void)
{
	return now_on(CLOCK_MONOTONIC);
}

int64_t tick_after(int64_t timeout_ns)
{
	int64_t moment;

	if (timeout_ns < 0 ||
	    __builtin_add_overflow(tick_now(), timeout_ns, &moment))
		return TICK_NEVER;
	return moment;
}

int64_t tick_left(int64_t deadline)
{
	int64_t now;

	if (deadline == TICK_NEVER)
		return TICK_NEVER;
	now = tick_now();
	return deadline > now ? deadline - now : 0;
}

int tick_left_ms(int64_t deadline)
{
	int64_t left = tick_left(deadline), ms;

	if (left == TICK_NEVER)
		return -1;
	ms = left / TICK_MS + (left % TICK_MS != 0);
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

bool tick_is_over(int64_t deadline)
{
	return deadline != TICK_NEVER && tick_now() >= deadline;
}

struct timespec tick_to_timespec(int64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / TICK_S,
		.tv_nsec = ns % TICK_S,
	};

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += TICK_S;
	}
	return ts;
}

int64_t tick_from_timespec(struct timespec ts)
{
	int64_t ns;

	if (__builtin_mul_overflow(ts.tv_sec, TICK_S, &ns) ||
	    __builtin_add_overflow(ns, ts.tv_nsec, &ns))
		return ts.tv_sec < 0 ? INT64_MIN : TICK_NEVER;
	return ns;
}

struct timespec tick_to_realtime(int64_t deadline)
{
	int64_t moment;

	if (__builtin_add_overflow(now_on(CLOCK_REALTIME), tick_left(deadline),
				   &moment))
		return (struct timespec){.tv_sec = FAR_FUTURE_S};
	return tick_to_timespec(moment);
}

int tick_sleep_until(int64_t moment)
{
	struct timespec ts = tick_to_timespec(moment);

	if (moment <= 0)
		return 0;
	return -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}
