/* Several processes put items into one buffer and take items out of it; one is
 * struck wherever it is. All others put and take one more within a second, and no
 * item comes twice. Who comes from another PID namespace is refused. And who
 * scribbles over the buffer and dies keeps nobody for longer.
 * timeout: 900 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "lib/tick.h"
#include "p07-prodcons/bounded.h"
#include "p07-prodcons/bounded_layout.h"
#include "tests/support/scribbler.h"
#include "tests/support/support.h"
#include "tests/support/survivors.h"

#define NAME "/p07-survivors-test"

/* So small that most puts and takes have to wait. */
enum { MEMBERS = 4, CAPACITY = 2, MAKERS = 32, MANY = 1 << 20 };

struct stage {
	_Atomic uint32_t has_come[MAKERS][MANY / 32]; /* bits */
};

struct item {
	uint32_t maker, number, check;
};

static int enter(struct survivors_actor *self)
{
	static struct bounded buffer;

	self->own = &buffer;
	return bounded_open(&buffer, NAME, tick_after(TICK_S));
}

static uint32_t check_of(const struct item *item)
{
	return (item->maker + 1) * 2654435761U ^ item->number;
}

static bool is_new(struct stage *stage, const struct item *item)
{
	const uint32_t bit = UINT32_C(1) << (item->number % 32);

	return item->check == check_of(item) && item->maker < MAKERS &&
	       item->number < MANY &&
	       !(atomic_fetch_or(
			 &stage->has_come[item->maker][item->number / 32],
			 bit) &
		 bit);
}

/* As each puts one before it takes one, there is always one to be taken. */
static int put_and_take(struct survivors_actor *self)
{
	const int64_t deadline = tick_after(5 * TICK_S);
	struct item item = {survivors_self(self), (uint32_t)self->steps, 0};
	int error;

	if (self->steps >= MANY) /* of a victim that is not struck for long */
		return tick_sleep_until(tick_after(TICK_MS));
	item.check = check_of(&item);
	error = bounded_put(self->own, &item, deadline);
	if (!error)
		error = bounded_take(self->own, &item, deadline);
	if (error)
		return error;
	return is_new(self->stage, &item) ? 0 : -EBADE;
}

static void leave(struct survivors_actor *self)
{
	bounded_close(self->own);
}

static void prepare(void *stage)
{
	struct bounded buffer;

	(void)stage;
	assert_int_equal(bounded_create(&buffer, NAME, CAPACITY,
					sizeof(struct item), 0600),
			 0);
	bounded_close(&buffer);
}

static void clear(void *stage)
{
	(void)stage;
	assert_int_equal(bounded_remove(NAME), 0);
}

static void puts_and_takes_end_within_a_second_of_a_death(void **state)
{
	static const struct survivors_play play = {
		.name = "P07 buffer",
		.role = {{.name = "member",
			  .count = MEMBERS,
			  .enter = enter,
			  .step = put_and_take,
			  .leave = leave,
			  .refusal_elsewhere = -EXDEV}},
		.stage_bytes = sizeof(struct stage),
		.promise_ns = TICK_S,
		.calls = {SYS_futex},
		.prepare = prepare,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

/* ---- a scribbler -------------------------------------------------------------------- */

/* All but the C library's mutex, by which it can crash who locks it. */
static int scribble(struct survivors_actor *self)
{
	struct bounded *buffer = self->own;
	char *from = (char *)&buffer->state->taken;

	scribbler_scribble(self, from,
			   (size_t)((char *)(buffer->state + 1) - from));
	return tick_sleep_until(
		tick_after((int64_t)rng_below(&self->rng, 100) * TICK_US));
}

static int enter_to_scribble(struct survivors_actor *self)
{
	int error = enter(self);

	return self->is_successor ? 0 : error;
}

/* Whatever they are told, they are told in time. */
static int put_and_take_anything(struct survivors_actor *self)
{
	struct item item = {0};

	bounded_put(self->own, &item, tick_after(TICK_S / 2));
	bounded_take(self->own, &item, tick_after(TICK_S / 4));
	return 0;
}

static void who_scribbles_over_the_buffer_keeps_nobody_for_a_second(
	void **state)
{
	static const struct survivors_play play = {
		.name = "P07 scribbler",
		.role = {{.name = "member",
			  .count = MEMBERS,
			  .enter = enter,
			  .step = put_and_take_anything,
			  .leave = leave,
			  .is_never_struck = true},
			 {.name = "scribbler",
			  .count = 1,
			  .enter = enter_to_scribble,
			  .step = scribble,
			  .refusal_elsewhere = -EXDEV}},
		.stage_bytes = sizeof(struct stage),
		.promise_ns = TICK_S,
		.life_ns = 5 * TICK_MS,
		.prepare = prepare,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_scribbles_over_the_buffer_keeps_nobody_for_a_second),
		cmocka_unit_test(puts_and_takes_end_within_a_second_of_a_death),
	};

	return SUPPORT_MAIN(tests);
}
