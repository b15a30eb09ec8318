/* A slot between threads that share one mapping: a seqlock is whole or says so. */
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/rng.h"
#include "p18-rpc-kv/cache_slot.h"

enum { READERS = 3, VALUE = 256 };

static const char key[] = "sixteen bytes ok";

/* A value that says of which revision it is, in each of its words. */
static void make_value(unsigned char value[VALUE], uint64_t revision)
{
	struct rng rng;
	uint32_t crc;

	rng_seed(&rng, revision);
	rng_fill(&rng, value, VALUE - sizeof(crc));
	crc = crc32c(value, VALUE - sizeof(crc));
	memcpy(value + VALUE - sizeof(crc), &crc, sizeof(crc));
}

static bool is_value(const struct cache_value *value)
{
	unsigned char wanted[VALUE];

	make_value(wanted, value->revision);
	return value->len == VALUE && memcmp(value->bytes, wanted, VALUE) == 0;
}

static void put(struct cache_slot *slot, uint64_t *sequence, uint64_t revision)
{
	unsigned char value[VALUE];

	make_value(value, revision);
	cache_slot_write(slot, sequence, key, sizeof(key) - 1, value, VALUE,
			 revision);
}

static int get(const struct cache_slot *slot, struct cache_value *value)
{
	return cache_slot_read(slot, key, sizeof(key) - 1, value);
}

/* ---- one at a time ---- */

static void a_value_of_each_length_comes_back(void **state)
{
	static const char long_key[CACHE_ROOM] = "k";
	static unsigned char bytes[CACHE_ROOM + 1];
	struct cache_slot slot = {0};
	struct cache_value value;
	uint64_t sequence = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
	for (size_t k = 1; k <= CACHE_ROOM; k += k < 20 ? 1 : 35)
		for (size_t v = 0; cache_slot_has_room(k, v); v++) {
			memset(&value, 0xee, sizeof(value));
			cache_slot_write(&slot, &sequence, long_key, k, bytes,
					 v, 5);
			assert_int_equal(
				cache_slot_read(&slot, long_key, k, &value), 0);
			assert_int_equal(value.len, v);
			assert_memory_equal(value.bytes, bytes, v);
			assert_int_equal(value.revision, 5);
		}
	assert_true(cache_slot_has_room(1, CACHE_ROOM - 8));
	assert_false(cache_slot_has_room(1, CACHE_ROOM - 7));
	assert_false(cache_slot_has_room(SIZE_MAX, 1));
	assert_false(cache_slot_has_room(1, SIZE_MAX));
}

static void another_key_is_not_mistaken_for_it(void **state)
{
	struct cache_slot slot = {0};
	struct cache_value value;
	uint64_t sequence = 0;

	(void)state;
	assert_int_equal(cache_slot_read(&slot, "a", 1, &value), -ENOENT);
	cache_slot_write(&slot, &sequence, "a", 1, "x", 1, 1);
	/* The same words, another length. */
	assert_int_equal(cache_slot_read(&slot, "a\0", 2, &value), -ENOENT);
	assert_int_equal(cache_slot_read(&slot, "b", 1, &value), -ENOENT);
	assert_int_equal(cache_slot_read(&slot, "a", 1, &value), 0);
	cache_slot_write(&slot, &sequence, NULL, 0, NULL, 0, 0);
	assert_int_equal(cache_slot_read(&slot, "a", 1, &value), -ENOENT);
}

static void a_writer_that_died_in_between_costs_a_few_tries(void **state)
{
	struct cache_slot slot = {0};
	struct cache_value value;
	uint64_t sequence = 0;

	(void)state;
	put(&slot, &sequence, 1);
	slot.sequence++;
	assert_int_equal(get(&slot, &value), -EAGAIN);
}

static void lengths_that_do_not_fit_are_refused(void **state)
{
	static const uint64_t lengths[] = {UINT64_MAX, UINT32_MAX,
					   (uint64_t)UINT32_MAX << 32 | 16,
					   (uint64_t)985 << 32 | 16};
	struct cache_slot slot = {0};
	struct cache_value value;
	uint64_t sequence = 0;

	(void)state;
	put(&slot, &sequence, 1);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		slot.lengths = lengths[i];
		assert_int_equal(get(&slot, &value), -EBADMSG);
	}
	slot.lengths = (uint64_t)984 << 32 | 16;
	assert_int_equal(get(&slot, &value), 0);
}

/* ---- many at a time ---- */

struct shared {
	struct cache_slot slot;
	bool is_over;
	uint64_t wrong, reads, went_back;
};

static void *read_always(void *arg)
{
	struct shared *shared = arg;
	struct cache_value value = {0};
	uint64_t last = 0, reads = 0;

	while (!__atomic_load_n(&shared->is_over, __ATOMIC_RELAXED)) {
		if (get(&shared->slot, &value))
			continue;
		reads++;
		if (!is_value(&value))
			__atomic_fetch_add(&shared->wrong, 1, __ATOMIC_RELAXED);
		if (value.revision < last)
			__atomic_fetch_add(&shared->went_back, 1,
					   __ATOMIC_RELAXED);
		last = value.revision;
	}
	__atomic_fetch_add(&shared->reads, reads, __ATOMIC_RELAXED);
	return NULL;
}

static void no_reader_sees_half_of_a_write(void **state)
{
	static struct shared shared;
	pthread_t threads[READERS];
	uint64_t sequence = 0;
	const uint64_t writes = support_is_stress()      ? 30000000
				: support_is_valgrind()  ? 3000
				: support_is_sanitized() ? 60000
							 : 300000;

	(void)state;
	put(&shared.slot, &sequence, 1);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_always, &shared),
			0);
	for (uint64_t revision = 2; revision < writes; revision++)
		put(&shared.slot, &sequence, revision);
	__atomic_store_n(&shared.is_over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(shared.wrong, 0);
	assert_int_equal(shared.went_back, 0);
	assert_true(shared.reads > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_of_each_length_comes_back),
		cmocka_unit_test(another_key_is_not_mistaken_for_it),
		cmocka_unit_test(
			a_writer_that_died_in_between_costs_a_few_tries),
		cmocka_unit_test(lengths_that_do_not_fit_are_refused),
		cmocka_unit_test(no_reader_sees_half_of_a_write),
	};

	return SUPPORT_MAIN(tests);
}
