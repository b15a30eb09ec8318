/* The queue's own code, run in every order of its steps, with few items and the
 * indices about to wrap around; see explore.h. */
#include "tests/p15/steps_sides.h"

/* ---- exploring ---------------------------------------------------------------- */

static void make_queue(void)
{
	struct spsc *shared = (struct spsc *)memory;

	spsc_init_at(memory, sizeof(memory), 4, plan.capacity, FIRST);
	/* On the same CPU as far as they can tell: then they do not spin. */
	shared->cpu[0] = shared->cpu[1] = 1;
	arrived = 0;
	memset(&producer, 0, sizeof(producer));
	spsc_consumer_attach(&consumer, memory, sizeof(memory), 4);
}

static void make_both(void)
{
	make_queue();
	spsc_producer_attach(&producer, memory, sizeof(memory), 4);
}

static void choose(int (*produce)(void), int (*consume)(void))
{
	explore.prepare = make_both;
	explore.body[0] = produce;
	explore.body[1] = consume;
	explore.wanted[0] = explore.wanted[1] = 0;
	explore.slots = memory + sizeof(struct spsc);
	explore.item_bytes = 4;
	/* Which item is next follows from the index. */
	explore.known[0] = &producer;
	explore.known[1] = &consumer;
	explore.known_bytes = offsetof(struct spsc_producer, stride);
	explore.has_fences = true;
}

/* Whether nothing goes wrong in any order, for each capacity that small. The
 * number of orders grows fast: one item less will do but under stress. */
static bool holds(uint32_t items, uint64_t capacity_max)
{
	uint64_t states = 0;

	if (!support_is_stress() && items > 3) {
		items--;
		capacity_max = capacity_max > 2 ? 2 : capacity_max;
	}
	plan.items = items;
	for (plan.capacity = 1; plan.capacity <= capacity_max;
	     plan.capacity *= 2) {
		explore.n_slots = plan.capacity;
		if (!explore_all())
			return false;
		states += explore.states;
	}
	print_message("%ju states\n", (uintmax_t)states);
	return true;
}

static void items_arrive_once_and_in_order(void **state)
{
	(void)state;
	choose(push_one_by_one, pop_one_by_one);
	assert_true(holds(5, 4));
}

static void room_told_of_late_holds_nobody_up(void **state)
{
	(void)state;
	choose(push_one_by_one, pop_lazily);
	assert_true(holds(5, 4));
}

static void strides_that_end_before_the_room_lose_nothing(void **state)
{
	(void)state;
	choose(push_in_strides, pop_one_by_one);
	assert_true(holds(5, 4));
}

static void items_written_and_read_in_place_are_whole(void **state)
{
	(void)state;
	choose(write_in_place, read_in_place);
	assert_true(holds(5, 2));
}

static void batches_arrive_once_and_in_order(void **state)
{
	(void)state;
	for (plan.batch = 2; plan.batch <= 4; plan.batch++) {
		choose(push_batches, pop_batches);
		assert_true(holds(5, 4));
	}
	plan.batch = 2;
	choose(push_one_by_one, pop_batches);
	assert_true(holds(5, 2));
	choose(push_batches, pop_one_by_one);
	assert_true(holds(5, 2));
}

static void deferred_items_all_arrive(void **state)
{
	(void)state;
	choose(put_and_flush, pop_one_by_one);
	assert_true(holds(5, 4));
}

static void no_wake_up_is_lost(void **state)
{
	(void)state;
	choose(push_and_wait, pop_and_wait);
	assert_true(holds(2, 2));
}

static void no_wake_up_is_lost_without_membarrier(void **state)
{
	(void)state;
	choose(push_and_wait, pop_and_wait);
	explore.has_fences = false;
	assert_true(holds(2, 2));
}

static void end_comes_after_the_last_item(void **state)
{
	(void)state;
	choose(push_and_close, pop_to_the_end);
	explore.wanted[1] = -EPIPE;
	assert_true(holds(1, 1));
}

static void producer_learns_that_the_consumer_has_closed(void **state)
{
	(void)state;
	choose(push_until_refused, close_at_once);
	explore.wanted[0] = -EPIPE;
	assert_true(holds(2, 2));
	if (!support_is_stress())
		return;
	choose(push_until_refused, pop_one_and_close);
	explore.wanted[0] = -EPIPE;
	assert_true(holds(3, 1));
}

static void sleeper_hears_of_a_producer_that_attaches_late(void **state)
{
	(void)state;
	for (int fences = 0; fences < 2; fences++) {
		choose(attach_and_push, pop_and_wait);
		explore.prepare = make_queue;
		explore.has_fences = fences;
		assert_true(holds(1, 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_arrive_once_and_in_order),
		cmocka_unit_test(room_told_of_late_holds_nobody_up),
		cmocka_unit_test(strides_that_end_before_the_room_lose_nothing),
		cmocka_unit_test(items_written_and_read_in_place_are_whole),
		cmocka_unit_test(batches_arrive_once_and_in_order),
		cmocka_unit_test(deferred_items_all_arrive),
		cmocka_unit_test(no_wake_up_is_lost),
		cmocka_unit_test(no_wake_up_is_lost_without_membarrier),
		cmocka_unit_test(end_comes_after_the_last_item),
		cmocka_unit_test(producer_learns_that_the_consumer_has_closed),
		cmocka_unit_test(
			sleeper_hears_of_a_producer_that_attaches_late),
	};

	return SUPPORT_MAIN(tests);
}
