#include "p18-rpc-kv/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 100000, CLIENTS = 1000 };

struct pair {
	char *key, *value;
	u_int key_len, value_len;
	uint64_t revision;
};

struct session {
	kv_request_id id;
	kv_write_result result;
};

struct memory {
	struct engine engine;
	pthread_mutex_t lock;
	struct pair pairs[PAIRS];
	u_int n;
	struct session sessions[CLIENTS];
	u_int n_sessions;
	uint64_t revision, writes, reads;
};

static int compare(const char *a, u_int a_len, const char *b, u_int b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static u_int place(struct memory *memory, const char *key, u_int len)
{
	u_int low = 0, high = memory->n, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (compare(memory->pairs[middle].key,
			    memory->pairs[middle].key_len, key, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pair *find(struct memory *memory, const kv_key *key)
{
	u_int at = place(memory, key->kv_key_val, key->kv_key_len);
	struct pair *pair = &memory->pairs[at];

	return at < memory->n && compare(pair->key, pair->key_len,
					 key->kv_key_val, key->kv_key_len) == 0
		       ? pair
		       : NULL;
}

static char *copy(const char *from, u_int len)
{
	char *to = malloc(len + 1);

	if (!to)
		abort();
	memcpy(to, from ? from : "", len);
	return to;
}

static void set(struct memory *memory, const kv_key *key, const char *value,
		u_int len)
{
	struct pair *pair = find(memory, key);
	u_int at;

	if (!pair) {
		if (memory->n == PAIRS)
			abort();
		at = place(memory, key->kv_key_val, key->kv_key_len);
		pair = &memory->pairs[at];
		memmove(pair + 1, pair, (memory->n++ - at) * sizeof(*pair));
		pair->key = copy(key->kv_key_val, key->kv_key_len);
		pair->key_len = key->kv_key_len;
	} else {
		free(pair->value);
	}
	pair->value = copy(value, len);
	pair->value_len = len;
	pair->revision = memory->revision;
}

static void del(struct memory *memory, struct pair *pair)
{
	free(pair->key);
	free(pair->value);
	memmove(pair, pair + 1,
		(size_t)(&memory->pairs[--memory->n] - pair) * sizeof(*pair));
}

static void incr(struct memory *memory, const kv_change *change,
		 struct pair *pair, kv_write_result *result)
{
	char text[32], *end;
	long long old = 0, sum;

	if (pair) {
		snprintf(text, sizeof(text), "%.*s",
			 (int)(pair->value_len < 31 ? pair->value_len : 31),
			 pair->value);
		errno = 0;
		old = strtoll(text, &end, 10);
		if (errno || *end || end == text) {
			result->status = KV_CONFLICT;
			result->revision = pair->revision;
			return;
		}
	}
	if (__builtin_add_overflow(old, change->number, &sum)) {
		result->status = KV_CONFLICT;
		return;
	}
	snprintf(text, sizeof(text), "%lld", sum);
	set(memory, &change->key, text, (u_int)strlen(text));
	result->number = sum;
	result->revision = memory->revision;
}

static void apply(struct memory *memory, const kv_change *change,
		  kv_write_result *result)
{
	struct pair *pair = find(memory, &change->key);
	bool is_expected = true;

	memory->revision++;
	switch (change->operation) {
	case KV_DEL:
		if (!pair)
			result->status = KV_NOT_FOUND;
		else
			del(memory, pair);
		result->revision = memory->revision;
		return;
	case KV_INCR:
		incr(memory, change, pair, result);
		return;
	case KV_CAS_VALUE:
		is_expected = pair && compare(pair->value, pair->value_len,
					      change->expected.kv_value_val,
					      change->expected.kv_value_len) ==
					      0;
		break;
	case KV_CAS_REVISION:
		is_expected = (pair ? pair->revision : 0) ==
			      (uint64_t)change->number;
		break;
	case KV_CREATE:
		is_expected = !pair;
		break;
	default:
		break;
	}
	if (!is_expected) {
		result->status = KV_CONFLICT;
		result->revision = pair ? pair->revision : 0;
		return;
	}
	set(memory, &change->key, change->value.kv_value_val,
	    change->value.kv_value_len);
	result->revision = memory->revision;
}

static struct session *session_of(struct memory *memory,
				  const kv_request_id *id)
{
	for (u_int i = 0; i < memory->n_sessions; i++)
		if (memcmp(memory->sessions[i].id.client, id->client,
			   KV_CLIENT_BYTES) == 0)
			return &memory->sessions[i];
	if (memory->n_sessions == CLIENTS)
		abort();
	memory->sessions[memory->n_sessions].id = *id;
	memory->sessions[memory->n_sessions].id.sequence = 0;
	return &memory->sessions[memory->n_sessions++];
}

static void write_(struct engine *engine, const kv_write_args *args,
		   kv_write_result *result)
{
	struct memory *memory = (struct memory *)engine;
	const kv_request_id *id = &args->change.id;
	struct session *session = NULL;

	pthread_mutex_lock(&memory->lock);
	memory->writes++;
	if (id->sequence)
		session = session_of(memory, id);
	if (session && id->sequence < session->id.sequence) {
		result->status = KV_SEQUENCE_PAST;
	} else if (session && id->sequence == session->id.sequence) {
		*result = session->result;
	} else {
		apply(memory, &args->change, result);
		result->replicas = result->servers = 1;
		if (session) {
			session->id.sequence = id->sequence;
			session->result = *result;
		}
	}
	pthread_mutex_unlock(&memory->lock);
}

static void get(struct engine *engine, const kv_get_args *args,
		kv_get_result *result)
{
	struct memory *memory = (struct memory *)engine;
	struct pair *pair;

	pthread_mutex_lock(&memory->lock);
	memory->reads++;
	pair = find(memory, &args->key);
	result->applied = memory->revision;
	if (!pair) {
		result->status = KV_NOT_FOUND;
	} else {
		result->value.kv_value_val = copy(pair->value, pair->value_len);
		result->value.kv_value_len = pair->value_len;
		result->revision = pair->revision;
	}
	pthread_mutex_unlock(&memory->lock);
}

static void list(struct engine *engine, const kv_list_args *args,
		 kv_list_result *result)
{
	struct memory *memory = (struct memory *)engine;
	kv_pair *to;

	pthread_mutex_lock(&memory->lock);
	result->applied = memory->revision;
	result->pairs.pairs_val = calloc(args->limit, sizeof(kv_pair));
	for (u_int i = place(memory, args->from.kv_key_val,
			     args->from.kv_key_len);
	     i < memory->n; i++) {
		const struct pair *pair = &memory->pairs[i];

		if (args->to.kv_key_len &&
		    compare(pair->key, pair->key_len, args->to.kv_key_val,
			    args->to.kv_key_len) >= 0)
			break;
		if (result->pairs.pairs_len == args->limit) {
			result->more = true;
			break;
		}
		to = &result->pairs.pairs_val[result->pairs.pairs_len++];
		to->key.kv_key_val = copy(pair->key, pair->key_len);
		to->key.kv_key_len = pair->key_len;
		to->revision = pair->revision;
		if (args->keys_only)
			continue;
		to->value.kv_value_val = copy(pair->value, pair->value_len);
		to->value.kv_value_len = pair->value_len;
	}
	pthread_mutex_unlock(&memory->lock);
}

static void hello(struct engine *engine, kv_hello_result *result)
{
	struct memory *memory = (struct memory *)engine;

	pthread_mutex_lock(&memory->lock);
	result->server = 1;
	result->revision = memory->revision;
	pthread_mutex_unlock(&memory->lock);
}

static void status(struct engine *engine, kv_status_result *result)
{
	struct memory *memory = (struct memory *)engine;

	pthread_mutex_lock(&memory->lock);
	result->id = result->leader = result->term = 1;
	result->role = KV_LEADER;
	result->last = result->commit = result->applied = memory->revision;
	result->keys = memory->n;
	result->writes = memory->writes;
	result->reads = memory->reads;
	pthread_mutex_unlock(&memory->lock);
}

static void hash(struct engine *engine, kv_hash_result *result)
{
	struct memory *memory = (struct memory *)engine;

	pthread_mutex_lock(&memory->lock);
	result->applied = result->hash = memory->revision;
	pthread_mutex_unlock(&memory->lock);
}

static void member(struct engine *engine, const kv_member_args *args,
		   kv_write_result *result)
{
	(void)engine;
	(void)args;
	result->status = KV_UNSUPPORTED;
	result->text = strdup("one server alone");
}

static void close_(struct engine *engine)
{
	free(engine);
}

static const struct engine_calls calls = {
	.name = "memory",
	.hello = hello,
	.write = write_,
	.get = get,
	.list = list,
	.status = status,
	.hash = hash,
	.member = member,
	.close = close_,
};

int memory_open(struct engine **out)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	memory->engine.calls = &calls;
	pthread_mutex_init(&memory->lock, NULL);
	*out = &memory->engine;
	return 0;
}
