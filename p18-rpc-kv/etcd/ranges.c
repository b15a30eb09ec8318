#include "p18-rpc-kv/etcd/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/etcd/asking.h"
#include "p18-rpc-kv/etcd/reading.h"

/* ---- freshness ---- */

static bool ask_range(struct asking *range, struct gateway *gateway,
		      bool is_serializable, int64_t deadline)
{
	/* Without memory for it, the read is a better one. */
	json_object_set_new(range->request, "serializable",
			    json_boolean(is_serializable));
	return asking_ask(range, gateway, "/v3/kv/range", deadline);
}

/* As fresh as it is to be: a session asks one member first, and all of them when
 * that one is behind. */
static void read_range(struct asking *range, struct gateway *gateway,
		       const kv_freshness *freshness)
{
	int64_t deadline = asking_deadline(freshness->timeout_ms);
	bool is_serializable = freshness->consistency != KV_LINEARIZABLE;

	if (freshness->consistency == KV_BOUNDED) {
		range->status = KV_UNSUPPORTED;
		range->text = "etcd does not say how old a member's data is";
		return;
	}
	if (!ask_range(range, gateway, is_serializable, deadline) ||
	    freshness->consistency != KV_SESSION ||
	    range->applied >= freshness->revision)
		return;
	if (ask_range(range, gateway, false, deadline) &&
	    range->applied < freshness->revision) {
		range->status = KV_NOT_FRESH;
		range->text = "etcd has not come to that revision";
	}
}

static u_int age_of(const kv_freshness *freshness)
{
	return freshness->consistency == KV_LINEARIZABLE ? 0 : UINT32_MAX;
}

static void fail(struct asking *range, int error)
{
	range->status = error == -EFBIG ? KV_TOO_LARGE : KV_NO_QUORUM;
	range->text = ASKING_NOT_ETCD;
	if (error == -EFBIG)
		range->text =
			"a key or value in etcd is larger than kv.x allows";
	if (error == -ENOMEM)
		range->text = "no memory";
}

static kv_text copy_text(const struct asking *range)
{
	return range->text ? strdup(range->text) : NULL;
}

/* In the order of bytes. */
static int compare(const kv_key *a, const kv_key *b)
{
	u_int n = a->kv_key_len < b->kv_key_len ? a->kv_key_len : b->kv_key_len;
	int order = n ? memcmp(a->kv_key_val, b->kv_key_val, n) : 0;

	return order ? order
		     : (a->kv_key_len > b->kv_key_len) -
			       (a->kv_key_len < b->kv_key_len);
}

/* ---- get ---- */

static void take_pair(struct asking *range, const kv_key *key,
		      kv_get_result *result)
{
	kv_pair pair;
	int error = reading_pair(range->body, 0, &pair);

	if (!error && compare(&pair.key, key) != 0)
		error = -EBADMSG;
	if (error == -ENOENT) {
		range->status = KV_NOT_FOUND;
	} else if (error) {
		fail(range, error);
	} else {
		result->revision = pair.revision;
		result->value = pair.value;
		pair.value = (kv_value){0};
	}
	xdr_free((xdrproc_t)xdr_kv_pair, (char *)&pair);
}

void ranges_get(struct gateway *gateway, const kv_get_args *args,
		kv_get_result *result)
{
	struct asking range = {
		.request = json_pack("{s:o}", "key",
				     asking_bytes(args->key.kv_key_val,
						  args->key.kv_key_len))};

	read_range(&range, gateway, &args->freshness);
	if (range.status == KV_DONE)
		take_pair(&range, &args->key, result);
	result->status = range.status;
	result->applied = range.applied;
	result->age_ms = age_of(&args->freshness);
	result->text = copy_text(&range);
	asking_end(&range);
}

/* ---- list ---- */

/* To etcd, a zero byte is the first key that there can be, and as the end it means
 * that there is none. */
static json_t *end_of_range(const kv_key *key)
{
	static const char zero[1];

	return key->kv_key_len ? asking_bytes(key->kv_key_val, key->kv_key_len)
			       : asking_bytes(zero, 1);
}

static json_t *make_list(const kv_list_args *args, u_int limit)
{
	return json_pack("{s:o, s:o, s:i, s:b}", "key",
			 end_of_range(&args->from), "range_end",
			 end_of_range(&args->to), "limit", (int)limit,
			 "keys_only", (int)args->keys_only);
}

/* Pairs as they come: in order, and no more than were asked for. */
static int take_pairs(const struct asking *range, const kv_list_args *args,
		      u_int limit, kv_list_result *result)
{
	const kv_key *last = &args->from;
	bool more;
	int error = reading_flag(range->body, "more", &more);

	result->more = more;
	for (u_int i = 0; !error; i++) {
		kv_pair pair;

		error = reading_pair(range->body, i, &pair);
		if (!error &&
		    (i == limit || compare(&pair.key, last) < (i > 0)))
			error = -EBADMSG;
		if (error) {
			xdr_free((xdrproc_t)xdr_kv_pair, (char *)&pair);
			break;
		}
		result->pairs.pairs_val[i] = pair;
		result->pairs.pairs_len = i + 1;
		last = &result->pairs.pairs_val[i].key;
	}
	return error == -ENOENT ? 0 : error;
}

/* Keep so many pairs. */
static void cut(kv_list_result *result, u_int n)
{
	for (u_int i = n; i < result->pairs.pairs_len; i++)
		xdr_free((xdrproc_t)xdr_kv_pair,
			 (char *)&result->pairs.pairs_val[i]);
	result->pairs.pairs_len = n;
}

static void cut_to_size(kv_list_result *result)
{
	size_t total = 0;

	for (u_int i = 0; i < result->pairs.pairs_len; i++) {
		const kv_pair *pair = &result->pairs.pairs_val[i];

		total += pair->key.kv_key_len + pair->value.kv_value_len;
		if (i && total > RANGES_LIST_BYTES) {
			cut(result, i);
			result->more = true;
		}
	}
}

static void list(struct asking *range, struct gateway *gateway,
		 const kv_list_args *args, kv_list_result *result)
{
	u_int limit = args->limit && args->limit < KV_LIST_MAX ? args->limit
							       : KV_LIST_MAX;
	int error = -ENOMEM;

	range->request = make_list(args, limit);
	result->pairs.pairs_val = calloc(limit, sizeof(kv_pair));
	read_range(range, gateway, &args->freshness);
	if (range->status != KV_DONE)
		return;
	if (result->pairs.pairs_val)
		error = take_pairs(range, args, limit, result);
	if (error) {
		cut(result, 0);
		result->more = false;
		fail(range, error);
	}
	cut_to_size(result);
}

void ranges_list(struct gateway *gateway, const kv_list_args *args,
		 kv_list_result *result)
{
	struct asking range = {.status = KV_DONE};

	/* Nothing lies between two others, and etcd would take some for all. */
	if (!args->to.kv_key_len || compare(&args->from, &args->to) < 0)
		list(&range, gateway, args, result);
	result->status = range.status;
	result->applied = range.applied;
	result->age_ms = age_of(&args->freshness);
	result->text = copy_text(&range);
	asking_end(&range);
}
