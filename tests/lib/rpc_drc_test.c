/* Replies that are kept, and the limits of that. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/rpc/rpc_drc.h"
#include "tests/support/support.h"

static struct rpc_drc *open_cache(size_t n, size_t bytes)
{
	struct rpc_drc *cache;

	assert_int_equal(rpc_drc_open(&cache, n, bytes), 0);
	return cache;
}

static int begin(struct rpc_drc *cache, const char *key, char *buf, size_t size)
{
	size_t n = 0;
	int rc = rpc_drc_begin(cache, 0, key, strlen(key), buf, size - 1, &n);

	if (rc == RPC_DRC_KNOWN)
		buf[n] = '\0';
	return rc;
}

static void keep(struct rpc_drc *cache, const char *key, const char *reply)
{
	char buf[64];

	assert_int_equal(begin(cache, key, buf, sizeof(buf)), RPC_DRC_NEW);
	assert_int_equal(
		rpc_drc_finish(cache, key, strlen(key), reply, strlen(reply)),
		0);
}

static void assert_known(struct rpc_drc *cache, const char *key,
			 const char *reply)
{
	char buf[64];

	assert_int_equal(begin(cache, key, buf, sizeof(buf)), RPC_DRC_KNOWN);
	assert_string_equal(buf, reply);
}

static void assert_new(struct rpc_drc *cache, const char *key)
{
	char buf[64];

	assert_int_equal(begin(cache, key, buf, sizeof(buf)), RPC_DRC_NEW);
	rpc_drc_abandon(cache, key, strlen(key));
}

static void repeated_call_gets_the_first_reply(void **state)
{
	struct rpc_drc *cache = open_cache(4, 1000);

	(void)state;
	keep(cache, "a", "one");
	keep(cache, "ab", "two");
	keep(cache, "empty", "");
	for (int i = 0; i < 3; i++) {
		assert_known(cache, "a", "one");
		assert_known(cache, "ab", "two");
		assert_known(cache, "empty", "");
	}
	rpc_drc_close(cache);
}

static void repetition_of_a_call_in_progress_is_told(void **state)
{
	struct rpc_drc *cache = open_cache(1, 1000);
	char buf[64];

	(void)state;
	assert_int_equal(begin(cache, "a", buf, 64), RPC_DRC_NEW);
	assert_int_equal(begin(cache, "a", buf, 64), RPC_DRC_IN_PROGRESS);
	/* The one entry there is may not be taken from it. */
	assert_int_equal(begin(cache, "b", buf, 64), -ENOBUFS);
	assert_int_equal(rpc_drc_finish(cache, "a", 1, "x", 1), 0);
	assert_known(cache, "a", "x");
	rpc_drc_close(cache);
}

static void abandoned_call_is_new_again(void **state)
{
	struct rpc_drc *cache = open_cache(2, 1000);

	(void)state;
	assert_new(cache, "a");
	keep(cache, "a", "now");
	assert_known(cache, "a", "now");
	/* Too late to abandon it. */
	rpc_drc_abandon(cache, "a", 1);
	assert_known(cache, "a", "now");
	rpc_drc_close(cache);
}

static void oldest_is_forgotten_for_want_of_entries(void **state)
{
	struct rpc_drc *cache = open_cache(3, 1000);
	size_t bytes;

	(void)state;
	keep(cache, "a", "1");
	keep(cache, "b", "2");
	keep(cache, "c", "3");
	assert_known(cache, "a", "1"); /* which makes it the newest */
	keep(cache, "d", "4");
	assert_known(cache, "a", "1");
	assert_known(cache, "c", "3");
	assert_known(cache, "d", "4");
	assert_int_equal(rpc_drc_count(cache, &bytes), 3);
	assert_int_equal(bytes, 3);
	assert_new(cache, "b");
	rpc_drc_close(cache);
}

static void bytes_are_limited_as_well(void **state)
{
	struct rpc_drc *cache = open_cache(100, 10);
	size_t bytes;
	char buf[64];

	(void)state;
	keep(cache, "a", "12345");
	keep(cache, "b", "12345");
	keep(cache, "c", "123456");
	assert_int_equal(rpc_drc_count(cache, &bytes), 1);
	assert_int_equal(bytes, 6);
	assert_known(cache, "c", "123456");
	/* Larger than all there is: forgotten at once. */
	assert_int_equal(begin(cache, "d", buf, 64), RPC_DRC_NEW);
	assert_int_equal(rpc_drc_finish(cache, "d", 1, "12345678901", 11),
			 -EMSGSIZE);
	assert_new(cache, "d");
	assert_known(cache, "c", "123456");
	rpc_drc_close(cache);
}

static void keep_by(struct rpc_drc *cache, uint64_t owner, int key,
		    const char *reply)
{
	char buf[64];
	size_t n;

	assert_int_equal(rpc_drc_begin(cache, owner, &key, sizeof(key), buf,
				       sizeof(buf), &n),
			 RPC_DRC_NEW);
	assert_int_equal(
		rpc_drc_finish(cache, &key, sizeof(key), reply, strlen(reply)),
		0);
}

static bool is_kept(struct rpc_drc *cache, uint64_t owner, int key)
{
	char buf[64];
	size_t n;
	int rc = rpc_drc_begin(cache, owner, &key, sizeof(key), buf,
			       sizeof(buf), &n);

	if (rc == RPC_DRC_NEW)
		rpc_drc_abandon(cache, &key, sizeof(key));
	return rc == RPC_DRC_KNOWN;
}

static void one_owner_does_not_drive_out_another(void **state)
{
	struct rpc_drc *cache = open_cache(100, 1 << 20);
	size_t bytes;

	(void)state;
	for (int i = 0; i < 20; i++)
		keep_by(cache, 7, i, "mine");
	for (int i = 0; i < 5000; i++)
		keep_by(cache, 8, 1000 + i, "junk");
	for (int i = 0; i < 20; i++)
		assert_true(is_kept(cache, 7, i));
	/* Who fills what is left has as much of it as is left then. */
	assert_int_equal(rpc_drc_count(cache, &bytes), 20 + 40);
	assert_true(is_kept(cache, 8, 5999));
	assert_false(is_kept(cache, 8, 5959));
	rpc_drc_close(cache);
}

static void large_replies_are_shared_as_well(void **state)
{
	static const char large[] = "0123456789012345678901234567890123456789";
	struct rpc_drc *cache = open_cache(10000, 4000);
	size_t bytes;

	(void)state;
	for (int i = 0; i < 10; i++)
		keep_by(cache, 7, i, "mine");
	for (int i = 0; i < 5000; i++)
		keep_by(cache, 8, 1000 + i, large);
	for (int i = 0; i < 10; i++)
		assert_true(is_kept(cache, 7, i));
	rpc_drc_count(cache, &bytes);
	assert_true(bytes <= 40 + 4000 / 2);
	assert_true(is_kept(cache, 8, 5999));
	rpc_drc_close(cache);
}

static void thousands_come_and_the_last_are_kept(void **state)
{
	enum { KEPT = 64, ALL = 5000 };
	struct rpc_drc *cache = open_cache(KEPT, 100000);
	char key[32];
	size_t bytes;

	(void)state;
	for (int i = 0; i < ALL; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		keep(cache, key, key);
	}
	for (int i = ALL - KEPT; i < ALL; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_known(cache, key, key);
	}
	assert_int_equal(rpc_drc_count(cache, &bytes), KEPT);
	assert_new(cache, "key 0");
	rpc_drc_close(cache);
}

static void keys_and_sizes_are_checked(void **state)
{
	struct rpc_drc *cache = open_cache(4, 1000);
	char key[RPC_DRC_KEY + 1] = {0};
	char buf[4];
	size_t n;

	(void)state;
	assert_int_equal(rpc_drc_begin(cache, 0, key, 0, buf, 4, &n), -EINVAL);
	assert_int_equal(rpc_drc_begin(cache, 0, key, sizeof(key), buf, 4, &n),
			 -EINVAL);
	assert_int_equal(rpc_drc_finish(cache, "a", 1, "x", 1), -EINVAL);
	keep(cache, "a", "long reply");
	assert_int_equal(rpc_drc_begin(cache, 0, "a", 1, buf, 4, &n),
			 -EMSGSIZE);
	rpc_drc_close(cache);
	assert_int_equal(rpc_drc_open(&cache, 0, 10), -EINVAL);
	assert_null(cache);
}

/* ---- threads ---- */

enum { THREADS = 4, KEYS = 50 };

struct crowd {
	struct rpc_drc *cache;
	atomic_int done[KEYS];
};

static void *do_each(void *arg)
{
	struct crowd *crowd = arg;
	char key[16], buf[16];

	for (int i = 0; i < KEYS; i++) {
		int rc;

		snprintf(key, sizeof(key), "%d", i);
		while ((rc = begin(crowd->cache, key, buf, sizeof(buf))) ==
		       RPC_DRC_IN_PROGRESS)
			sched_yield();
		if (rc == RPC_DRC_NEW) {
			atomic_fetch_add(&crowd->done[i], 1);
			rc = rpc_drc_finish(crowd->cache, key, strlen(key), key,
					    strlen(key));
			if (rc)
				return arg;
		} else if (rc != RPC_DRC_KNOWN || strcmp(buf, key) != 0) {
			return arg;
		}
	}
	return NULL;
}

static void many_threads_do_each_call_once(void **state)
{
	struct crowd crowd = {.cache = open_cache(KEYS, 10000)};
	pthread_t threads[THREADS];
	void *result;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, do_each, &crowd), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	for (int i = 0; i < KEYS; i++)
		assert_int_equal(atomic_load(&crowd.done[i]), 1);
	rpc_drc_close(crowd.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeated_call_gets_the_first_reply),
		cmocka_unit_test(repetition_of_a_call_in_progress_is_told),
		cmocka_unit_test(abandoned_call_is_new_again),
		cmocka_unit_test(oldest_is_forgotten_for_want_of_entries),
		cmocka_unit_test(bytes_are_limited_as_well),
		cmocka_unit_test(one_owner_does_not_drive_out_another),
		cmocka_unit_test(large_replies_are_shared_as_well),
		cmocka_unit_test(thousands_come_and_the_last_are_kept),
		cmocka_unit_test(keys_and_sizes_are_checked),
		cmocka_unit_test(many_threads_do_each_call_once),
	};
	return SUPPORT_MAIN(tests);
}
