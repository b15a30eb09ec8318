/* changes.c - put, del, cas and create.
 *
 * A put that depends on what is there is a transaction: etcd compares and puts in
 * one step. */
#include "p18-rpc-kv/etcd/changes.h"

#include <errno.h>
#include <string.h>

#include "p18-rpc-kv/etcd/asking.h"
#include "p18-rpc-kv/etcd/reading.h"

/* ---- requests ---- */

static json_t *make_key(const kv_change *change)
{
	return json_pack(
		"{s:o}", "key",
		asking_bytes(change->key.kv_key_val, change->key.kv_key_len));
}

static json_t *make_put(const kv_change *change)
{
	return json_pack(
		"{s:o, s:o}", "key",
		asking_bytes(change->key.kv_key_val, change->key.kv_key_len),
		"value",
		asking_bytes(change->value.kv_value_val,
			     change->value.kv_value_len));
}

/* What must be so for the change to be done. */
static json_t *make_compare(const kv_change *change)
{
	json_t *key =
		asking_bytes(change->key.kv_key_val, change->key.kv_key_len);

	switch (change->operation) {
	case KV_CAS_VALUE:
		return json_pack("{s:o, s:s, s:o}", "key", key, "target",
				 "VALUE", "value",
				 asking_bytes(change->expected.kv_value_val,
					      change->expected.kv_value_len));
	case KV_CAS_REVISION:
		return json_pack("{s:o, s:s, s:I}", "key", key, "target", "MOD",
				 "mod_revision", (json_int_t)change->number);
	default: /* KV_CREATE */
		return json_pack("{s:o, s:s, s:i}", "key", key, "target",
				 "CREATE", "create_revision", 0);
	}
}

/* Put if it is so, and otherwise get the key: for its revision. */
static json_t *make_txn(const kv_change *change)
{
	return json_pack("{s:[o], s:[{s:o}], s:[{s:o}]}", "compare",
			 make_compare(change), "success", "request_put",
			 make_put(change), "failure", "request_range",
			 make_key(change));
}

/* ---- writes ---- */

static int read_put(const json_t *body, kv_write_result *result)
{
	result->status = KV_DONE;
	return reading_revision(body, &result->revision);
}

static int read_del(const json_t *body, kv_write_result *result)
{
	uint64_t deleted;
	int error = reading_number(body, "deleted", &deleted);

	if (!error && deleted)
		return read_put(body, result);
	result->status = KV_NOT_FOUND;
	return error;
}

/* What the request_range of make_txn() has found. */
static int read_conflict(const json_t *body, kv_write_result *result)
{
	const json_t *range = json_object_get(
		json_array_get(json_object_get(body, "responses"), 0),
		"response_range");
	kv_pair pair;
	int error;

	if (!json_is_object(range))
		return -EBADMSG;
	error = reading_pair(range, 0, &pair);
	result->status = KV_CONFLICT;
	result->revision = error ? 0 : pair.revision;
	xdr_free((xdrproc_t)xdr_kv_pair, (char *)&pair);
	/* No key, and no revision; or one that is too large for us to say. */
	return error == -ENOENT || error == -EFBIG ? 0 : error;
}

static int read_txn(const json_t *body, kv_write_result *result)
{
	bool is_done;
	int error = reading_flag(body, "succeeded", &is_done);

	if (error)
		return error;
	return is_done ? read_put(body, result) : read_conflict(body, result);
}

static const struct {
	const char *path;
	json_t *(*make)(const kv_change *change);
	int (*read)(const json_t *body, kv_write_result *result);
} writes[] = {
	[KV_PUT] = {"/v3/kv/put", make_put, read_put},
	[KV_DEL] = {"/v3/kv/deleterange", make_key, read_del},
	[KV_CAS_VALUE] = {"/v3/kv/txn", make_txn, read_txn},
	[KV_CAS_REVISION] = {"/v3/kv/txn", make_txn, read_txn},
	[KV_CREATE] = {"/v3/kv/txn", make_txn, read_txn},
};

/* What becomes of a write whose answer is not to be believed: etcd may have
 * done it. */
static void doubt(kv_write_result *result)
{
	result->status = KV_UNKNOWN;
	result->revision = 0;
	result->text = strdup(ASKING_NOT_ETCD);
}

static void fail_write(kv_write_result *result,
		       const struct gateway_answer *answer)
{
	if (answer->outcome == GATEWAY_UNKNOWN)
		result->status = KV_UNKNOWN;
	else if (answer->code == 0)
		result->status = KV_NO_QUORUM;
	else
		result->status = answer->code == GATEWAY_EXHAUSTED
					 ? KV_TOO_LARGE
					 : KV_INVALID;
	result->text = strdup(answer->text);
}

/* Why it cannot be done; NULL: it can. */
static const char *refuse(const kv_change *change)
{
	if (change->id.sequence)
		return "etcd keeps no names of requests: it cannot tell whether "
		       "this one was done before";
	if ((size_t)change->operation < sizeof(writes) / sizeof(writes[0]) &&
	    writes[change->operation].make)
		return NULL;
	return "etcd has no such operation: get and cas will do";
}

void changes_write(struct gateway *gateway, const kv_write_args *args,
		   kv_write_result *result)
{
	const kv_change *change = &args->change;
	const char *why = refuse(change);
	struct gateway_answer answer;
	json_t *request;

	if (why) {
		result->status = KV_UNSUPPORTED;
		result->text = strdup(why);
		return;
	}
	request = writes[change->operation].make(change);
	gateway_call(gateway, writes[change->operation].path, request, true,
		     asking_deadline(args->timeout_ms), &answer);
	json_decref(request);
	if (answer.outcome != GATEWAY_DONE)
		fail_write(result, &answer);
	else if (writes[change->operation].read(answer.body, result))
		doubt(result);
	json_decref(answer.body);
}
