/* The contract of p12-shm-ring/ring.h, both sides in one thread: nothing here
 * depends on who runs when. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <string.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"

enum { CAPACITY = 4096 };

/* What must come, and need not come soon. */
static int64_t soon(void)
{
	return tick_after(10 * TICK_S);
}

/* A moment that is over: try, and do not wait. */
static const int64_t at_once = 0;

static struct ring *tx, *rx;
static struct ring_options options;

static int make(void **state)
{
	(void)state;
	options.capacity = CAPACITY;
	struct ring *pair[2] = {NULL, NULL};
	int rc = ring_pair(pair, &options);

	tx = pair[RING_SENDER];
	rx = pair[RING_RECEIVER];
	return rc;
}

static int leave(void **state)
{
	(void)state;
	ring_close(tx);
	ring_close(rx);
	tx = rx = NULL;
	memset(&options, 0, sizeof(options));
	return 0;
}

static int make_dropping(void **state)
{
	options.overflow = RING_DROP_NEWEST;
	return make(state);
}

static void send_text(const char *text)
{
	assert_int_equal(ring_send(tx, text, strlen(text), at_once), 0);
}

static void assert_next_is(const char *text)
{
	char buf[CAPACITY];
	ssize_t len = ring_recv(rx, buf, sizeof(buf), at_once);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void assert_empty(void)
{
	void *message;

	assert_int_equal(ring_peek(rx, &message, at_once), -ETIMEDOUT);
}

/* ---- messages ---- */

static void fill(unsigned char *bytes, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(seed * 31 + i * 7);
}

static void assert_filled(const unsigned char *bytes, size_t len,
			  unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != (unsigned char)(seed * 31 + i * 7))
			fail_msg("message %u: byte %zu is wrong", seed, i);
}

static void messages_of_any_length_come_whole_and_in_order(void **state)
{
	unsigned int sent = 0, received = 0;
	size_t length[64] = {0}, next;
	struct rng rng;
	void *message;
	ssize_t len;

	(void)state;
	rng_seed(&rng, 12);
	while (received < 20000) {
		next = (size_t)rng_below(
			&rng,
			rng_below(&rng, 4) ? 200 : ring_message_max(tx) + 1);
		if (sent - received < 64 &&
		    ring_reserve(tx, next, &message, at_once) == 0) {
			fill(message, next, sent);
			ring_commit(tx, next);
			length[sent++ % 64] = next;
			continue;
		}
		assert_true(received < sent);
		len = ring_peek(rx, &message, at_once);
		assert_int_equal(len, length[received % 64]);
		assert_filled(message, (size_t)len, received++);
		ring_release(rx);
	}
}

static void message_across_the_end_is_in_one_piece(void **state)
{
	unsigned char half[CAPACITY / 2 + 100];
	void *first, *again;
	ssize_t len;

	(void)state;
	fill(half, sizeof(half), 1);
	assert_int_equal(ring_send(tx, half, sizeof(half), at_once), 0);
	assert_true(ring_peek(rx, &first, at_once) > 0);
	ring_release(rx);
	/* It begins behind the middle, and is longer than what is left. */
	assert_int_equal(ring_send(tx, half, sizeof(half), at_once), 0);
	len = ring_peek(rx, &again, at_once);
	assert_int_equal(len, sizeof(half));
	assert_filled(again, sizeof(half), 1);
	assert_true((unsigned char *)again + len >
		    (unsigned char *)first + CAPACITY - 8);
}

static void longest_message_fills_the_ring_and_a_longer_one_is_refused(
	void **state)
{
	static unsigned char big[CAPACITY];
	void *message;

	(void)state;
	assert_int_equal(ring_capacity(tx), CAPACITY);
	assert_int_equal(ring_message_max(tx), CAPACITY - 8);
	for (unsigned int i = 0; i < 3; i++) {
		fill(big, ring_message_max(tx), i);
		assert_int_equal(
			ring_send(tx, big, ring_message_max(tx), at_once), 0);
		assert_int_equal(ring_send(tx, "", 0, at_once), -ETIMEDOUT);
		assert_int_equal(ring_peek(rx, &message, at_once),
				 ring_message_max(rx));
		assert_filled(message, ring_message_max(rx), i);
		ring_release(rx);
	}
	assert_int_equal(
		ring_reserve(tx, ring_message_max(tx) + 1, &message, at_once),
		-EMSGSIZE);
	assert_int_equal(ring_reserve(tx, SIZE_MAX, &message, at_once),
			 -EMSGSIZE);
}

static void empty_messages_are_messages(void **state)
{
	(void)state;
	send_text("");
	send_text("x");
	send_text("");
	assert_next_is("");
	assert_next_is("x");
	assert_next_is("");
	assert_empty();
}

static void what_is_reserved_is_not_there_before_its_commit(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_reserve(tx, 100, &message, at_once), 0);
	memset(message, 'x', 100);
	assert_empty();
	/* A second reservation replaces the first. */
	assert_int_equal(ring_reserve(tx, 50, &message, at_once), 0);
	memcpy(message, "short", 5);
	ring_commit(tx, 5);
	assert_next_is("short");
	assert_empty();
}

static void commit_beyond_or_without_a_reservation_is_nothing(void **state)
{
	void *message;

	(void)state;
	ring_commit(tx, 8);
	assert_empty();
	assert_int_equal(ring_reserve(tx, 8, &message, at_once), 0);
	ring_commit(tx, 9);
	ring_commit(tx, SIZE_MAX);
	assert_empty();
	memcpy(message, "12345678", 8);
	ring_commit(tx, 8);
	ring_commit(tx, 8);
	assert_next_is("12345678");
	assert_empty();
}

static void committed_later_comes_with_the_next_or_a_flush(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_reserve(tx, 1, &message, at_once), 0);
	memcpy(message, "a", 1);
	ring_commit_later(tx, 1);
	assert_empty();
	send_text("b");
	assert_next_is("a");
	assert_next_is("b");
	assert_int_equal(ring_reserve(tx, 1, &message, at_once), 0);
	memcpy(message, "c", 1);
	ring_commit_later(tx, 1);
	assert_empty();
	ring_flush(tx);
	assert_next_is("c");
}

static void peeking_again_shows_the_same_and_short_room_keeps_it(void **state)
{
	char buf[4];
	void *one, *two;

	(void)state;
	send_text("twice");
	assert_int_equal(ring_peek(rx, &one, at_once), 5);
	assert_int_equal(ring_peek(rx, &two, at_once), 5);
	assert_ptr_equal(one, two);
	assert_int_equal(ring_recv(rx, buf, sizeof(buf), at_once), -EMSGSIZE);
	assert_next_is("twice");
	assert_empty();
}

static void batches_go_and_come_at_once(void **state)
{
	char text[] = "abc";
	static char big[CAPACITY / 2];
	struct iovec out[4] = {
		{text, 1}, {text + 1, 1}, {text + 2, 1}, {big, sizeof(big)}};
	struct iovec in[8];

	(void)state;
	assert_int_equal(ring_send_batch(tx, out, 3, at_once), 3);
	assert_int_equal(ring_peek_batch(rx, in, 2, at_once), 2);
	assert_int_equal(in[1].iov_len, 1);
	assert_memory_equal(in[1].iov_base, "b", 1);
	ring_release(rx);
	assert_next_is("c");
	assert_int_equal(ring_peek_batch(rx, in, 8, at_once), -ETIMEDOUT);
	/* Only for the first is there a wait. */
	out[1] = out[2] = out[3];
	assert_int_equal(ring_send_batch(tx, out, 4, at_once), 2);
	assert_int_equal(ring_peek_batch(rx, in, 8, at_once), 2);
	assert_int_equal(in[1].iov_len, sizeof(big));
	ring_release(rx);
	assert_int_equal(ring_send_batch(tx, out, 0, at_once), 0);
}

/* ---- room ---- */

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
		CASE(messages_of_any_length_come_whole_and_in_order, make),
		CASE(message_across_the_end_is_in_one_piece, make),
		CASE(longest_message_fills_the_ring_and_a_longer_one_is_refused,
		     make),
		CASE(empty_messages_are_messages, make),
		CASE(what_is_reserved_is_not_there_before_its_commit, make),
		CASE(commit_beyond_or_without_a_reservation_is_nothing, make),
		CASE(committed_later_comes_with_the_next_or_a_flush, make),
		CASE(peeking_again_shows_the_same_and_short_room_keeps_it,
		     make),
		CASE(batches_go_and_come_at_once, make),
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
