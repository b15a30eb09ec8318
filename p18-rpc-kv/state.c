/* state.c - how an entry of the log changes the state: see state.h. */
#include "p18-rpc-kv/state_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"

enum { CLIENTS_MAX = 1000000 };

int state_new(struct state **state, const struct state_limits *limits)
{
	struct state *new = calloc(1, sizeof(*new));

	*state = NULL;
	if (!new)
		return -ENOMEM;
	if (limits)
		new->limits = *limits;
	if (!new->limits.bytes)
		new->limits.bytes = STATE_BYTES_MAX;
	if (!new->limits.clients)
		new->limits.clients = STATE_CLIENTS;
	if (new->limits.clients > CLIENTS_MAX) {
		free(new);
		return -EINVAL;
	}
	new->sessions = state_sessions_new(new->limits.clients);
	if (!new->sessions) {
		free(new);
		return -ENOMEM;
	}
	*state = new;
	return 0;
}

void state_free(struct state *state)
{
	if (!state)
		return;
	state_map_fini(&state->map);
	state_sessions_release(state->sessions);
	free(state);
}

struct state_count state_count(const struct state *state)
{
	struct state_count count = state->count;

	count.clients = state->sessions->n;
	return count;
}

/* ---- changes ----------------------------------------------------------------- */

static const struct state_item *find(const struct state *state,
				     const kv_key *key)
{
	return state_map_find(state->map.root, key->kv_key_val,
			      key->kv_key_len);
}

static int put(struct state *state, uint64_t index, const kv_key *key,
	       const void *value, size_t len, struct state_response *response)
{
	const struct state_item *old = find(state, key);
	uint64_t keys = state->count.keys, bytes = state->count.bytes + len;
	struct state_item *item;

	if (old)
		bytes -= old->value_len;
	else
		keys++, bytes += key->kv_key_len;
	if (!state_has_room(&state->limits, keys, bytes)) {
		response->status = KV_TOO_LARGE;
		return 0;
	}
	item = state_item_new(key->kv_key_val, key->kv_key_len, value, len,
			      index);
	if (!item || state_map_reserve(&state->map)) {
		state_item_release(item);
		return -ENOMEM;
	}
	state_map_put(&state->map, item);
	state->count.keys = keys;
	state->count.bytes = bytes;
	response->revision = index;
	return 0;
}

static int put_value(struct state *state, uint64_t index,
		     const kv_change *change, struct state_response *response)
{
	return put(state, index, &change->key, change->value.kv_value_val,
		   change->value.kv_value_len, response);
}

static int del(struct state *state, uint64_t index, const kv_key *key,
	       struct state_response *response)
{
	const struct state_item *item = find(state, key);

	if (!item) {
		response->status = KV_NOT_FOUND;
		return 0;
	}
	if (state_map_reserve(&state->map))
		return -ENOMEM;
	state->count.keys--;
	state->count.bytes -= item->key_len + item->value_len;
	state_map_del(&state->map, key->kv_key_val, key->kv_key_len);
	response->revision = index;
	return 0;
}

static void conflict(const struct state_item *item,
		     struct state_response *response)
{
	response->status = KV_CONFLICT;
	response->revision = item ? item->revision : 0;
}

static bool is_value(const struct state_item *item, const kv_value *value)
{
	return item && item->value_len == value->kv_value_len &&
	       (!item->value_len ||
		memcmp(state_item_value(item), value->kv_value_val,
		       item->value_len) == 0);
}

/* What the key's value says as a number; no key says 0. */
static bool get_number(const struct state_item *item, int64_t *number)
{
	char text[24];

	*number = 0;
	if (!item)
		return true;
	if (item->value_len >= sizeof(text))
		return false;
	memcpy(text, state_item_value(item), item->value_len);
	text[item->value_len] = '\0';
	return strlen(text) == item->value_len &&
	       parse_integer(text, number) == 0;
}

static int incr(struct state *state, uint64_t index, const kv_change *change,
		struct state_response *response)
{
	const struct state_item *item = find(state, &change->key);
	char text[24];
	int64_t number;
	int error, len;

	if (!get_number(item, &number) ||
	    __builtin_add_overflow(number, change->number, &number)) {
		conflict(item, response);
		return 0;
	}
	len = snprintf(text, sizeof(text), "%" PRId64, number);
	error = put(state, index, &change->key, text, (size_t)len, response);
	if (!error && response->status == KV_DONE)
		response->number = number;
	return error;
}

/* Only if the condition holds. */
static int put_if(struct state *state, uint64_t index, const kv_change *change,
		  struct state_response *response)
{
	const struct state_item *item = find(state, &change->key);
	const uint64_t revision = item ? item->revision : 0;
	bool is_so = false;

	if (change->operation == KV_CAS_VALUE)
		is_so = is_value(item, &change->expected);
	else if (change->operation == KV_CAS_REVISION)
		is_so = change->number >= 0 &&
			(uint64_t)change->number == revision;
	else
		is_so = !item;
	if (is_so)
		return put_value(state, index, change, response);
	conflict(item, response);
	return 0;
}

static int carry_out(struct state *state, uint64_t index,
		     const kv_change *change, struct state_response *response)
{
	if (change->operation == KV_NOTHING)
		return 0;
	if (change->key.kv_key_len < 1 || change->key.kv_key_len > KV_KEY_MAX ||
	    change->value.kv_value_len > KV_VALUE_MAX) {
		response->status = KV_INVALID;
		return 0;
	}
	switch (change->operation) {
	case KV_PUT:
		return put_value(state, index, change, response);
	case KV_DEL:
		return del(state, index, &change->key, response);
	case KV_CAS_VALUE:
	case KV_CAS_REVISION:
	case KV_CREATE:
		return put_if(state, index, change, response);
	case KV_INCR:
		return incr(state, index, change, response);
	default:
		response->status = KV_INVALID;
		return 0;
	}
}

/* ---- exactly once ------------------------------------------------------------ */

/* Thesis, section 6.3: the second time a request stands in the log it is
 * answered as the first time. */
static int carry_out_once(struct state *state, uint64_t index,
			  const kv_change *change,
			  struct state_response *response)
{
	const kv_request_id *id = &change->id;
	struct state_session *session;
	int error = state_sessions_own(&state->sessions);

	if (error)
		return error;
	session = state_sessions_find(state->sessions, id->client);
	if (!session && id->since < state->count.forgotten) {
		response->status = KV_FORGOTTEN;
		return 0;
	}
	if (session && id->sequence <= session->sequence) {
		*response = session->response;
		if (id->sequence < session->sequence)
			*response =
				(struct state_response){KV_SEQUENCE_PAST, 0, 0};
		state_sessions_touch(state->sessions, session, index);
		return 0;
	}
	error = carry_out(state, index, change, response);
	if (error)
		return error;
	if (session)
		state_sessions_touch(state->sessions, session, index);
	else
		session = state_sessions_add(state->sessions, id->client, index,
					     &state->count.forgotten);
	session->sequence = id->sequence;
	session->response = *response;
	return 0;
}

int state_apply(struct state *state, uint64_t index, const kv_change *change,
		kv_write_result *result)
{
	struct state_response response = {.status = KV_DONE};
	int error;

	if (index <= state->count.applied)
		return -EINVAL;
	if (change->id.sequence)
		error = carry_out_once(state, index, change, &response);
	else
		error = carry_out(state, index, change, &response);
	if (error)
		return error;
	state->count.applied = index;
	result->status = response.status;
	result->revision = response.revision;
	result->number = response.number;
	return 0;
}

int state_apply_bytes(struct state *state, uint64_t index, const void *bytes,
		      size_t len, kv_write_result *result)
{
	kv_change change = {
		.key.kv_key_val = state->key,
		.value.kv_value_val = state->value,
		.expected.kv_value_val = state->expected,
	};
	XDR xdr;

	if (len > KV_COMMAND_MAX)
		goto invalid;
	/* It only reads. */
	xdrmem_create(&xdr, (char *)(uintptr_t)bytes, (u_int)len, XDR_DECODE);
	if (xdr_kv_change(&xdr, &change) && xdr_getpos(&xdr) == len)
		return state_apply(state, index, &change, result);
invalid:
	result->status = KV_INVALID;
	result->revision = 0;
	result->number = 0;
	return state_skip(state, index);
}

int state_skip(struct state *state, uint64_t index)
{
	if (index <= state->count.applied)
		return -EINVAL;
	state->count.applied = index;
	return 0;
}

const char *state_text(kv_operation operation, kv_status status)
{
	switch (status) {
	case KV_TOO_LARGE:
		return "the store is full";
	case KV_INVALID:
		return "no such operation, or a key or value that cannot be";
	case KV_CONFLICT:
		if (operation == KV_INCR)
			return "the value is no number of 64 bits, or would be "
			       "none";
		return "";
	default:
		return "";
	}
}
