/* The producer or the consumer of a queue by name is struck wherever it is, here or
 * in a PID namespace of its own: the other's next item goes through within a
 * second, with the successor, who is let in when the victim is dead and not
 * before. And who scribbles over the queue and dies keeps nobody for longer.
 * timeout: 900 */
#include "p15-spsc/spsc.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lib/tick.h"
#include "tests/support/scribbler.h"
#include "tests/support/survivors.h"

#define NAME "/p15-survivors-test"

enum { PRODUCING, CONSUMING, SCRIBBLING };
enum { CAPACITY = 64 };

struct stage {
	_Atomic uint64_t taken;   /* the index behind what was popped last */
	_Atomic bool has_left[2]; /* of a side: it did its part */
};

static void note_leaving(const struct survivors_actor *self)
{
	struct stage *stage = self->stage;

	atomic_store(&stage->has_left[self->role], true);
}

/* The other side has left, and was not killed. */
static bool is_end(const struct survivors_actor *self, int error)
{
	const struct stage *stage = self->stage;

	return error == -EPIPE &&
	       atomic_load(
		       &stage->has_left[PRODUCING + CONSUMING - self->role]);
}

/* ---- the producer ------------------------------------------------------------------- */

static int enter_producer(struct survivors_actor *self)
{
	static struct spsc_producer producer;

	self->own = &producer;
	return spsc_open_producer(&producer, NAME, sizeof(uint64_t), CAPACITY,
				  tick_after(TICK_S));
}

/* An item is its own index, so that one that is lost or comes twice shows. */
static int push(struct survivors_actor *self)
{
	struct spsc_producer *producer = self->own;
	const uint64_t item = producer->tail;
	int error;

	do
		error = spsc_push_until(producer, &item, sizeof(item),
					tick_after(5 * TICK_S));
	while (error == -EOWNERDEAD);
	return is_end(self, error) ? 0 : error;
}

static void leave_producer(struct survivors_actor *self)
{
	note_leaving(self);
	spsc_producer_close(self->own);
}

/* ---- the consumer ------------------------------------------------------------------- */

/* What its predecessor had popped and not released comes again. */
static int enter_consumer(struct survivors_actor *self)
{
	static struct spsc_consumer consumer;
	const struct stage *stage = self->stage;
	uint64_t taken;
	int error = spsc_open_consumer(&consumer, NAME, sizeof(uint64_t),
				       CAPACITY, tick_after(TICK_S));

	self->own = &consumer;
	if (error)
		return error;
	taken = atomic_load(&stage->taken);
	if (consumer.head > taken + 1 ||
	    taken > consumer.head + consumer.slack + 1)
		return -EBADE;
	return 0;
}

static int pop(struct survivors_actor *self)
{
	struct spsc_consumer *consumer = self->own;
	struct stage *stage = self->stage;
	const uint64_t index = consumer->head;
	uint64_t item = 0;
	int error;

	do
		error = spsc_pop_until(consumer, &item, sizeof(item),
				       tick_after(5 * TICK_S));
	while (error == -EOWNERDEAD);
	if (error)
		return is_end(self, error) ? 0 : error;
	atomic_store(&stage->taken, index + 1);
	return item == index ? 0 : -EBADE;
}

static void leave_consumer(struct survivors_actor *self)
{
	note_leaving(self);
	spsc_consumer_close(self->own);
}

static void clear(void *stage)
{
	(void)stage;
	assert_int_equal(spsc_remove(NAME), 0);
}

static const struct survivors_play play = {
	.name = "P15 queue",
	.role = {[PRODUCING] = {.name = "producer",
				.count = 1,
				.enter = enter_producer,
				.step = push,
				.leave = leave_producer,
				.refusal = -EBUSY},
		 [CONSUMING] = {.name = "consumer",
				.count = 1,
				.enter = enter_consumer,
				.step = pop,
				.leave = leave_consumer,
				.refusal = -EBUSY}},
	.stage_bytes = sizeof(struct stage),
	.promise_ns = TICK_S,
	.calls = {SYS_futex},
	.more = CAPACITY + 5, /* more than there is room for */
	.clear = clear,
};

static void one_item_goes_through_within_a_second_of_a_death(void **state)
{
	(void)state;
	survivors_play(&play);
}

/* ---- a scribbler -------------------------------------------------------------------- */

static int enter_to_scribble(struct survivors_actor *self)
{
	return scribbler_enter(self, NAME);
}

/* Whatever it is told, it is told in time. */
static int push_anything(struct survivors_actor *self)
{
	const uint64_t item = 0;

	spsc_push_until(self->own, &item, sizeof(item), tick_after(TICK_S / 2));
	return 0;
}

static int pop_anything(struct survivors_actor *self)
{
	uint64_t item;

	spsc_pop_until(self->own, &item, sizeof(item), tick_after(TICK_S / 2));
	return 0;
}

static void clear_anything(void *stage)
{
	(void)stage;
	assert_int_equal(shm_unlink(NAME), 0);
}

static void who_scribbles_over_the_queue_keeps_nobody_for_a_second(void **state)
{
	struct survivors_play scribbled = play;

	(void)state;
	scribbled.name = "P15 scribbler";
	scribbled.role[PRODUCING].is_never_struck = true;
	scribbled.role[PRODUCING].step = push_anything;
	scribbled.role[CONSUMING].is_never_struck = true;
	scribbled.role[CONSUMING].step = pop_anything;
	scribbled.role[SCRIBBLING] =
		(struct survivors_role){.name = "scribbler",
					.count = 1,
					.enter = enter_to_scribble,
					.step = scribbler_step};
	scribbled.life_ns = 5 * TICK_MS;
	scribbled.calls[0] = 0;
	scribbled.more = 0;
	scribbled.clear = clear_anything;
	survivors_play(&scribbled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			one_item_goes_through_within_a_second_of_a_death),
		cmocka_unit_test(
			who_scribbles_over_the_queue_keeps_nobody_for_a_second),
	};

	return SUPPORT_MAIN(tests);
}
