/* engine_cases.h - what every engine promises, over engine.h: run by the tests of
 * each. Keys begin with "case/", and none of them need be there before. */
#ifndef UNIXIPC_TESTS_P18_ENGINE_CASES_H
#define UNIXIPC_TESTS_P18_ENGINE_CASES_H

#include "tests/support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/engine.h"

enum { CASE_TIMEOUT_MS = 10000 };

/* What a write came to, without what it would have to free. */
struct case_write {
	kv_status status;
	uint64_t revision;
};

static struct case_write case_change(struct engine *engine,
				     const kv_change *change)
{
	const kv_write_args args = {.change = *change,
				    .timeout_ms = CASE_TIMEOUT_MS};
	kv_write_result result = {0};
	struct case_write done;

	engine->calls->write(engine, &args, &result);
	done = (struct case_write){result.status, result.revision};
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
	return done;
}

static kv_key case_key(const char *text)
{
	return (kv_key){(u_int)strlen(text), (char *)text};
}

static kv_value case_value(const char *text)
{
	return (kv_value){(u_int)strlen(text), (char *)text};
}

static struct case_write case_put(struct engine *engine, const char *key,
				  const char *value)
{
	return case_change(engine, &(kv_change){.operation = KV_PUT,
						.key = case_key(key),
						.value = case_value(value)});
}

static struct case_write case_del(struct engine *engine, const char *key)
{
	return case_change(engine, &(kv_change){.operation = KV_DEL,
						.key = case_key(key)});
}

/* The revision; 0: no such key. */
static uint64_t case_get(struct engine *engine, kv_freshness freshness,
			 const kv_key *key, const kv_value *value)
{
	kv_get_args args = {.freshness = freshness, .key = *key};
	kv_get_result result = {0};
	uint64_t revision;

	args.freshness.timeout_ms = CASE_TIMEOUT_MS;
	engine->calls->get(engine, &args, &result);
	assert_true(result.status == KV_DONE || result.status == KV_NOT_FOUND);
	revision = result.status == KV_DONE ? result.revision : 0;
	assert_true(result.applied >= revision);
	if (value) {
		assert_int_equal(result.status, KV_DONE);
		assert_int_equal(result.value.kv_value_len,
				 value->kv_value_len);
		if (value->kv_value_len)
			assert_memory_equal(result.value.kv_value_val,
					    value->kv_value_val,
					    value->kv_value_len);
	}
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return revision;
}

static uint64_t case_find(struct engine *engine, const char *key,
			  const char *value)
{
	kv_key k = case_key(key);
	kv_value v = case_value(value ? value : "");

	return case_get(engine, (kv_freshness){0}, &k, value ? &v : NULL);
}

/* ---- one key ---- */

static void case_what_was_put_is_got(struct engine *engine)
{
	struct case_write first, second;

	case_del(engine, "case/a");
	assert_int_equal(case_find(engine, "case/a", NULL), 0);
	first = case_put(engine, "case/a", "one");
	assert_int_equal(first.status, KV_DONE);
	assert_int_equal(case_find(engine, "case/a", "one"), first.revision);
	second = case_put(engine, "case/a", "");
	assert_true(second.revision > first.revision);
	assert_int_equal(case_find(engine, "case/a", ""), second.revision);
}

static void case_what_was_deleted_is_gone(struct engine *engine)
{
	case_put(engine, "case/a", "one");
	assert_int_equal(case_del(engine, "case/a").status, KV_DONE);
	assert_int_equal(case_find(engine, "case/a", NULL), 0);
	assert_int_equal(case_del(engine, "case/a").status, KV_NOT_FOUND);
}

static void case_create_finds_nothing_there(struct engine *engine)
{
	kv_change change = {.operation = KV_CREATE,
			    .key = case_key("case/a"),
			    .value = case_value("new")};
	struct case_write done, again;

	case_del(engine, "case/a");
	done = case_change(engine, &change);
	assert_int_equal(done.status, KV_DONE);
	change.value = case_value("newer");
	again = case_change(engine, &change);
	assert_int_equal(again.status, KV_CONFLICT);
	assert_int_equal(again.revision, done.revision);
	assert_int_equal(case_find(engine, "case/a", "new"), done.revision);
}

static void case_cas_compares_values(struct engine *engine)
{
	kv_change change = {.operation = KV_CAS_VALUE,
			    .key = case_key("case/a"),
			    .value = case_value("two"),
			    .expected = case_value("one")};
	struct case_write put = case_put(engine, "case/a", "one"), done;

	done = case_change(engine, &change);
	assert_int_equal(done.status, KV_DONE);
	assert_true(done.revision > put.revision);
	assert_int_equal(case_find(engine, "case/a", "two"), done.revision);
	put = case_change(engine, &change);
	assert_int_equal(put.status, KV_CONFLICT);
	assert_int_equal(put.revision, done.revision);
	case_del(engine, "case/a");
	put = case_change(engine, &change);
	assert_int_equal(put.status, KV_CONFLICT);
	assert_int_equal(put.revision, 0);
	change.expected = case_value("");
	assert_int_equal(case_change(engine, &change).status, KV_CONFLICT);
	assert_int_equal(case_find(engine, "case/a", NULL), 0);
}

static void case_cas_compares_revisions(struct engine *engine)
{
	struct case_write put = case_put(engine, "case/a", "one"), done;
	kv_change change = {.operation = KV_CAS_REVISION,
			    .key = case_key("case/a"),
			    .value = case_value("two"),
			    .number = (int64_t)put.revision};

	done = case_change(engine, &change);
	assert_int_equal(done.status, KV_DONE);
	put = case_change(engine, &change);
	assert_int_equal(put.status, KV_CONFLICT);
	assert_int_equal(put.revision, done.revision);
	change.number = 0;
	assert_int_equal(case_change(engine, &change).status, KV_CONFLICT);
	case_del(engine, "case/a");
	assert_int_equal(case_change(engine, &change).status, KV_DONE);
	assert_true(case_find(engine, "case/a", "two") > done.revision);
}

static void case_any_bytes_are_a_key_and_a_value(struct engine *engine)
{
	static char key_bytes[KV_KEY_MAX], value_bytes[KV_VALUE_MAX];
	static const u_int lengths[] = {1, 2, 3, 4, 255, KV_KEY_MAX};
	kv_freshness freshness = {0};

	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (char)(i % 256);
	for (size_t i = 0; i < sizeof(value_bytes); i++)
		value_bytes[i] = (char)(255 - i % 251);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		kv_change change = {
			.operation = KV_PUT,
			.key = {lengths[i],
				key_bytes + KV_KEY_MAX - lengths[i]},
			.value = {i == 5 ? KV_VALUE_MAX : lengths[i],
				  value_bytes}};
		struct case_write done = case_change(engine, &change);

		assert_int_equal(done.status, KV_DONE);
		assert_int_equal(
			case_get(engine, freshness, &change.key, &change.value),
			done.revision);
		change.operation = KV_DEL;
		assert_int_equal(case_change(engine, &change).status, KV_DONE);
	}
}

static void case_a_session_reads_its_own_write(struct engine *engine)
{
	kv_freshness session = {.consistency = KV_SESSION};
	kv_freshness stale = {.consistency = KV_STALE};
	kv_key key = case_key("case/a");
	kv_value value = case_value("mine");

	for (int i = 0; i < 20; i++) {
		session.revision = case_put(engine, "case/a", "mine").revision;
		assert_int_equal(case_get(engine, session, &key, &value),
				 session.revision);
	}
	case_get(engine, stale, &key, NULL);
}

/* ---- lists ---- */

static kv_list_result case_list(struct engine *engine, const char *from,
				const char *to, u_int limit, bool keys_only)
{
	kv_list_args args = {.freshness.timeout_ms = CASE_TIMEOUT_MS,
			     .from = case_key(from),
			     .to = case_key(to),
			     .limit = limit,
			     .keys_only = keys_only};
	kv_list_result result = {0};

	engine->calls->list(engine, &args, &result);
	assert_int_equal(result.status, KV_DONE);
	return result;
}

static void case_free_list(kv_list_result *result)
{
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)result);
}

static void case_assert_pair(const kv_pair *pair, const char *key,
			     const char *value)
{
	assert_int_equal(pair->key.kv_key_len, strlen(key));
	assert_memory_equal(pair->key.kv_key_val, key, strlen(key));
	assert_int_equal(pair->value.kv_value_len, strlen(value));
	if (*value)
		assert_memory_equal(pair->value.kv_value_val, value,
				    strlen(value));
	assert_true(pair->revision > 0);
}

static void case_a_list_is_in_order_and_within_its_ends(struct engine *engine)
{
	kv_list_result list;

	case_put(engine, "case/list/b", "2");
	case_put(engine, "case/list/c", "3");
	case_put(engine, "case/list/a", "1");
	list = case_list(engine, "case/list/", "case/list0", 64, false);
	assert_int_equal(list.pairs.pairs_len, 3);
	assert_false(list.more);
	case_assert_pair(&list.pairs.pairs_val[0], "case/list/a", "1");
	case_assert_pair(&list.pairs.pairs_val[2], "case/list/c", "3");
	case_free_list(&list);
	list = case_list(engine, "case/list/b", "case/list/c", 64, true);
	assert_int_equal(list.pairs.pairs_len, 1);
	case_assert_pair(&list.pairs.pairs_val[0], "case/list/b", "");
	case_free_list(&list);
	list = case_list(engine, "case/list/a", "case/list0", 2, false);
	assert_int_equal(list.pairs.pairs_len, 2);
	assert_true(list.more);
	case_free_list(&list);
	list = case_list(engine, "case/list/c", "case/list/a", 64, false);
	assert_int_equal(list.pairs.pairs_len, 0);
	assert_false(list.more);
	case_free_list(&list);
	list = case_list(engine, "", "", 1, false);
	assert_int_equal(list.pairs.pairs_len, 1);
	case_free_list(&list);
	list = case_list(engine, "", "\001", 64, false);
	assert_int_equal(list.pairs.pairs_len, 0);
	case_free_list(&list);
	list = case_list(engine, "case/list/c", "", 64, false);
	case_assert_pair(&list.pairs.pairs_val[0], "case/list/c", "3");
	case_free_list(&list);
}

/* As a client does that wants all: the last key and a zero byte are next. */
static void case_pages_join_without_a_gap(struct engine *engine)
{
	char key[32], from[40] = "case/page/";
	int found = 0;
	bool more = true;

	for (int i = 0; i < 150; i++) {
		snprintf(key, sizeof(key), "case/page/%03d", i);
		assert_int_equal(case_put(engine, key, "x").status, KV_DONE);
	}
	while (more) {
		kv_list_result list =
			case_list(engine, from, "case/page0", 0, true);
		u_int n = list.pairs.pairs_len;

		for (u_int i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "case/page/%03d", found++);
			case_assert_pair(&list.pairs.pairs_val[i], key, "");
		}
		/* The next one that can be written as text. */
		snprintf(from, sizeof(from), "%s\001", key);
		more = list.more;
		assert_true(n > 0 && n <= KV_LIST_MAX);
		case_free_list(&list);
	}
	assert_int_equal(found, 150);
}

static void case_large_values_are_listed_in_parts(struct engine *engine)
{
	static char large[KV_VALUE_MAX];
	kv_list_result list;
	kv_change change = {.operation = KV_PUT,
			    .value = {KV_VALUE_MAX, large}};
	char key[32];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "case/large/%02d", i);
		change.key = case_key(key);
		assert_int_equal(case_change(engine, &change).status, KV_DONE);
	}
	list = case_list(engine, "case/large/", "case/large0", 64, false);
	/* A record of RPC is a megabyte. */
	assert_in_range(list.pairs.pairs_len, 1, 16);
	assert_true(list.more);
	case_free_list(&list);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "case/large/%02d", i);
		case_del(engine, key);
	}
}

/* ---- many at a time ---- */

struct case_crowd {
	struct engine *engine;
	int created, added;
};

enum { CASE_THREADS = 6, CASE_TURNS = 15 };

/* Adds 1 to a number by cas, as often as it takes. */
static int case_add(struct engine *engine)
{
	for (int i = 0; i < 1000; i++) {
		kv_get_args get = {.freshness.timeout_ms = CASE_TIMEOUT_MS,
				   .key = case_key("case/sum")};
		kv_get_result result = {0};
		char text[32] = "";
		kv_change cas = {.operation = KV_CAS_REVISION, .key = get.key};

		engine->calls->get(engine, &get, &result);
		if (result.value.kv_value_len < sizeof(text))
			memcpy(text, result.value.kv_value_val,
			       result.value.kv_value_len);
		cas.number = (int64_t)result.revision;
		xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
		snprintf(text, sizeof(text), "%d", atoi(text) + 1);
		cas.value = case_value(text);
		if (case_change(engine, &cas).status == KV_DONE)
			return 1;
	}
	return 0;
}

static void *case_join(void *arg)
{
	struct case_crowd *crowd = arg;
	kv_change create = {.operation = KV_CREATE,
			    .key = case_key("case/once"),
			    .value = case_value("x")};

	if (case_change(crowd->engine, &create).status == KV_DONE)
		__atomic_fetch_add(&crowd->created, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < CASE_TURNS; i++)
		__atomic_fetch_add(&crowd->added, case_add(crowd->engine),
				   __ATOMIC_RELAXED);
	return NULL;
}

static void case_of_many_one_creates_and_no_cas_is_lost(struct engine *engine)
{
	struct case_crowd crowd = {.engine = engine};
	pthread_t threads[CASE_THREADS];
	char sum[32];

	case_del(engine, "case/once");
	case_put(engine, "case/sum", "0");
	for (int i = 0; i < CASE_THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, case_join, &crowd),
			0);
	for (int i = 0; i < CASE_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.created, 1);
	assert_int_equal(crowd.added, CASE_THREADS * CASE_TURNS);
	snprintf(sum, sizeof(sum), "%d", crowd.added);
	case_find(engine, "case/sum", sum);
}

/* All of them. */
static void engine_cases(struct engine *engine)
{
	case_what_was_put_is_got(engine);
	case_what_was_deleted_is_gone(engine);
	case_create_finds_nothing_there(engine);
	case_cas_compares_values(engine);
	case_cas_compares_revisions(engine);
	case_any_bytes_are_a_key_and_a_value(engine);
	case_a_session_reads_its_own_write(engine);
	case_a_list_is_in_order_and_within_its_ends(engine);
	case_pages_join_without_a_gap(engine);
	case_large_values_are_listed_in_parts(engine);
	case_of_many_one_creates_and_no_cas_is_lost(engine);
}

#endif
