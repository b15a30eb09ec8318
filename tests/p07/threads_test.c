/* Threads at one buffer, all of them audited; for ThreadSanitizer too. And the
 * two classic mistakes, which this is here to catch: if instead of while, and
 * signal where broadcast is needed. */
#include "p07-prodcons/cmd/crew.h"

#include "tests/p07/fixture.h"

static struct role_plan plan(uint32_t producers, uint32_t consumers,
			     uint64_t items)
{
	return (struct role_plan){.members = {producers, consumers},
				  .items = items,
				  .is_quiet = true};
}

/* Run it to its end; a crew that is stuck cannot be ended, and is told. */
static void run(struct crew *crew, const struct role_plan *plan,
		uint32_t buffer_size, struct audit_verdict *verdict)
{
	struct audit_deaths deaths;
	char who[256];

	assert_int_equal(crew_init(crew, plan, buffer_size, false), 0);
	assert_int_equal(crew_start(crew), 0);
	if (crew_watch(crew, LIMIT, -1))
		fail_msg("deadlock: %s", crew_describe(crew, who, sizeof(who)));
	crew_reap(crew, &deaths);
	audit_judge(crew->audit, &deaths, verdict);
}

static void expect_all_right(const struct role_plan *plan, uint32_t buffer_size)
{
	struct audit_verdict verdict;
	struct crew crew;

	run(&crew, plan, buffer_size, &verdict);
	assert_string_equal(verdict.wrong, "");
	assert_int_equal(verdict.consumed, plan->items);
	assert_int_equal(verdict.produced, plan->items);
	assert_int_equal(fixture_look(&crew.buffer).taken, plan->items);
	for (uint32_t i = 0; i < crew.members; i++)
		assert_int_equal(crew.slot[i].error, 0);
	crew_fini(&crew);
}

static void many_threads_pass_every_item_once_and_in_order(void **state)
{
	static const uint32_t sizes[] = {1, 2, 10, 64};
	const struct role_plan many = plan(3, 2, 6000), one = plan(1, 1, 2000);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		expect_all_right(&many, sizes[i]);
		expect_all_right(&one, sizes[i]);
	}
}

static void random_pauses_change_nothing(void **state)
{
	struct role_plan random = plan(4, 3, 1000);
	uint64_t seeds = support_is_stress() ? 300 : 3;

	(void)state;
	random.is_random = true;
	for (random.seed = 1; random.seed <= seeds; random.seed++)
		expect_all_right(&random, 1 + (uint32_t)random.seed % 3);
}

/* Most of them find nothing to do again and again. */
static void many_who_wait_for_few_items_take_none_twice(void **state)
{
	struct role_plan crowd = plan(1, 20, 1000);

	(void)state;
	expect_all_right(&crowd, 1);
	crowd = plan(20, 1, 1000);
	expect_all_right(&crowd, 1);
	crowd = plan(40, 40, 20); /* half of them have nothing to do at all */
	expect_all_right(&crowd, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			many_threads_pass_every_item_once_and_in_order),
		cmocka_unit_test(random_pauses_change_nothing),
		cmocka_unit_test(many_who_wait_for_few_items_take_none_twice),
	};
	return SUPPORT_MAIN(tests);
}
