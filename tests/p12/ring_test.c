/* The contract of p12-shm-ring/ring.h: messages, one by one, in place and in
 * batches. */
#include "tests/p12/ring_fixture.h"

#include <errno.h>

#include "lib/rng.h"

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
			assert_int_equal(ring_commit(tx, next), 0);
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

/* Of UBSan's, which knows that memcpy(3) takes no NULL. */
static void empty_messages_need_no_memory(void **state)
{
	const struct iovec none = {0};

	(void)state;
	assert_int_equal(ring_send(tx, NULL, 0, at_once), 0);
	assert_int_equal(ring_send_batch(tx, &none, 1, at_once), 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ring_recv(rx, NULL, 0, at_once), 0);
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
	assert_int_equal(ring_commit(tx, 5), 0);
	assert_next_is("short");
	assert_empty();
}

static void commit_beyond_or_without_a_reservation_is_told(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_commit(tx, 8), -EINVAL);
	assert_int_equal(ring_commit_later(tx, 0), -EINVAL);
	assert_empty();
	assert_int_equal(ring_reserve(tx, 8, &message, at_once), 0);
	memcpy(message, "12345678", 8);
	assert_int_equal(ring_commit(tx, 9), -EMSGSIZE);
	assert_int_equal(ring_commit(tx, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(ring_commit_later(tx, 9), -EMSGSIZE);
	assert_empty();
	/* What was reserved is still ours. */
	assert_int_equal(ring_commit(tx, 8), 0);
	assert_int_equal(ring_commit(tx, 8), -EINVAL);
	assert_next_is("12345678");
	assert_empty();
}

static void committed_later_comes_with_the_next_or_a_flush(void **state)
{
	void *message;

	(void)state;
	assert_int_equal(ring_reserve(tx, 1, &message, at_once), 0);
	memcpy(message, "a", 1);
	assert_int_equal(ring_commit_later(tx, 1), 0);
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

static void committed_later_comes_when_there_is_no_room_for_more(void **state)
{
	unsigned int sent = 0;
	void *message;

	(void)state;
	while (ring_reserve(tx, 1000, &message, at_once) == 0) {
		memset(message, 'x', 1000);
		assert_int_equal(ring_commit_later(tx, 1000), 0);
		sent++;
	}
	assert_int_equal(sent, CAPACITY / 1008);
	for (; sent > 0; sent--) {
		assert_int_equal(ring_peek(rx, &message, at_once), 1000);
		ring_release(rx);
	}
	assert_empty();
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
	/* A longer one than there can be ends it, or is told. */
	for (size_t more = 1; more;
	     more = more == 1 ? SIZE_MAX - CAPACITY : 0) {
		out[1].iov_len = ring_message_max(tx) + more;
		assert_int_equal(ring_send_batch(tx, out, 2, at_once), 1);
		assert_int_equal(ring_send_batch(tx, out + 1, 1, at_once),
				 -EMSGSIZE);
		assert_next_is("a");
	}
}

static void batch_takes_room_that_came_since_the_last_look(void **state)
{
	static char most[CAPACITY / 8 - 8];
	struct iovec out[8], in[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		out[i] = (struct iovec){most, sizeof(most)};
	assert_int_equal(ring_send_batch(tx, out, 4, at_once), 4);
	assert_int_equal(ring_peek_batch(rx, in, 8, at_once), 4);
	ring_release(rx);
	assert_int_equal(ring_send_batch(tx, out, 8, at_once), 8);
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
		CASE(empty_messages_need_no_memory, make),
		CASE(what_is_reserved_is_not_there_before_its_commit, make),
		CASE(commit_beyond_or_without_a_reservation_is_told, make),
		CASE(committed_later_comes_with_the_next_or_a_flush, make),
		CASE(committed_later_comes_when_there_is_no_room_for_more,
		     make),
		CASE(peeking_again_shows_the_same_and_short_room_keeps_it,
		     make),
		CASE(batches_go_and_come_at_once, make),
		CASE(batch_takes_room_that_came_since_the_last_look, make),
	};

	return SUPPORT_MAIN(tests);
}
