/* Any bytes as what answers where an etcd should: whatever a request of kv.x then
 * comes to keeps to kv.x, is never done for what was not understood, and keeps no
 * memory. The gateway is this one here.
 *
 * The first byte is the request. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/etcd/changes.h"
#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/etcd/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *body;
static size_t body_len;

void gateway_call(struct gateway *gateway, const char *path,
		  const json_t *request, bool is_write, int64_t deadline,
		  struct gateway_answer *answer)
{
	(void)gateway;
	(void)path;
	(void)is_write;
	(void)deadline;
	*answer = (struct gateway_answer){.outcome = GATEWAY_UNKNOWN};
	if (!request)
		abort();
	answer->body = json_loadb(body, body_len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(answer->body)) {
		answer->outcome = GATEWAY_DONE;
		return;
	}
	json_decref(answer->body);
	answer->body = NULL;
}

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void write_one(kv_operation operation)
{
	const kv_write_args args = {.change = {.operation = operation,
					       .key = {1, (char *)"k"},
					       .value = {1, (char *)"v"},
					       .expected = {1, (char *)"u"},
					       .number = 3}};
	kv_write_result result = {0};

	changes_write(NULL, &args, &result);
	must(result.status == KV_DONE || result.status == KV_NOT_FOUND ||
	     result.status == KV_CONFLICT || result.status == KV_UNKNOWN ||
	     result.status == KV_UNSUPPORTED);
	must(result.status != KV_DONE || result.revision > 0);
	must(result.replicas == 0 && result.servers == 0);
	xdr_free((xdrproc_t)xdr_kv_write_result, (char *)&result);
}

static void get_one(kv_consistency consistency)
{
	const kv_get_args args = {
		.freshness = {.consistency = consistency, .revision = 5},
		.key = {1, (char *)"k"}};
	kv_get_result result = {0};

	ranges_get(NULL, &args, &result);
	must(result.value.kv_value_len <= KV_VALUE_MAX);
	must(result.status != KV_DONE || result.revision > 0);
	must(result.status == KV_DONE || result.value.kv_value_len == 0);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
}

static void list_some(kv_consistency consistency, u_int limit)
{
	const kv_list_args args = {.freshness = {.consistency = consistency},
				   .from = {1, (char *)"a"},
				   .limit = limit};
	kv_list_result result = {0};

	ranges_list(NULL, &args, &result);
	must(result.pairs.pairs_len <= KV_LIST_MAX);
	must(!limit || result.pairs.pairs_len <= limit);
	must(result.status == KV_DONE || result.pairs.pairs_len == 0);
	for (u_int i = 0; i < result.pairs.pairs_len; i++)
		must(result.pairs.pairs_val[i].key.kv_key_len > 0 &&
		     result.pairs.pairs_val[i].key.kv_key_len <= KV_KEY_MAX);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	body = (const char *)data + 1;
	body_len = size - 1;
	if (data[0] < 'A')
		write_one((kv_operation)(data[0] % 10));
	else if (data[0] < 'a')
		get_one((kv_consistency)(data[0] % 4));
	else
		list_some((kv_consistency)(data[0] % 4), data[0] % 5);
	return 0;
}
