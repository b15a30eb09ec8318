/* Two threads, many sizes, and indices that wrap around on the way. */
#include "tests/support/support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p15-spsc/internal.h"

struct run {
	void *memory;
	size_t bytes, item_bytes, batch;
	uint64_t items;
	int failed[2];
};

static void fill(unsigned char *item, size_t bytes, uint64_t number)
{
	for (size_t i = 0; i < bytes; i++)
		item[i] = (unsigned char)(number * 31 + i);
}

static int push_all(struct run *run, struct spsc_producer *p)
{
	unsigned char items[8 * 256];
	const int64_t deadline = tick_after(100 * TICK_S);

	for (uint64_t next = 0; next < run->items;) {
		size_t n = run->batch;
		ssize_t moved;

		if (n > run->items - next)
			n = (size_t)(run->items - next);
		for (size_t i = 0; i < n; i++)
			fill(items + i * run->item_bytes, run->item_bytes,
			     next + i);
		if (n > 1)
			moved = spsc_push_many_until(p, items, n, deadline);
		else
			moved = spsc_push_until(p, items, run->item_bytes,
						deadline);
		if (moved < 0)
			return (int)moved;
		next += n > 1 ? (uint64_t)moved : 1;
	}
	return 0;
}

static void *produce(void *arg)
{
	struct run *run = arg;
	struct spsc_producer p;

	run->failed[0] = spsc_producer_attach(&p, run->memory, run->bytes,
					      run->item_bytes);
	if (!run->failed[0]) {
		run->failed[0] = push_all(run, &p);
		spsc_producer_close(&p);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct run *run = arg;
	const int64_t deadline = tick_after(100 * TICK_S);
	unsigned char got[256], wanted[256];
	struct spsc_consumer c;

	run->failed[1] = spsc_consumer_attach(&c, run->memory, run->bytes,
					      run->item_bytes);
	for (uint64_t i = 0; i < run->items && !run->failed[1]; i++) {
		run->failed[1] =
			spsc_pop_until(&c, got, run->item_bytes, deadline);
		fill(wanted, run->item_bytes, i);
		if (!run->failed[1] &&
		    memcmp(got, wanted, run->item_bytes) != 0)
			run->failed[1] = -EBADMSG;
	}
	return NULL;
}

static void pass(size_t item_bytes, uint64_t capacity, size_t batch)
{
	struct run run = {.item_bytes = item_bytes,
			  .batch = batch,
			  .items = support_is_stress()     ? 2000000
				   : support_is_valgrind() ? 500
							   : 4000};
	pthread_t thread[2];

	run.bytes = spsc_bytes(item_bytes, capacity);
	run.memory = aligned_alloc(SPSC_LINE, (run.bytes + SPSC_LINE - 1) &
						      -(size_t)SPSC_LINE);
	assert_non_null(run.memory);
	assert_int_equal(spsc_init_at(run.memory, run.bytes, item_bytes,
				      capacity, UINT64_MAX - run.items / 2),
			 0);
	assert_int_equal(pthread_create(&thread[0], NULL, produce, &run), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, consume, &run), 0);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	free(run.memory);
	assert_int_equal(run.failed[0], 0);
	assert_int_equal(run.failed[1], 0);
}

static void every_item_arrives_across_the_wrap_around(void **state)
{
	static const size_t sizes[] = {1, 8, 24, 64, 255};
	static const uint64_t capacities[] = {1, 2, 64, 1024};

	(void)state;
	for (size_t s = 0; s < 5; s++)
		for (size_t c = 0; c < 4; c++) {
			pass(sizes[s], capacities[c], 1);
			pass(sizes[s], capacities[c], 7);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_item_arrives_across_the_wrap_around),
	};

	return SUPPORT_MAIN(tests);
}
