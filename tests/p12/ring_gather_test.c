/* When a receiver lets messages gather, and when it looks at once: told by its
 * pauses and its looks at the clock, which are counted here. */
#include "tests/p12/ring_fixture.h"

#include <errno.h>
#include <sched.h>

#include "p12-shm-ring/ring_handle.h"

static unsigned int pauses, clock_looks;

void __wrap_ring_pause(void);
void __wrap_ring_pause(void)
{
	pauses++;
}

/* A clock that shows some more each time. */
static int64_t clock_step = TICK_US;

int64_t __wrap_tick_now(void);
int64_t __wrap_tick_now(void)
{
	static int64_t now = TICK_S;

	clock_looks++;
	return now += clock_step;
}

bool __wrap_tick_is_over(int64_t deadline);
bool __wrap_tick_is_over(int64_t deadline)
{
	return __wrap_tick_now() >= deadline;
}

/* The pauses of a receiver in the midst of a stream, before it looks again. */
static unsigned int pauses_before_a_look(void)
{
	atomic_store(&rx->header->sender.cpu, 1);
	atomic_store(&rx->header->receiver.cpu, 2);
	rx->has_gathered = false;
	rx->is_streaming = true;
	pauses = 0;
	ring_gather(rx);
	return pauses;
}

static void nobody_waits_for_what_does_not_fit(void **state)
{
	static const size_t capacities[] = {4096, 8192, 16384, 65536};
	static char message[65536];

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		const size_t most = capacities[c] - 8;
		const size_t lengths[] = {
			0, 92, most / 4, most / 2 - 16, most / 2, most};

		for (size_t i = 0; i < 6; i++) {
			struct ring *pair[2];

			options.capacity = capacities[c];
			assert_int_equal(ring_pair(pair, &options), 0);
			tx = pair[RING_SENDER];
			rx = pair[RING_RECEIVER];
			while (ring_send(tx, message, lengths[i], at_once) == 0)
				;
			assert_int_equal(pauses_before_a_look(), 0);
			leave(NULL);
		}
	}
}

static void stream_is_waited_for_until_half_of_a_small_ring_is_there(
	void **state)
{
	static const char quarter[1024 - 8];
	unsigned int few;

	(void)state;
	few = pauses_before_a_look();
	assert_true(few > 0);
	assert_int_equal(ring_send(tx, quarter, sizeof(quarter), at_once), 0);
	assert_int_equal(pauses_before_a_look(), few);
	assert_int_equal(ring_send(tx, quarter, sizeof(quarter), at_once), 0);
	assert_int_equal(pauses_before_a_look(), 0);
}

static void who_shares_a_processor_looks_at_once(void **state)
{
	(void)state;
	assert_true(pauses_before_a_look() > 0);
	pauses = 0;
	rx->has_gathered = false;
	atomic_store(&rx->header->sender.cpu, 2);
	ring_gather(rx);
	assert_int_equal(pauses, 0);
}

/* Whether the receiver pauses before it looks, after a look that brought n. */
static bool pauses_after(uint64_t n)
{
	rx->taken += n;
	pauses = 0;
	ring_gather(rx);
	return pauses > 0;
}

static void one_now_and_then_is_not_waited_for_and_a_stream_is(void **state)
{
	unsigned int tries = 0;

	(void)state;
	atomic_store(&rx->header->sender.cpu, 1);
	atomic_store(&rx->header->receiver.cpu, 2);
	for (int i = 0; i < 2560; i++)
		tries += pauses_after(1);
	assert_int_equal(tries, 10); /* one in 256, in case it is a stream */
	assert_false(pauses_after(1));
	/* So many without a pause, then so many after each: a stream. */
	assert_false(pauses_after(15));
	assert_true(pauses_after(16));
	for (int i = 0; i < 100; i++)
		assert_true(pauses_after(4));
	assert_false(pauses_after(3));
}

static void who_has_closed_is_not_waited_for(void **state)
{
	static const enum ring_wait ways[] = {RING_SPIN, RING_BLOCK,
					      RING_ADAPTIVE};
	void *message;

	(void)state;
	for (int i = 0; i < 3; i++) {
		options.wait = ways[i];
		assert_int_equal(make(NULL), 0);
		ring_close(tx);
		tx = NULL;
		atomic_store(&rx->header->sender.cpu, CPU_SETSIZE);
		pauses = clock_looks = 0;
		clock_step = TICK_MS;
		assert_int_equal(
			ring_peek(rx, &message, __wrap_tick_now() + TICK_S),
			-EPIPE);
		assert_in_range(pauses, 0, 64);
		assert_in_range(clock_looks, 0, 8);
		assert_int_equal(ring_calls(rx).sleeps, 0);
		clock_step = TICK_US;
		leave(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_for_what_does_not_fit),
		cmocka_unit_test_setup_teardown(
			stream_is_waited_for_until_half_of_a_small_ring_is_there,
			make, leave),
		cmocka_unit_test_setup_teardown(
			who_shares_a_processor_looks_at_once, make, leave),
		cmocka_unit_test_setup_teardown(
			one_now_and_then_is_not_waited_for_and_a_stream_is,
			make, leave),
		cmocka_unit_test(who_has_closed_is_not_waited_for),
	};

	return SUPPORT_MAIN(tests);
}
