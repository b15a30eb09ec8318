/* A sender and a receiver at once, as threads: every message, in order. */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "p12-shm-ring/ring_handle.h"

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

static void *send_late(void *arg)
{
	tick_sleep_until(tick_after(20 * TICK_MS));
	return ring_send(arg, "x", 1, soon()) ? arg : NULL;
}

/* Or it would spin for as long, again and again. */
static void one_long_wait_is_not_remembered_for_ever(void **state)
{
	const struct ring_options options = {.capacity = 4096};
	struct ring *pair[2];
	pthread_t sender;
	void *message, *result;

	(void)state;
	assert_int_equal(ring_pair(pair, &options), 0);
	assert_int_equal(
		pthread_create(&sender, NULL, send_late, pair[RING_SENDER]), 0);
	assert_int_equal(ring_peek(pair[RING_RECEIVER], &message, soon()), 1);
	assert_int_equal(pthread_join(sender, &result), 0);
	assert_null(result);
	assert_in_range(pair[RING_RECEIVER]->usual_wait_ns, 1, TICK_MS);
	ring_close(pair[RING_SENDER]);
	ring_close(pair[RING_RECEIVER]);
}

/* ---- on one processor, and from one to the other -------------------------- */

static void go_to_cpu(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	assert_int_equal(pthread_setaffinity_np(thread, sizeof(set), &set), 0);
}

/* Receive nothing for a moment, with the sender on the same processor. */
static struct ring_calls calls_of_a_wait(enum ring_wait wait, int64_t moment_ns)
{
	const struct ring_options options = {.capacity = 4096, .wait = wait};
	struct ring_calls calls;
	struct ring *pair[2];
	cpu_set_t before;
	void *message;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	go_to_cpu(pthread_self(), sched_getcpu());
	assert_int_equal(ring_pair(pair, &options), 0);
	assert_int_equal(
		ring_peek(pair[RING_RECEIVER], &message, tick_after(moment_ns)),
		-ETIMEDOUT);
	calls = ring_calls(pair[RING_RECEIVER]);
	ring_close(pair[RING_SENDER]);
	ring_close(pair[RING_RECEIVER]);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	return calls;
}

/* Of a wait that has come to its last way of waiting: who yields may be given
 * the processor back when the moment is over, so it may have to be longer. */
static struct ring_calls calls_of_a_whole_wait(enum ring_wait wait)
{
	struct ring_calls calls;

	for (int64_t moment_ns = 20 * TICK_MS;; moment_ns *= 2) {
		calls = calls_of_a_wait(wait, moment_ns);
		if (wait == RING_SPIN ? calls.yields > 0 : calls.sleeps > 0)
			return calls;
		assert_true(moment_ns < 20 * TICK_S);
	}
}

static void side_on_the_others_cpu_yields_once_before_it_sleeps(void **state)
{
	(void)state;
	assert_int_equal(calls_of_a_whole_wait(RING_ADAPTIVE).yields, 1);
	assert_int_equal(calls_of_a_whole_wait(RING_BLOCK).yields, 0);
	assert_int_equal(calls_of_a_whole_wait(RING_SPIN).sleeps, 0);
}

enum { TRIPS = 2000 };

struct player {
	struct ring *tx, *rx;
	bool asks;
	atomic_int *playing;
};

static void *play(void *arg)
{
	struct player *player = arg;
	uint32_t number;
	bool is_wrong = false;

	for (uint32_t i = 0; i < TRIPS && !is_wrong; i++) {
		if (player->asks)
			is_wrong = ring_send(player->tx, &i, sizeof(i), soon());
		is_wrong = is_wrong ||
			   ring_recv(player->rx, &number, sizeof(number),
				     soon()) != sizeof(number) ||
			   number != i;
		if (!player->asks && !is_wrong)
			is_wrong = ring_send(player->tx, &i, sizeof(i), soon());
	}
	atomic_fetch_sub(player->playing, 1);
	return is_wrong ? arg : NULL;
}

/* What a side knows of the other's processor may be wrong by the time that it
 * is used: it decides how to wait, and never whether it is woken. */
static void all_arrive_while_sides_are_moved_between_cpus(void **state)
{
	const struct ring_options options = {.capacity = 4096};
	struct ring *there[2], *back[2];
	atomic_int playing = 2;
	pthread_t thread[2];
	cpu_set_t allowed;
	struct rng rng;
	void *result;

	(void)state;
	rng_seed(&rng, 12);
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(ring_pair(there, &options), 0);
	assert_int_equal(ring_pair(back, &options), 0);
	struct player player[2] = {
		{there[RING_SENDER], back[RING_RECEIVER], true, &playing},
		{back[RING_SENDER], there[RING_RECEIVER], false, &playing}};
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, play, &player[i]), 0);
	while (atomic_load(&playing)) {
		int cpu = (int)rng_below(&rng, CPU_SETSIZE);

		if (!CPU_ISSET((size_t)cpu, &allowed))
			continue;
		go_to_cpu(thread[rng_below(&rng, 2)], cpu);
		/* They are to get somewhere in between. */
		tick_sleep_until(tick_after(50 * TICK_US));
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(thread[i], &result), 0);
		assert_null(result);
		ring_close(there[i]);
		ring_close(back[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_arrive_when_sides_sleep),
		cmocka_unit_test(all_arrive_when_sides_spin),
		cmocka_unit_test(all_arrive_when_sides_adapt),
		cmocka_unit_test(
			wait_for_room_ends_though_the_receiver_only_owes_it),
		cmocka_unit_test(one_long_wait_is_not_remembered_for_ever),
		cmocka_unit_test(
			side_on_the_others_cpu_yields_once_before_it_sleeps),
		cmocka_unit_test(all_arrive_while_sides_are_moved_between_cpus),
	};

	return SUPPORT_MAIN(tests);
}
