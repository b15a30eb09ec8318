/* p07-prodcons/cmd/audit.h: what it does not let pass, and what it lets deaths
 * explain. */
#include "p07-prodcons/cmd/audit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/support.h"

enum { PRODUCERS = 3, ITEMS = 10 };

static struct audit *audit;
static uint64_t seen[PRODUCERS];

static int begin(void **state)
{
	(void)state;
	audit = audit_init(calloc(1, audit_bytes(PRODUCERS, ITEMS)), PRODUCERS,
			   ITEMS);
	return audit ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	free(audit);
	return 0;
}

static struct audit_item put(uint32_t producer, uint64_t sequence)
{
	struct audit_item item = audit_produce(audit, producer, sequence);

	audit_put(audit, &item);
	return item;
}

static void take(struct audit_item item)
{
	audit_before(audit, seen);
	assert_true(audit_taken(audit, seen, 1, &item) > 0);
}

static struct audit_verdict judge(uint32_t producers, uint32_t consumers,
				  uint64_t left)
{
	struct audit_deaths deaths = {producers, consumers, left};
	struct audit_verdict verdict;

	audit_judge(audit, &deaths, &verdict);
	return verdict;
}

static void everything(uint64_t but_not_taken, uint64_t but_not_put)
{
	for (uint32_t p = 1; p <= PRODUCERS; p++)
		for (uint64_t s = 1; s <= audit_share(audit, p); s++) {
			struct audit_item item = audit_produce(audit, p, s);

			if (audit_number(audit, &item) == but_not_put)
				continue;
			audit_put(audit, &item);
			if (audit_number(audit, &item) != but_not_taken)
				take(item);
		}
}

static void items_are_dealt_out_in_turn(void **state)
{
	struct audit_item item = put(2, 3);

	(void)state;
	assert_int_equal(audit_number(audit, &item), 8);
	assert_int_equal(audit_share(audit, 1), 4);
	assert_int_equal(audit_share(audit, 2), 3);
	assert_int_equal(audit_share(audit, 3), 3);
	assert_int_equal(audit_bytes(0, 1), 0);
	assert_int_equal(audit_bytes(1, 0), 0);
	assert_int_equal(audit_bytes(AUDIT_MEMBERS_MAX + 1, 1), 0);
	assert_int_equal(audit_bytes(1, AUDIT_ITEMS_MAX + 1), 0);
}

static void more_producers_than_items_leave_some_idle(void **state)
{
	struct audit *few = audit_init(calloc(1, audit_bytes(3, 2)), 3, 2);

	(void)state;
	assert_int_equal(audit_share(few, 2), 1);
	assert_int_equal(audit_share(few, 3), 0);
	free(few);
}

static void all_items_once_and_in_order_is_right(void **state)
{
	struct audit_verdict verdict;

	(void)state;
	everything(0, 0);
	verdict = judge(0, 0, 0);
	assert_string_equal(verdict.wrong, "");
	assert_true(verdict.is_explained);
	assert_int_equal(verdict.produced, ITEMS);
	assert_int_equal(verdict.consumed, ITEMS);
	assert_int_equal(verdict.gone.count, 0);
	assert_int_equal(audit_steps(audit), 2 * ITEMS);
}

static void item_taken_twice_is_seen(void **state)
{
	struct audit_item item = put(1, 1);

	(void)state;
	take(item);
	take(item);
	assert_string_equal(judge(0, 0, 0).wrong,
			    "C1 took item 1, which was taken before");
}

static void item_that_nobody_produced_is_seen(void **state)
{
	struct audit_item item = put(2, 1);

	(void)state;
	/* The same bytes in a run where P2 has not begun. */
	end(NULL);
	begin(NULL);
	take(item);
	assert_string_equal(judge(0, 0, 0).wrong,
			    "C1 took item 2, which P2 has not produced");
}

static void damaged_item_is_seen(void **state)
{
	struct audit_item good = put(1, 2), other = put(2, 1), bad[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		bad[i] = good;
	bad[0].producer = 2;
	bad[1].sequence = 1; /* half of another item */
	bad[2].check = other.check;
	memset(&bad[3], 0, sizeof(bad[3]));
	bad[4].producer = PRODUCERS + 1;
	bad[5].sequence = ITEMS;
	for (int i = 0; i < 6; i++) {
		audit_before(audit, seen);
		assert_int_equal(audit_taken(audit, seen, 2, &bad[i]), 0);
		assert_string_equal(judge(0, 0, 0).wrong,
				    "C2 took something that is no item");
		end(NULL);
		begin(NULL);
	}
}

/* As a producer of a longer run makes it, whole and with its check. */
static void item_behind_the_last_is_seen(void **state)
{
	struct audit *longer =
		audit_init(calloc(1, audit_bytes(PRODUCERS, 2 * ITEMS)),
			   PRODUCERS, 2 * ITEMS);
	struct audit_item item =
		audit_produce(longer, 1, audit_share(audit, 1) + 1);

	(void)state;
	audit_before(audit, seen);
	assert_int_equal(audit_taken(audit, seen, 1, &item), 0);
	assert_string_equal(judge(0, 0, 0).wrong,
			    "C1 took something that is no item");
	free(longer);
}

static void item_that_was_overtaken_is_seen(void **state)
{
	struct audit_item first = put(3, 1), second = put(3, 2);

	(void)state;
	take(second);
	take(first);
	assert_string_equal(judge(0, 0, 0).wrong,
			    "C1 took item 3 after a later one of P3");
}

static void late_note_of_a_good_take_is_not_overtaken(void **state)
{
	struct audit_item first = put(3, 1), second = put(3, 2);
	uint64_t before[PRODUCERS];

	(void)state;
	/* C1 takes the first, and is slow to say so. */
	audit_before(audit, before);
	audit_before(audit, seen);
	assert_int_equal(audit_taken(audit, seen, 2, &second), 6);
	assert_int_equal(audit_taken(audit, before, 1, &first), 3);
	assert_string_equal(judge(0, 0, 0).wrong, "");
}

/* Behind it is nothing that may be touched. */
static void what_it_says_it_takes_is_enough(void **state)
{
	const uint64_t items = 16; /* so that it ends with the page, aligned */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = audit_bytes(PRODUCERS, items);
	struct audit *old = audit;
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	assert_int_equal(bytes % sizeof(uint64_t), 0);
	audit = audit_init(pages + page - bytes, PRODUCERS, items);
	everything(0, 0);
	assert_int_equal(judge(0, 0, 0).consumed, items);
	audit = old;
	munmap(pages, 2 * page);
}

static void missing_item_needs_a_death(void **state)
{
	struct audit_verdict verdict;

	(void)state;
	everything(5, 0);
	verdict = judge(0, 0, 0);
	assert_int_equal(verdict.gone.count, 1);
	assert_int_equal(verdict.gone.number[0], 5);
	assert_false(verdict.is_explained);
	assert_false(judge(1, 0, 0).is_explained);
	assert_true(judge(0, 1, 0).is_explained);
	assert_true(judge(1, 0, 1).is_explained);
}

static void unfinished_put_needs_a_death(void **state)
{
	struct audit_verdict verdict;

	(void)state;
	everything(0, 5);
	verdict = judge(0, 0, 0);
	assert_int_equal(verdict.unput.count, 1);
	assert_int_equal(verdict.produced, ITEMS - 1);
	assert_false(verdict.is_explained);
	assert_true(judge(1, 0, 0).is_explained);
}

static void items_never_made_need_a_dead_producer(void **state)
{
	struct audit_verdict verdict;

	(void)state;
	take(put(1, 1));
	verdict = judge(0, 1, 0);
	assert_int_equal(verdict.unmade.count, ITEMS - 1);
	assert_int_equal(verdict.unmade.number[0], 2);
	assert_int_equal(verdict.unmade.number[AUDIT_LISTED - 1], 9);
	assert_false(verdict.is_explained);
	assert_true(judge(1, 0, 0).is_explained);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(items_are_dealt_out_in_turn),
		CASE(more_producers_than_items_leave_some_idle),
		CASE(all_items_once_and_in_order_is_right),
		CASE(item_taken_twice_is_seen),
		CASE(item_that_nobody_produced_is_seen),
		CASE(damaged_item_is_seen),
		CASE(item_behind_the_last_is_seen),
		CASE(item_that_was_overtaken_is_seen),
		CASE(late_note_of_a_good_take_is_not_overtaken),
		CASE(what_it_says_it_takes_is_enough),
		CASE(missing_item_needs_a_death),
		CASE(unfinished_put_needs_a_death),
		CASE(items_never_made_need_a_dead_producer),
	};
	return SUPPORT_MAIN(tests);
}
