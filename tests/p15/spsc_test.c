/* Making a queue, attaching to it, and what comes of items. */
#include "p15-spsc/spsc.h"

#include "tests/support/support.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/tick.h"
#include "tests/p15/fixture.h"

/* ---- making and attaching ----------------------------------------------------- */

static void impossible_queues_are_refused(void **state)
{
	static _Alignas(SPSC_LINE) unsigned char memory[4096];

	(void)state;
	assert_int_equal(spsc_bytes(0, 8), 0);
	assert_int_equal(spsc_bytes(8, 0), 0);
	assert_int_equal(spsc_bytes(8, 12), 0);
	assert_int_equal(spsc_bytes(UINT64_C(1) << 40, UINT64_C(1) << 40), 0);
	assert_int_equal(spsc_bytes(UINT64_MAX, 2), 0);
	assert_int_equal(spsc_bytes(UINT64_C(1) << 23, UINT64_C(1) << 40), 0);
	assert_int_equal(spsc_bytes(8, SPSC_CAPACITY_MAX * 2), 0);
	assert_int_equal(spsc_init(memory, sizeof(memory), 8, 12), -EINVAL);
	assert_int_equal(spsc_init(memory + 64, 2048, 8, 16), -EINVAL);
	assert_int_equal(spsc_init(memory, spsc_bytes(8, 16) - 1, 8, 16),
			 -EINVAL);
	assert_int_equal(spsc_init(memory, spsc_bytes(8, 16), 8, 16), 0);
}

static void what_is_no_queue_is_not_attached_to(void **state)
{
	struct fixture f;
	struct spsc *shared;

	(void)state;
	make(&f, 8, 16);
	shared = f.memory;
	assert_int_equal(spsc_consumer_attach(&f.c, (char *)f.memory + 64,
					      f.bytes - 64, 8),
			 -EINVAL);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, 100, 8),
			 -EBADMSG);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes - 1, 8),
			 -EBADMSG);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 4),
			 -EMSGSIZE);
	shared->capacity = 32;
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EBADMSG);
	shared->capacity = 8; /* would fit, but is not what was made */
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EBADMSG);
	shared->capacity = 16;
	shared->version++;
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EPROTONOSUPPORT);
	shared->version--;
	shared->magic++;
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EBADMSG);
	shared->magic--;
	__atomic_store_n(&shared->tail, 17, __ATOMIC_SEQ_CST);
	__atomic_store_n(&shared->head, 0, __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_count(shared), 16);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8),
			 -EBADMSG);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8),
			 -EBADMSG);
	/* And nobody has the roles. */
	__atomic_store_n(&shared->tail, 16, __ATOMIC_SEQ_CST);
	assert_int_equal(spsc_consumer_attach(&f.c, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_producer_attach(&f.p, f.memory, f.bytes, 8), 0);
	unmake(&f);
}

static void nothing_is_read_beyond_the_memory(void **state)
{
	char *memory =
		mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct spsc_consumer c;

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(spsc_consumer_attach(&c, memory, 0, 8), -EBADMSG);
	munmap(memory, 4096);
}

static void each_role_is_taken_once(void **state)
{
	struct fixture f;
	struct spsc_producer p;
	struct spsc_consumer c;

	(void)state;
	make_both(&f, 8, 16);
	assert_int_equal(spsc_producer_attach(&p, f.memory, f.bytes, 8),
			 -EBUSY);
	assert_int_equal(spsc_consumer_attach(&c, f.memory, f.bytes, 8),
			 -EBUSY);
	spsc_producer_close(&f.p);
	assert_int_equal(spsc_producer_attach(&p, f.memory, f.bytes, 8), 0);
	assert_int_equal(spsc_consumer_attach(&c, f.memory, f.bytes, 8),
			 -EBUSY);
	unmake(&f);
}

static void two_mappings_at_two_addresses_are_one_queue(void **state)
{
	size_t bytes = spsc_bytes(8, 64);
	int fd = memfd_create("spsc", MFD_CLOEXEC);
	struct spsc_producer p;
	struct spsc_consumer c;
	void *map[2];

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	for (int i = 0; i < 2; i++) {
		map[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
		assert_ptr_not_equal(map[i], MAP_FAILED);
	}
	close(fd);
	assert_int_equal(spsc_init(map[0], bytes, 8, 64), 0);
	assert_int_equal(spsc_producer_attach(&p, map[0], bytes, 8), 0);
	assert_int_equal(spsc_consumer_attach(&c, map[1], bytes, 8), 0);
	for (uint64_t i = 0, got = 0; i < 200; i++) {
		assert_int_equal(spsc_try_push(&p, &i, 8), 0);
		assert_int_equal(spsc_try_pop(&c, &got, 8), 0);
		assert_int_equal(got, i);
	}
	munmap(map[0], bytes);
	munmap(map[1], bytes);
}

/* ---- items -------------------------------------------------------------------- */

static void items_of_any_size_come_out_as_they_went_in(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 24, 64, 100, 4096};
	unsigned char in[4096], out[4096];

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct fixture f;
		uint64_t next = 0;

		make_both(&f, sizes[s], 4);
		for (uint64_t i = 0; i < 23; i++) {
			memset(in, (int)i + 1, sizes[s]);
			assert_int_equal(spsc_try_push(&f.p, in, sizes[s]), 0);
			if (i % 3 == 0)
				continue; /* so that it holds one or two */
			for (int k = 0; k < 1 + (i % 3 == 2); k++, next++) {
				memset(in, (int)next + 1, sizes[s]);
				assert_int_equal(
					spsc_try_pop(&f.c, out, sizes[s]), 0);
				assert_memory_equal(in, out, sizes[s]);
			}
		}
		unmake(&f);
	}
}

static void wrong_size_is_refused_and_moves_nothing(void **state)
{
	struct fixture f;
	uint32_t small = 1;
	uint64_t item = 7;

	(void)state;
	make_both(&f, 8, 4);
	assert_int_equal(spsc_try_push(&f.p, &small, 4), -EMSGSIZE);
	assert_int_equal(spsc_try_put(&f.p, &small, 4), -EMSGSIZE);
	assert_int_equal(spsc_count(f.memory), 0);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	assert_int_equal(spsc_try_pop(&f.c, &small, 4), -EMSGSIZE);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
	assert_int_equal(item, 7);
	unmake(&f);
}

static void wrong_size_is_not_waited_with(void **state)
{
	int64_t deadline = tick_after(20 * TICK_S);
	uint64_t items[2] = {0}, large[2] = {0};
	struct fixture f;

	(void)state;
	make_both(&f, 8, 2);
	assert_int_equal(spsc_try_pop(&f.c, large, 16), -EMSGSIZE);
	assert_int_equal(spsc_pop_until(&f.c, large, 16, deadline), -EMSGSIZE);
	assert_int_equal(spsc_try_push_many(&f.p, items, 2), 2);
	assert_int_equal(spsc_try_push(&f.p, large, 16), -EMSGSIZE);
	assert_int_equal(spsc_try_put(&f.p, large, 16), -EMSGSIZE);
	assert_int_equal(spsc_push_until(&f.p, large, 16, deadline), -EMSGSIZE);
	unmake(&f);
}

static void full_and_empty_are_told(void **state)
{
	struct fixture f;
	uint64_t item = 0;

	(void)state;
	make_both(&f, 8, 16);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	for (uint64_t i = 0; i < 16; i++) {
		assert_int_equal(spsc_count(f.memory), i);
		assert_int_equal(spsc_try_push(&f.p, &i, 8), 0);
	}
	assert_int_equal(spsc_count(f.memory), 16);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), -EAGAIN);
	/* Room is told of in pieces of an eighth, or when asked to. */
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), -EAGAIN);
	spsc_consumer_flush(&f.c);
	assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	assert_int_equal(spsc_count(f.memory), 0);
	unmake(&f);
}

static uint64_t push_until_full(struct fixture *f)
{
	uint64_t item = 0, n = 0;
	int error;

	while (!(error = spsc_try_push(&f->p, &item, 8)))
		n++;
	assert_int_equal(error, -EAGAIN);
	return n;
}

static void room_is_told_of_by_eighths_and_when_it_is_empty(void **state)
{
	uint64_t item = 0;

	(void)state;
	for (uint64_t capacity = 8; capacity <= 64; capacity *= 2) {
		struct fixture f;

		make_both(&f, 8, capacity);
		assert_int_equal(push_until_full(&f), capacity);
		for (uint64_t i = 1; i < capacity / 8; i++) {
			assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
			assert_int_equal(push_until_full(&f), 0);
		}
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
		assert_int_equal(push_until_full(&f), capacity / 8);
		while (spsc_try_pop(&f.c, &item, 8) == 0)
			;
		assert_int_equal(spsc_try_push(&f.p, &item, 8), 0);
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
		assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
		assert_int_equal(push_until_full(&f), capacity);
		unmake(&f);
	}
}

static void items_can_be_written_and_read_in_place(void **state)
{
	struct fixture f;
	static unsigned char nowhere[64];
	void *slot = nowhere;
	const void *front = NULL;

	(void)state;
	make_both(&f, 64, 2);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(spsc_try_reserve(&f.p, &slot), 0);
		assert_int_equal((uintptr_t)slot % 64, 0);
		memset(slot, i, 64);
		assert_int_equal(spsc_try_front(&f.c, &front), -EAGAIN);
		spsc_commit(&f.p);
		assert_int_equal(spsc_try_front(&f.c, &front), 0);
		assert_ptr_equal(front, slot);
		spsc_release(&f.c);
	}
	unmake(&f);
}

static void batches_go_across_the_end_of_the_ring(void **state)
{
	struct fixture f;
	uint64_t in[16], out[16], next = 0, expected = 0;

	(void)state;
	make_both(&f, 8, 8);
	assert_int_equal(spsc_try_pop_many(&f.c, out, 5), -EAGAIN);
	for (size_t round = 0; round < 50; round++) {
		size_t n = round % 7 + 1;
		ssize_t moved;

		for (size_t i = 0; i < n; i++)
			in[i] = next + i;
		moved = spsc_try_push_many(&f.p, in, n);
		assert_in_range(moved, 1, n);
		next += (uint64_t)moved;
		moved = spsc_try_pop_many(&f.c, out, 16);
		assert_in_range(moved, 1, 8);
		for (ssize_t i = 0; i < moved; i++)
			assert_int_equal(out[i], expected++);
	}
	assert_int_equal(expected, next);
	/* What does not fit stays with the caller. */
	assert_int_equal(spsc_try_push_many(&f.p, in, 16), 8);
	assert_int_equal(spsc_try_push_many(&f.p, in, 1), -EAGAIN);
	assert_int_equal(spsc_try_push_many(&f.p, NULL, 0), 0);
	assert_int_equal(spsc_try_pop_many(&f.c, NULL, 0), 0);
	unmake(&f);
}

static void deferred_items_are_seen_after_a_flush(void **state)
{
	struct fixture f;
	uint64_t item = 1;

	(void)state;
	make_both(&f, 8, 64);
	assert_int_equal(spsc_try_put(&f.p, &item, 8), 0);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	spsc_flush(&f.p);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), 0);
	spsc_consumer_flush(&f.c);
	/* … or after so many, or when there is no room for more. */
	for (uint64_t i = 0; i < f.p.defer; i++)
		assert_int_equal(spsc_try_put(&f.p, &item, 8), 0);
	assert_int_equal(spsc_count(f.memory), f.p.defer);
	f.p.defer = 1000;
	while (spsc_try_put(&f.p, &item, 8) == 0)
		;
	assert_int_equal(spsc_count(f.memory), 64);
	unmake(&f);
}

/* Push until it is full, look after each item that no line is claimed that the
 * consumer may still be reading, and take n items out. */
static void fill_and_take(struct fixture *f, size_t bytes, size_t n)
{
	static unsigned char item[5000];
	int error;

	while (!(error = spsc_try_push(&f->p, item, bytes))) {
		assert_in_range(f->p.room - f->p.tail, 0, f->p.mask + 1);
		assert_true((int64_t)(f->p.room - f->p.claimed) >= 0);
		assert_true(f->p.limit - f->p.tail <= f->p.room - f->p.tail);
	}
	assert_int_equal(error, -EAGAIN);
	assert_int_equal(spsc_count(f->memory), f->p.mask + 1);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(spsc_try_pop(&f->c, item, bytes), 0);
	spsc_consumer_flush(&f->c);
}

static void only_lines_of_free_slots_are_claimed(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 64, 511, 513, 2048, 5000};
	static const size_t taken[] = {1, 7, 100, 129, 256, 63};
	static unsigned char batch[3 * 5000];

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct fixture f;

		make_both(&f, sizes[s], 256);
		for (size_t t = 0; t < sizeof(taken) / sizeof(taken[0]); t++) {
			fill_and_take(&f, sizes[s], taken[t]);
			assert_true(f.p.is_ahead);
			assert_in_range(spsc_try_push_many(&f.p, batch, 3), 1,
					3);
			assert_true((int64_t)(f.p.room - f.p.claimed) >= 0);
		}
		unmake(&f);
	}
}

static void push_and_pop(struct fixture *f, uint64_t n)
{
	uint64_t item = 0;

	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(spsc_try_push(&f->p, &item, 8), 0);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(spsc_try_pop(&f->c, &item, 8), 0);
}

static void consumer_pauses_in_a_stream_and_for_nobody_else(void **state)
{
	struct fixture f;
	uint64_t item = 0;

	(void)state;
	make_both(&f, 8, 4096);
	for (int i = 0; i < 100; i++)
		push_and_pop(&f, 1);
	assert_int_equal(f.c.slip, 0);
	for (int i = 0; i < 100; i++)
		push_and_pop(&f, SPSC_FEW);
	assert_int_equal(f.c.slip, SPSC_SLIP_MAX);
	push_and_pop(&f, 2 * f.c.lag);
	assert_int_equal(f.c.slip, SPSC_SLIP_MAX / 2);
	push_and_pop(&f, 1);
	assert_int_equal(f.c.slip, SPSC_SLIP_MAX / 4);
	assert_int_equal(spsc_try_pop(&f.c, &item, 8), -EAGAIN);
	assert_int_equal(f.c.slip, 0);
	unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_queues_are_refused),
		cmocka_unit_test(what_is_no_queue_is_not_attached_to),
		cmocka_unit_test(nothing_is_read_beyond_the_memory),
		cmocka_unit_test(each_role_is_taken_once),
		cmocka_unit_test(two_mappings_at_two_addresses_are_one_queue),
		cmocka_unit_test(items_of_any_size_come_out_as_they_went_in),
		cmocka_unit_test(wrong_size_is_refused_and_moves_nothing),
		cmocka_unit_test(wrong_size_is_not_waited_with),
		cmocka_unit_test(full_and_empty_are_told),
		cmocka_unit_test(
			room_is_told_of_by_eighths_and_when_it_is_empty),
		cmocka_unit_test(items_can_be_written_and_read_in_place),
		cmocka_unit_test(batches_go_across_the_end_of_the_ring),
		cmocka_unit_test(deferred_items_are_seen_after_a_flush),
		cmocka_unit_test(only_lines_of_free_slots_are_claimed),
		cmocka_unit_test(
			consumer_pauses_in_a_stream_and_for_nobody_else),
	};

	return SUPPORT_MAIN(tests);
}
