/* state_view.c - reading the state, as of one entry: see state.h. */
#include "p18-rpc-kv/state_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_view(struct state *state, struct state_sessions *sessions,
		     struct state_view **view)
{
	*view = malloc(sizeof(**view));
	if (!*view)
		return -ENOMEM;
	**view = (struct state_view){
		.refs = 1,
		.limits = state->limits,
		.root = state_map_hold(state->map.root),
		.sessions = sessions ? state_sessions_hold(sessions) : NULL,
		.count = state_count(state),
	};
	return 0;
}

int state_view(struct state *state, struct state_view **view)
{
	return make_view(state, NULL, view);
}

int state_freeze(struct state *state, struct state_view **view)
{
	return make_view(state, state->sessions, view);
}

struct state_view *state_hold(struct state_view *view)
{
	__atomic_fetch_add(&view->refs, 1, __ATOMIC_RELAXED);
	return view;
}

/* The last one who lets go sees what all others have read before. */
void state_release(struct state_view *view)
{
	if (!view || __atomic_fetch_sub(&view->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	state_map_release(view->root);
	state_sessions_release(view->sessions);
	free(view);
}

uint64_t state_applied(const struct state_view *view)
{
	return view->count.applied;
}

/* A copy of so many bytes, for xdr_free(); *to is NULL for none. */
static int copy_bytes(const void *bytes, size_t len, char **to)
{
	*to = NULL;
	if (!len)
		return 0;
	*to = malloc(len);
	if (!*to)
		return -ENOMEM;
	memcpy(*to, bytes, len);
	return 0;
}

static int copy_value(const struct state_item *item, kv_value *value)
{
	value->kv_value_len = item->value_len;
	return copy_bytes(state_item_value(item), item->value_len,
			  &value->kv_value_val);
}

int state_get(const struct state_view *view, const kv_key *key,
	      kv_get_result *result)
{
	const struct state_item *item =
		state_map_find(view->root, key->kv_key_val, key->kv_key_len);

	result->status = item ? KV_DONE : KV_NOT_FOUND;
	result->revision = item ? item->revision : 0;
	result->applied = view->count.applied;
	result->value = (kv_value){0, NULL};
	return item ? copy_value(item, &result->value) : 0;
}

/* ---- lists ------------------------------------------------------------------- */

enum { STOPPED = 1 };

struct listing {
	const kv_list_args *args;
	kv_list_result *result;
	size_t bytes;
	u_int limit;
};

static bool is_before_end(const struct state_item *item, const kv_key *to)
{
	const size_t least =
		item->key_len < to->kv_key_len ? item->key_len : to->kv_key_len;
	const int order = memcmp(item->bytes, to->kv_key_val, least);

	return order ? order < 0 : item->key_len < to->kv_key_len;
}

static int copy_pair(const struct state_item *item, bool keys_only,
		     kv_pair *pair)
{
	int error;

	*pair = (kv_pair){.revision = item->revision};
	pair->key.kv_key_len = item->key_len;
	error = copy_bytes(item->bytes, item->key_len, &pair->key.kv_key_val);
	if (!error && !keys_only)
		error = copy_value(item, &pair->value);
	return error;
}

static int list_one(const struct state_item *item, void *arg)
{
	struct listing *listing = arg;
	const kv_list_args *args = listing->args;
	kv_list_result *result = listing->result;
	const u_int n = result->pairs.pairs_len;
	const size_t bytes =
		item->key_len + (args->keys_only ? 0 : item->value_len);

	if (args->to.kv_key_len && !is_before_end(item, &args->to))
		return STOPPED;
	if (n == listing->limit ||
	    (n && listing->bytes + bytes > STATE_LIST_BYTES)) {
		result->more = TRUE;
		return STOPPED;
	}
	listing->bytes += bytes;
	result->pairs.pairs_len++; /* also for xdr_free(), half copied */
	return copy_pair(item, args->keys_only, &result->pairs.pairs_val[n]);
}

static void free_pairs(kv_list_result *result)
{
	for (u_int i = 0; i < result->pairs.pairs_len; i++) {
		free(result->pairs.pairs_val[i].key.kv_key_val);
		free(result->pairs.pairs_val[i].value.kv_value_val);
	}
	free(result->pairs.pairs_val);
	result->pairs.pairs_val = NULL;
	result->pairs.pairs_len = 0;
}

int state_list(const struct state_view *view, const kv_list_args *args,
	       kv_list_result *result)
{
	struct listing listing = {args, result, 0, args->limit};
	int error;

	if (!listing.limit || listing.limit > KV_LIST_MAX)
		listing.limit = KV_LIST_MAX;
	result->status = KV_DONE;
	result->more = FALSE;
	result->applied = view->count.applied;
	result->pairs.pairs_len = 0;
	result->pairs.pairs_val = calloc(listing.limit, sizeof(kv_pair));
	if (!result->pairs.pairs_val)
		return -ENOMEM;
	error = state_map_each(view->root, args->from.kv_key_val,
			       args->from.kv_key_len, list_one, &listing);
	if (error < 0)
		free_pairs(result);
	return error < 0 ? error : 0;
}
