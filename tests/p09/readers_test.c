/* Reads take no lock: they go on beside writers, stopped ones too, and what they
 * see is whole. */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/rng.h"
#include "tests/p09/fixture.h"

enum { KEYS = 8, WRITERS = 2, READERS = 2, WRITES = 20000 };

static struct fixture f;
static uint32_t *writers_left; /* shared */

static size_t make_value(char *value, uint64_t number)
{
	const size_t len = 8 * (1 + number % 6);

	for (size_t i = 0; i < len; i += 8)
		memcpy(value + i, &number, 8);
	return len;
}

static bool is_whole(const char *value, size_t len)
{
	uint64_t number;
	char whole[64];

	memcpy(&number, value, 8);
	return len >= 8 && make_value(whole, number) == len &&
	       memcmp(whole, value, len) == 0;
}

static int write_much(void *arg)
{
	struct reclock *store = fixture_try_open(&f, *(unsigned int *)arg);
	char value[64];
	struct rng rng;

	if (!store)
		return 1;
	rng_seed(&rng, (uint64_t)getpid());
	for (int i = 0; i < WRITES; i++) {
		const char key = (char)('a' + rng_below(&rng, KEYS));

		if (reclock_set_until(store, &key, 1, value,
				      make_value(value, rng_next(&rng)),
				      tick_after(60 * TICK_S)))
			return 1;
		if (i % 5000 == 0 &&
		    reclock_compact_until(store, tick_after(60 * TICK_S)))
			return 1;
	}
	__atomic_sub_fetch(writers_left, 1, __ATOMIC_RELEASE);
	reclock_close(store);
	return 0;
}

static int read_much(void *arg)
{
	struct reclock *store = fixture_try_open(&f, RECLOCK_READ_ONLY);
	char value[64];

	(void)arg;
	if (!store)
		return 1;
	while (__atomic_load_n(writers_left, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < KEYS; i++) {
			const char key = (char)('a' + i);
			ssize_t n = reclock_get_until(store, &key, 1, value,
						      sizeof(value),
						      tick_after(60 * TICK_S));

			if (n < 0)
				return 2;
			if (!is_whole(value, (size_t)n))
				return 3;
		}
	}
	reclock_close(store);
	return 0;
}

static void run(unsigned int flags, int n)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	pid_t pid[WRITERS + READERS];
	char value[64];
	int status;

	for (int i = 0; i < KEYS; i++) {
		const char key = (char)('a' + i);

		assert_int_equal(reclock_set_until(store, &key, 1, value,
						   make_value(value, 1),
						   TICK_NEVER),
				 0);
	}
	reclock_close(store);
	*writers_left = (uint32_t)n;
	for (int i = 0; i < n + READERS; i++)
		assert_int_equal(child_fork(i < n ? write_much : read_much,
					    &flags, &pid[i]),
				 0);
	for (int i = 0; i < n + READERS; i++) {
		assert_int_equal(
			child_wait(pid[i], tick_after(100 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
	}
}

static void readers_never_see_half_of_a_value(void **state)
{
	(void)state;
	fixture_make(&f);
	writers_left = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(writers_left, MAP_FAILED);
	run(0, WRITERS);
	run(RECLOCK_OFD, 1);
	munmap(writers_left, 4096);
	fixture_remove(&f);
}

static int hold_all(void *ready)
{
	struct reclock *store = fixture_try_open(&f, 0);
	char key = 'a';

	for (; store && key < 'a' + RECLOCK_HOLDS_MAX; key++)
		if (reclock_lock_until(store, &key, 1, fixture_deadline()))
			return 1;
	fdio_write_full(*(int *)ready, "", 1);
	pause();
	return 0;
}

static void readers_go_on_beside_a_stopped_writer(void **state)
{
	struct reclock *store;
	int ready;
	pid_t pid;

	(void)state;
	fixture_make(&f);
	store = fixture_open(&f, RECLOCK_CREATE);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	pid = support_start(hold_all, &ready, &ready, 30000);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	/* A deadline in the past: no lock is waited for. */
	for (int i = 0; i < 1000; i++) {
		char value[8];

		assert_int_equal(reclock_get_until(store, "a", 1, value,
						   sizeof(value), 0),
				 1);
		assert_int_equal(reclock_get_until(store, "x", 1, value,
						   sizeof(value), 0),
				 -ENOENT);
	}
	support_kill(&pid);
	reclock_close(store);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_never_see_half_of_a_value),
		cmocka_unit_test(readers_go_on_beside_a_stopped_writer),
	};

	return SUPPORT_MAIN(tests);
}
