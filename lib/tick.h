/* tick.h - monotonic nanoseconds and deadlines.
 *
 * A moment is an int64_t of nanoseconds on CLOCK_MONOTONIC, a deadline is a
 * moment or TICK_NEVER. Every wait in this project takes a deadline and not a
 * timeout, so that a wait which is interrupted and goes on does not start its
 * time anew. All functions are async-signal-safe and may be called by any
 * thread.
 */
#ifndef UNIXIPC_LIB_TICK_H
#define UNIXIPC_LIB_TICK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define TICK_NEVER INT64_MAX
#define TICK_US INT64_C(1000)
#define TICK_MS INT64_C(1000000)
#define TICK_S INT64_C(1000000000)

#ifdef __cplusplus
extern "C" {
#endif

/* Now. */
int64_t tick_now(void);

/* The moment timeout_ns from now; negative, or too far for the clock, is
 * TICK_NEVER. */
int64_t tick_after(int64_t timeout_ns);

/* Nanoseconds left until the deadline, never negative; TICK_NEVER stays. */
int64_t tick_left(int64_t deadline);

/* The same for poll(2): milliseconds, rounded up so that poll never returns
 * before the deadline (INT_MAX at most: 24 days); -1 for TICK_NEVER. */
int tick_left_ms(int64_t deadline);

bool tick_is_over(int64_t deadline);

/* A span or moment of the monotonic clock as struct timespec, and back, where
 * what does not fit an int64_t becomes the nearest that does. */
struct timespec tick_to_timespec(int64_t ns);
int64_t tick_from_timespec(struct timespec ts);

/* The deadline on CLOCK_REALTIME, for sem_timedwait and mq_timedsend, which
 * know no other clock. A clock that is set meanwhile moves it: callers check
 * tick_is_over() after ETIMEDOUT and wait again when it is not. TICK_NEVER
 * gives a moment in the far future. */
struct timespec tick_to_realtime(int64_t deadline);

/* Let the processor go until the moment; returns 0 or -EINTR. For pacing and
 * demonstrations, never for waiting until another process is ready. */
int tick_sleep_until(int64_t moment);

#ifdef __cplusplus
}
#endif

#endif
