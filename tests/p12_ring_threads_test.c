/* A sender and a receiver at once, as threads: every message, in order. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "lib/rng.h"
#include "lib/tick.h"

enum { MESSAGES = 3000, LONGEST = 1500 };

static int64_t soon(void)
{
	return tick_after(60 * TICK_S);
}

/* Both sides draw the same lengths. */
static size_t next_length(struct rng *rng)
{
	return 4 + (size_t)rng_below(rng, rng_below(rng, 8) ? 60 : LONGEST);
}

static void *send_all(void *arg)
{
	struct ring *ring = arg;
	struct rng rng;
	void *message;

	rng_seed(&rng, 7);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		size_t len = next_length(&rng);

		if (ring_reserve(ring, len, &message, soon()))
			return message;
		memset(message, (int)i, len);
		memcpy(message, &i, sizeof(i));
		if (i % 3)
			ring_commit(ring, len);
		else
			ring_commit_later(ring, len);
	}
	ring_close(ring);
	return NULL;
}

static void assert_all_arrive(enum ring_wait wait)
{
	const struct ring_options options = {.capacity = 4096, .wait = wait};
	struct ring *pair[2];
	pthread_t sender;
	struct rng rng;
	unsigned char *bytes;
	void *message, *result;
	uint32_t number;

	assert_int_equal(ring_pair(pair, &options), 0);
	assert_int_equal(
		pthread_create(&sender, NULL, send_all, pair[RING_SENDER]), 0);
	rng_seed(&rng, 7);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		size_t len = next_length(&rng);

		assert_int_equal(
			ring_peek(pair[RING_RECEIVER], &message, soon()), len);
		bytes = message;
		memcpy(&number, bytes, sizeof(number));
		assert_int_equal(number, i);
		for (size_t k = sizeof(number); k < len; k++)
			if (bytes[k] != (unsigned char)i)
				fail_msg("message %u is torn", i);
		ring_release(pair[RING_RECEIVER]);
	}
	assert_int_equal(ring_peek(pair[RING_RECEIVER], &message, soon()),
			 -EPIPE);
	assert_int_equal(pthread_join(sender, &result), 0);
	assert_null(result);
	ring_close(pair[RING_RECEIVER]);
}

static void all_arrive_when_sides_sleep(void **state)
{
	(void)state;
	assert_all_arrive(RING_BLOCK);
}

static void all_arrive_when_sides_spin(void **state)
{
	(void)state;
	assert_all_arrive(RING_SPIN);
}

static void all_arrive_when_sides_adapt(void **state)
{
	(void)state;
	assert_all_arrive(RING_ADAPTIVE);
}

static const char message_of_92[92];

static void *wait_for_room(void *arg)
{
	return ring_send(arg, message_of_92, 92, soon()) ? arg : NULL;
}

/* A receiver publishes what it has released only with the next 512 bytes, or
 * before it waits itself; this one does neither. */
static void wait_for_room_ends_though_the_receiver_only_owes_it(void **state)
{
	const struct ring_options options = {.capacity = 4096,
					     .wait = RING_BLOCK};
	struct ring *pair[2];
	pthread_t sender;
	void *message, *result;

	(void)state;
	assert_int_equal(ring_pair(pair, &options), 0);
	for (int i = 0; i < 4096 / 104; i++)
		assert_int_equal(
			ring_send(pair[RING_SENDER], message_of_92, 92, 0), 0);
	assert_int_equal(ring_peek(pair[RING_RECEIVER], &message, 0), 92);
	assert_int_equal(
		pthread_create(&sender, NULL, wait_for_room, pair[RING_SENDER]),
		0);
	ring_release(pair[RING_RECEIVER]);
	assert_int_equal(pthread_join(sender, &result), 0);
	assert_null(result);
	ring_close(pair[RING_SENDER]);
	ring_close(pair[RING_RECEIVER]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_arrive_when_sides_sleep),
		cmocka_unit_test(all_arrive_when_sides_spin),
		cmocka_unit_test(all_arrive_when_sides_adapt),
		cmocka_unit_test(
			wait_for_room_ends_though_the_receiver_only_owes_it),
	};

	return SUPPORT_MAIN(tests);
}
