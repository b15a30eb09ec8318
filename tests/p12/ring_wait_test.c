/* The contract of p12-shm-ring/ring.h: room, ends and deadlines. */
#include "tests/p12/ring_fixture.h"

#include <errno.h>

#include "lib/tick.h"
#include "tests/support/interrupt.h"

/* What must come, and need not come soon. */
static int64_t soon(void)
{
	return tick_after(10 * TICK_S);
}

/* ---- room ---- */

static int make_dropping(void **state)
{
	options.overflow = RING_DROP_NEWEST;
	return make(state);
}

static unsigned int send_until_full(int error)
{
	char message[92] = {0};
	unsigned int n = 0;
	int rc;

	while ((rc = ring_send(tx, message, sizeof(message), at_once)) == 0)
		n++;
	assert_int_equal(rc, error);
	return n;
}

static void full_ring_blocks_and_what_is_read_makes_room(void **state)
{
	char buf[92];

	(void)state;
	assert_int_equal(send_until_full(-ETIMEDOUT), CAPACITY / 104);
	/* The receiver publishes lazily; that is not to be seen. */
	assert_int_equal(ring_recv(rx, buf, sizeof(buf), at_once), 92);
	assert_int_equal(ring_send(tx, buf, sizeof(buf), at_once), 0);
	assert_int_equal(ring_send(tx, buf, sizeof(buf), at_once), -ETIMEDOUT);
	assert_int_equal(ring_recv(rx, buf, sizeof(buf), at_once), 92);
	assert_int_equal(ring_send(tx, buf, sizeof(buf), soon()), 0);
	assert_int_equal(ring_dropped(tx), 0);
}

static void dropping_is_counted_and_harms_no_other_message(void **state)
{
	char buf[92];

	(void)state;
	send_text("first");
	send_until_full(-ENOBUFS);
	assert_int_equal(ring_dropped(tx), 1);
	assert_int_equal(ring_send(tx, buf, sizeof(buf), soon()), -ENOBUFS);
	assert_int_equal(ring_dropped(rx), 2);
	assert_next_is("first");
	assert_int_equal(ring_recv(rx, buf, sizeof(buf), at_once), 92);
	assert_int_equal(ring_send(tx, buf, sizeof(buf), at_once), 0);
	assert_int_equal(ring_dropped(tx), 2);
}

static void drained_is_when_all_is_released(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_drain(tx, at_once), 0);
	send_text("a");
	send_text("b");
	assert_int_equal(ring_drain(tx, at_once), -ETIMEDOUT);
	assert_next_is("a");
	assert_int_equal(ring_peek(rx, &message, at_once), 1);
	assert_int_equal(ring_drain(tx, at_once), -ETIMEDOUT);
	ring_release(rx);
	assert_int_equal(ring_drain(tx, soon()), 0);
	/* What was to be handed over later is handed over. */
	assert_int_equal(ring_reserve(tx, 1, &message, at_once), 0);
	memcpy(message, "c", 1);
	assert_int_equal(ring_commit_later(tx, 1), 0);
	assert_int_equal(ring_drain(tx, at_once), -ETIMEDOUT);
	assert_next_is("c");
	assert_int_equal(ring_drain(tx, at_once), 0);
}

/* ---- ends ---- */

static void closing_is_seen_after_the_last_message(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_peer(rx), 0);
	assert_int_equal(ring_reserve(tx, 4, &message, at_once), 0);
	memcpy(message, "last", 4);
	ring_commit_later(tx, 4);
	ring_close(tx);
	tx = NULL;
	assert_int_equal(ring_peer(rx), -EPIPE);
	assert_next_is("last");
	assert_int_equal(ring_peek(rx, &message, soon()), -EPIPE);
	assert_int_equal(ring_peek(rx, &message, at_once), -EPIPE);
}

static void death_is_seen_after_the_last_message(void **state)
{
	void *message;

	(void)state;
	send_text("last");
	ring_abandon(tx);
	tx = NULL;
	assert_next_is("last");
	assert_int_equal(ring_peek(rx, &message, soon()), -EOWNERDEAD);
	assert_int_equal(ring_peer(rx), -EOWNERDEAD);
}

static void sender_without_a_receiver_is_told_when_it_needs_one(void **state)
{
	char message[92] = {0};

	(void)state;
	ring_close(rx);
	rx = NULL;
	assert_int_equal(send_until_full(-EPIPE), CAPACITY / 104);
	assert_int_equal(ring_send(tx, message, 92, soon()), -EPIPE);
	assert_int_equal(ring_drain(tx, soon()), -EPIPE);
}

/* ---- deadlines ---- */

static void waits_end_by_their_deadline(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_peek(rx, &message, tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	send_until_full(-ETIMEDOUT);
	assert_int_equal(
		ring_reserve(tx, 92, &message, tick_after(20 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(ring_drain(tx, tick_after(20 * TICK_MS)), -ETIMEDOUT);
}

static int make_blocking(void **state)
{
	options.wait = RING_BLOCK;
	return make(state);
}

static int make_spinning(void **state)
{
	options.wait = RING_SPIN;
	return make(state);
}

static void signals_end_a_sleep(void **state)
{
	void *message;
	int rc;

	(void)state;
	interrupt_start();
	rc = (int)ring_peek(rx, &message, soon());
	interrupt_stop();
	assert_int_equal(rc, -EINTR);
}

int main(void)
{
#define CASE(name, setup) cmocka_unit_test_setup_teardown(name, setup, leave)
	const struct CMUnitTest tests[] = {
		CASE(full_ring_blocks_and_what_is_read_makes_room, make),
		CASE(dropping_is_counted_and_harms_no_other_message,
		     make_dropping),
		CASE(drained_is_when_all_is_released, make),
		CASE(closing_is_seen_after_the_last_message, make),
		CASE(death_is_seen_after_the_last_message, make),
		CASE(sender_without_a_receiver_is_told_when_it_needs_one, make),
		CASE(waits_end_by_their_deadline, make),
		CASE(waits_end_by_their_deadline, make_blocking),
		CASE(waits_end_by_their_deadline, make_spinning),
		CASE(signals_end_a_sleep, make_blocking),
	};

	return SUPPORT_MAIN(tests);
}
