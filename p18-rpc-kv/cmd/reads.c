/* reads.c - get and list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cmd/text.h"
#include "p18-rpc-kv/cmd/verbs.h"

/* ---- get ---- */

enum { GATE_MS = 20 }; /* a cache that is not there by then is no help */

struct value {
	const char *from; /* cache, server */
	const void *data;
	size_t len;
	uint64_t revision, applied;
	int64_t age_ms;
};

static void print_value(const struct client *client,
			const struct kvclient_report *report, const kv_key *key,
			const struct value *value)
{
	json_t *json;

	if (!client->is_json) {
		fwrite(value->data, 1, value->len, stdout);
		if (!client->is_raw)
			putchar('\n');
		return;
	}
	json = client_json(client, report);
	client_json_bytes(json, "key", key->kv_key_val, key->kv_key_len);
	client_json_bytes(json, "value", value->data, value->len);
	json_object_set_new(json, "revision",
			    json_integer((json_int_t)value->revision));
	json_object_set_new(json, "applied",
			    json_integer((json_int_t)value->applied));
	json_object_set_new(json, "age_ms", json_integer(value->age_ms));
	json_object_set_new(json, "from", json_string(value->from));
	out_json(json, stdout); /* a failure is said at exit: lib/cmd/out */
}

/* Whether the server's shared memory has it, under the promise that was asked
 * for. Where it has not, for whatever reason, the server is asked. */
static bool get_local(struct client *client, const kv_key *key)
{
	const kv_freshness *freshness = &client->freshness;
	const struct cache_promise promise = {
		.bound_ms = freshness->consistency == KV_BOUNDED
				    ? (int64_t)freshness->bound_ms
				    : -1,
		.revision = freshness->consistency == KV_SESSION
				    ? kvclient_revision(client->kv)
				    : 0,
	};
	const struct kvclient_report report = {.outcome = KVCLIENT_DONE};
	struct cache_reader *reader;
	struct cache_value found;
	struct value value = {.from = "cache"};

	if (cache_open(&reader, geteuid(), client->servers[0].port,
		       tick_after(GATE_MS * TICK_MS)))
		return false;
	if (cache_get(reader, key->kv_key_val, key->kv_key_len, &promise,
		      &found)) {
		cache_close(reader);
		return false;
	}
	cache_close(reader);
	value.data = found.bytes;
	value.len = found.len;
	value.revision = found.revision;
	value.applied = found.applied;
	value.age_ms = found.age_ms;
	print_value(client, &report, key, &value);
	kvclient_see(client->kv, found.applied);
	return true;
}

static int get_by_rpc(struct client *client, const kv_key *key)
{
	const kv_get_args args = {.freshness = client->freshness, .key = *key};
	struct kvclient_report report;
	kv_get_result result;
	int status;

	kvclient_get(client->kv, &args, &result, &report);
	if (report.outcome == KVCLIENT_DONE && result.status == KV_DONE) {
		const struct value value = {
			.from = "server",
			.data = result.value.kv_value_val,
			.len = result.value.kv_value_len,
			.revision = result.revision,
			.applied = result.applied,
			.age_ms = result.age_ms,
		};

		print_value(client, &report, key, &value);
	} else if (client->is_json) {
		out_json(client_json(client, &report), stdout);
	}
	status = client_end(client, &report, key);
	xdr_free((xdrproc_t)xdr_kv_get_result, (char *)&result);
	return status;
}

int verb_get(struct client *client)
{
	const kv_key key = client_key("the key", client->words[0]);

	client_open(client);
	if (client->is_local && get_local(client, &key))
		return EXIT_SUCCESS;
	return get_by_rpc(client, &key);
}

/* ---- list ---- */

/* A place in the order of keys: a key, or what no key can be. */
struct place {
	char bytes[KV_KEY_MAX + 1];
	u_int len;
};

/* The first key that does not begin with these bytes; none: no end. */
static void skip_prefix(struct place *place)
{
	while (place->len > 0 &&
	       (unsigned char)place->bytes[place->len - 1] == 0xff)
		place->len--;
	if (place->len > 0)
		place->bytes[place->len - 1]++;
}

/* The next key that there can be. Returns false if there is none. */
static bool step(struct place *place, const kv_key *last)
{
	memcpy(place->bytes, last->kv_key_val, last->kv_key_len);
	place->len = last->kv_key_len;
	if (place->len < KV_KEY_MAX)
		place->bytes[place->len++] = '\0';
	else
		skip_prefix(place);
	return place->len > 0;
}

static struct place place_of(const char *what, const char *text)
{
	struct place place = {.len = 0};
	kv_key key;

	if (!text || !*text)
		return place;
	key = client_key(what, text);
	memcpy(place.bytes, key.kv_key_val, key.kv_key_len);
	place.len = key.kv_key_len;
	return place;
}

static void print_pair(const struct client *client, const kv_pair *pair)
{
	text_print_escaped(pair->key.kv_key_val, pair->key.kv_key_len, stdout);
	if (!client->keys_only) {
		putchar('\t');
		text_print_escaped(pair->value.kv_value_val,
				   pair->value.kv_value_len, stdout);
	}
	putchar('\n');
}

static void add_pair(const struct client *client, const kv_pair *pair,
		     json_t *pairs)
{
	json_t *json = json_object();

	client_json_bytes(json, "key", pair->key.kv_key_val,
			  pair->key.kv_key_len);
	if (!client->keys_only)
		client_json_bytes(json, "value", pair->value.kv_value_val,
				  pair->value.kv_value_len);
	json_object_set_new(json, "revision",
			    json_integer((json_int_t)pair->revision));
	if (json_array_append_new(pairs, json))
		die("no memory");
}

/* An answer's pairs. Returns whether there is more that is wanted. */
static bool take_pairs(const struct client *client,
		       const kv_list_result *result, uint64_t *left,
		       struct place *from, json_t *pairs)
{
	u_int n = result->pairs.pairs_len;

	for (u_int i = 0; i < n; i++)
		if (client->is_json)
			add_pair(client, &result->pairs.pairs_val[i], pairs);
		else
			print_pair(client, &result->pairs.pairs_val[i]);
	*left -= n < *left ? n : *left;
	return result->more && n > 0 && *left > 0 &&
	       step(from, &result->pairs.pairs_val[n - 1].key);
}

int verb_list(struct client *client)
{
	struct place from = place_of("--from", client->from), to;
	uint64_t left = client->limit ? client->limit : UINT64_MAX;
	kv_list_args args = {.freshness = client->freshness,
			     .keys_only = client->keys_only};
	json_t *pairs = client->is_json ? json_array() : NULL, *json;
	struct kvclient_report report;
	kv_list_result result;
	bool has_more;

	if (client->prefix && (client->from || client->to))
		die_usage("--prefix says from where to where: no --from and "
			  "--to beside it");
	if (client->prefix)
		from = place_of("--prefix", client->prefix);
	to = client->prefix ? from : place_of("--to", client->to);
	if (client->prefix)
		skip_prefix(&to);
	client_open(client);
	do {
		args.from = (kv_key){from.len, from.bytes};
		args.to = (kv_key){to.len, to.bytes};
		args.limit = left < KV_LIST_MAX ? (u_int)left : KV_LIST_MAX;
		kvclient_list(client->kv, &args, &result, &report);
		has_more = report.outcome == KVCLIENT_DONE &&
			   take_pairs(client, &result, &left, &from, pairs);
		xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	} while (has_more);
	if (client->is_json) {
		json = client_json(client, &report);
		json_object_set_new(json, "pairs", pairs);
		out_json(json, stdout);
	}
	return client_end(client, &report, NULL);
}
