/* Eight processes write one file and are killed with -9 wherever they are: no
 * value is torn, none that a call has acknowledged is lost, and those who are
 * left go on. One of the eight rebuilds the file all the time. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/rng.h"
#include "tests/p09/fixture.h"

enum { WRITERS = 8, OWN_KEYS = 40, COMMON_KEYS = 4 };

struct shared {
	/* Per writer and key: the number that was to be set last, and the one
	 * that was set last. */
	uint32_t tried[WRITERS][OWN_KEYS], acked[WRITERS][OWN_KEYS];
	uint64_t counted_tried, counted_acked; /* of one counter */
	uint32_t seed;
	uint32_t is_over;
	uint32_t failed; /* the line of the first failure */
	int32_t error;
};

static struct fixture f;
static struct shared *shared;
static int me;

static int fail_at(int line, int error)
{
	uint32_t none = 0;

	if (__atomic_compare_exchange_n(&shared->failed, &none, (uint32_t)line,
					false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		shared->error = error;
	return 1;
}
#define FAIL(error) fail_at(__LINE__, error)

/* ---- values that tell whether they are whole ---- */

static size_t make_value(char *value, uint32_t number)
{
	size_t len = 8 + number % 40;

	memcpy(value, &number, 4);
	memset(value + 4, (int)(number & 0x7f), len - 4);
	return len;
}

/* Its number, or 0: it is not whole. */
static uint32_t number_of(const char *value, ssize_t len)
{
	char whole[64];
	uint32_t number;

	if (len < 8)
		return 0;
	memcpy(&number, value, 4);
	if ((size_t)len != make_value(whole, number) ||
	    memcmp(whole, value, (size_t)len) != 0)
		return 0;
	return number;
}

static size_t make_key(char *key, int writer, unsigned int i)
{
	return (size_t)snprintf(key, 16, writer < 0 ? "common%d-%u" : "w%d-%u",
				writer, i);
}

/* ---- a writer ---- */

static int set_own(struct reclock *store, struct rng *rng)
{
	const unsigned int i = (unsigned int)rng_below(rng, OWN_KEYS);
	const uint32_t number = shared->tried[me][i] + 1;
	char key[16], value[64];
	size_t key_len = make_key(key, me, i);
	int error;

	__atomic_store_n(&shared->tried[me][i], number, __ATOMIC_RELEASE);
	error = reclock_set_until(store, key, key_len, value,
				  make_value(value, number),
				  tick_after(60 * TICK_S));
	if (error)
		return FAIL(error);
	__atomic_store_n(&shared->acked[me][i], number, __ATOMIC_RELEASE);
	return 0;
}

static int use_common(struct reclock *store, struct rng *rng)
{
	char key[16], value[64];
	size_t key_len =
		make_key(key, -1, (unsigned int)rng_below(rng, COMMON_KEYS));
	const uint32_t number = (uint32_t)rng_next(rng) | 1;
	ssize_t n = reclock_get_until(store, key, key_len, value, sizeof(value),
				      tick_after(60 * TICK_S));
	int error;

	if (n < 0 ? n != -ENOENT : number_of(value, n) == 0)
		return FAIL((int)n);
	error = reclock_set_until(store, key, key_len, value,
				  make_value(value, number),
				  tick_after(60 * TICK_S));
	return error ? FAIL(error) : 0;
}

static int count(struct reclock *store)
{
	int64_t sum;
	int error;

	__atomic_add_fetch(&shared->counted_tried, 1, __ATOMIC_RELAXED);
	error = reclock_incr_until(store, "counter", 7, 1, &sum,
				   tick_after(60 * TICK_S));
	if (error)
		return FAIL(error);
	__atomic_add_fetch(&shared->counted_acked, 1, __ATOMIC_RELAXED);
	return 0;
}

static int lock_two(struct reclock *store, struct rng *rng)
{
	char keys[2][16];
	int error;

	make_key(keys[0], -1, (unsigned int)rng_below(rng, COMMON_KEYS));
	make_key(keys[1], -1, (unsigned int)rng_below(rng, COMMON_KEYS));
	error = fixture_lock(store, keys[0], tick_after(60 * TICK_S));
	if (error)
		return FAIL(error);
	error = fixture_lock(store, keys[1], tick_after(60 * TICK_S));
	if (error && error != -EDEADLK)
		return FAIL(error);
	if (!error)
		fixture_unlock(store, keys[1]);
	fixture_unlock(store, keys[0]);
	return 0;
}

static int act(struct reclock *store, struct rng *rng)
{
	int error;

	if (me == 0 && rng_below(rng, 4) == 0) {
		error = reclock_compact_until(store, tick_after(60 * TICK_S));
		return error ? FAIL(error) : 0;
	}
	switch (rng_below(rng, 8)) {
	case 0:
		return count(store);
	case 1:
		return lock_two(store, rng);
	case 2:
	case 3:
		return use_common(store, rng);
	default:
		return set_own(store, rng);
	}
}

static int write_on(void *arg)
{
	struct reclock *store = fixture_try_open(&f, 0);
	struct rng rng;

	(void)arg;
	if (!store)
		return FAIL(0);
	rng_seed(&rng, shared->seed + (uint32_t)me);
	while (!__atomic_load_n(&shared->is_over, __ATOMIC_ACQUIRE))
		if (act(store, &rng))
			return 1;
	/* Who is left is not stuck. */
	for (int i = 0; i < 5; i++)
		if (act(store, &rng))
			return 1;
	reclock_close(store);
	return 0;
}

/* ---- a round ---- */

static void verify(void)
{
	struct reclock *store = fixture_open(&f, 0);
	char key[16], value[64];
	ssize_t n;

	assert_int_equal(reclock_check_until(store, false, NULL, NULL,
					     fixture_deadline()),
			 0);
	for (int writer = 0; writer < WRITERS; writer++) {
		for (unsigned int i = 0; i < OWN_KEYS; i++) {
			const uint32_t acked = shared->acked[writer][i];
			uint32_t number;

			n = reclock_get_until(store, key,
					      make_key(key, writer, i), value,
					      sizeof(value), TICK_NEVER);
			number = n == -ENOENT ? 0 : number_of(value, n);
			if (acked)
				assert_true(number);
			assert_in_range(number, acked,
					shared->tried[writer][i]);
			/* Go on from what there is. */
			shared->tried[writer][i] = number;
			shared->acked[writer][i] = number;
		}
	}
	for (unsigned int i = 0; i < COMMON_KEYS; i++) {
		n = reclock_get_until(store, key, make_key(key, -1, i), value,
				      sizeof(value), TICK_NEVER);
		assert_true(n == -ENOENT || number_of(value, n));
	}
	n = reclock_get_until(store, "counter", 7, value, sizeof(value) - 1,
			      TICK_NEVER);
	value[n < 0 ? 0 : n] = '\0';
	assert_in_range(strtoull(value, NULL, 10), shared->counted_acked,
			shared->counted_tried);
	reclock_close(store);
}

static void run_round(struct rng *rng)
{
	const int64_t duration = (int64_t)rng_below(rng, 15 * TICK_MS);
	pid_t pid[WRITERS];
	int status;

	shared->is_over = 0;
	shared->seed = (uint32_t)rng_next(rng);
	for (me = 0; me < WRITERS; me++)
		assert_int_equal(child_fork(write_on, NULL, &pid[me]), 0);
	tick_sleep_until(tick_after(duration + 5 * TICK_MS));
	for (int i = 0; i < WRITERS; i++)
		if (rng_below(rng, 4) != 0)
			kill(pid[i], SIGKILL);
	__atomic_store_n(&shared->is_over, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(
			child_wait(pid[i], tick_after(90 * TICK_S), &status),
			0);
		if (!WIFSIGNALED(status) && status) {
			print_message("line %u: error %d\n", shared->failed,
				      shared->error);
			fail_msg("a writer failed");
		}
	}
	verify();
}

static void killed_writers_lose_nothing_that_was_acknowledged(void **state)
{
	const int rounds = support_is_stress()      ? 1000
			   : support_is_sanitized() ? 60
						    : 200;
	uint64_t total = 0;
	struct rng rng;

	(void)state;
	fixture_make(&f);
	reclock_close(fixture_open(&f, RECLOCK_CREATE));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	rng_seed(&rng, 20);
	for (int i = 0; i < rounds; i++)
		run_round(&rng);
	for (int i = 0; i < WRITERS; i++)
		for (int k = 0; k < OWN_KEYS; k++)
			total += shared->acked[i][k];
	print_message("%d rounds, seed 20: %ju changes of own keys, %ju of a "
		      "counter\n",
		      rounds, (uintmax_t)total,
		      (uintmax_t)shared->counted_acked);
	munmap(shared, sizeof(*shared));
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			killed_writers_lose_nothing_that_was_acknowledged),
	};

	return SUPPORT_MAIN(tests);
}
