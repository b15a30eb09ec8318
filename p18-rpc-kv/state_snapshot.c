/* state_snapshot.c - the state as bytes, and back: see state.h.
 *
 *	struct head      what there is, and the limits that it was made under
 *	struct pair …    keys in their order, each with its bytes behind it
 *	struct client …  from the one that was seen first
 *
 * All numbers are little-endian. */
#include "p18-rpc-kv/state_parts.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "kvstate"
enum { VERSION = 1 };

struct head {
	char magic[8];
	uint32_t version;
	uint32_t limit_clients;
	uint64_t limit_bytes;
	uint64_t applied;
	uint64_t forgotten;
	uint64_t keys;
	uint64_t clients;
};
_Static_assert(sizeof(struct head) == 56, "the format of a snapshot");

struct pair {
	uint32_t key_len, value_len;
	uint64_t revision;
};
_Static_assert(sizeof(struct pair) == 16, "the format of a snapshot");

struct client {
	uint8_t name[KV_CLIENT_BYTES];
	uint64_t sequence;
	uint64_t used;
	uint64_t revision;
	uint64_t number;
	uint32_t status;
	uint32_t zero;
};
_Static_assert(sizeof(struct client) == 56, "the format of a snapshot");

/* ---- to bytes ---------------------------------------------------------------- */

struct sink {
	int (*put)(void *arg, const void *bytes, size_t len);
	void *arg;
};

static int put_item(const struct state_item *item, void *arg)
{
	const struct sink *sink = arg;
	const struct pair pair = {
		.key_len = htole32(item->key_len),
		.value_len = htole32(item->value_len),
		.revision = htole64(item->revision),
	};
	int error = sink->put(sink->arg, &pair, sizeof(pair));

	if (error)
		return error;
	return sink->put(sink->arg, item->bytes,
			 (size_t)item->key_len + item->value_len);
}

static int put_session(const struct sink *sink,
		       const struct state_session *session)
{
	struct client bytes = {
		.sequence = htole64(session->sequence),
		.used = htole64(session->used),
		.revision = htole64(session->response.revision),
		.number = htole64((uint64_t)session->response.number),
		.status = htole32(session->response.status),
	};

	memcpy(bytes.name, session->name, sizeof(bytes.name));
	return sink->put(sink->arg, &bytes, sizeof(bytes));
}

static int put_sessions(const struct sink *sink,
			const struct state_sessions *sessions)
{
	const struct state_session *session = NULL;
	int error = 0;

	while (!error && (session = state_sessions_next(sessions, session)))
		error = put_session(sink, session);
	return error;
}

static int encode(const struct state_view *view, uint64_t applied,
		  struct sink sink)
{
	struct head head = {
		.magic = MAGIC,
		.version = htole32(VERSION),
		.limit_clients = htole32(view->limits.clients),
		.limit_bytes = htole64(view->limits.bytes),
		.applied = htole64(applied),
		.forgotten = htole64(view->count.forgotten),
		.keys = htole64(view->count.keys),
		.clients = htole64(view->count.clients),
	};
	int error;

	if (!view->sessions)
		return -EINVAL;
	error = sink.put(sink.arg, &head, sizeof(head));
	if (!error)
		error = state_map_each(view->root, NULL, 0, put_item, &sink);
	if (!error)
		error = put_sessions(&sink, view->sessions);
	return error;
}

int state_encode(const struct state_view *view,
		 int (*put)(void *arg, const void *bytes, size_t len),
		 void *arg)
{
	return encode(view, view->count.applied, (struct sink){put, arg});
}

/* FNV-1a. */
static int hash_bytes(void *arg, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	uint64_t hash = *(uint64_t *)arg;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	*(uint64_t *)arg = hash;
	return 0;
}

uint64_t state_hash(const struct state_view *view)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (encode(view, 0, (struct sink){hash_bytes, &hash}))
		return 0;
	return hash;
}

/* ---- and back ---------------------------------------------------------------- */

struct source {
	ssize_t (*get)(void *arg, void *bytes, size_t len);
	void *arg;
	const char *why;
};

static int bad(struct source *source, const char *why)
{
	source->why = why;
	return -EBADMSG;
}

static int get_all(struct source *source, void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n = source->get(
			source->arg, (uint8_t *)bytes + done, len - done);

		if (n < 0)
			return (int)n;
		if (n == 0 || (size_t)n > len - done)
			return bad(source, "it ends too early");
		done += (size_t)n;
	}
	return 0;
}

static int get_head(struct source *source, const struct state_limits *limits,
		    struct head *head)
{
	int error = get_all(source, head, sizeof(*head));

	if (error)
		return error;
	if (memcmp(head->magic, MAGIC, sizeof(head->magic)) != 0)
		return bad(source, "it is no state of a store");
	head->version = le32toh(head->version);
	head->limit_clients = le32toh(head->limit_clients);
	head->limit_bytes = le64toh(head->limit_bytes);
	head->applied = le64toh(head->applied);
	head->forgotten = le64toh(head->forgotten);
	head->keys = le64toh(head->keys);
	head->clients = le64toh(head->clients);
	if (head->version != VERSION) {
		source->why = "it is of another version";
		return -EPROTONOSUPPORT;
	}
	if (head->limit_clients != limits->clients ||
	    head->limit_bytes != limits->bytes) {
		source->why = "it was made under other limits";
		return -EPROTONOSUPPORT;
	}
	/* Clients have only been forgotten for want of room. */
	if (head->clients > limits->clients ||
	    head->forgotten > head->applied ||
	    (head->forgotten && head->clients < limits->clients))
		return bad(source, "its counts cannot be");
	return 0;
}

/* The next pair as an item of ours, behind the one before. */
static int get_item(struct source *source, const struct head *head,
		    const struct state_item *before, struct state_item **item)
{
	uint8_t bytes[KV_KEY_MAX + KV_VALUE_MAX];
	struct pair pair;
	int error = get_all(source, &pair, sizeof(pair));
	size_t least;

	if (error)
		return error;
	pair.key_len = le32toh(pair.key_len);
	pair.value_len = le32toh(pair.value_len);
	pair.revision = le64toh(pair.revision);
	if (pair.key_len < 1 || pair.key_len > KV_KEY_MAX ||
	    pair.value_len > KV_VALUE_MAX)
		return bad(source,
			   "a key or value has a length that cannot be");
	if (pair.revision < 1 || pair.revision > head->applied)
		return bad(source, "a key has a revision that cannot be");
	error = get_all(source, bytes, pair.key_len + pair.value_len);
	if (error)
		return error;
	if (before) {
		least = before->key_len < pair.key_len ? before->key_len
						       : pair.key_len;
		error = memcmp(before->bytes, bytes, least);
		if (error > 0 || (!error && before->key_len >= pair.key_len))
			return bad(source, "its keys are out of order");
	}
	*item = state_item_new(bytes, pair.key_len, bytes + pair.key_len,
			       pair.value_len, pair.revision);
	return *item ? 0 : -ENOMEM;
}

static int get_items(struct source *source, const struct head *head,
		     struct state *state)
{
	struct state_count *count = &state->count;
	struct state_item *item = NULL;
	int error = 0;

	while (count->keys < head->keys) {
		/* The one before is in the tree, and stays. */
		error = get_item(source, head, item, &item);
		if (error)
			return error;
		count->keys++;
		count->bytes += item->key_len + item->value_len;
		error = state_map_reserve(&state->map);
		if (!error &&
		    !state_has_room(&state->limits, count->keys, count->bytes))
			error = bad(source, "it is too large");
		if (error) {
			state_item_release(item);
			return error;
		}
		state_map_put(&state->map, item);
	}
	return 0;
}

static bool is_kept(uint32_t status)
{
	return status == KV_DONE || status == KV_NOT_FOUND ||
	       status == KV_CONFLICT || status == KV_TOO_LARGE ||
	       status == KV_INVALID;
}

/* *used: of the client before, or of those that were forgotten. */
static int get_session(struct source *source, const struct head *head,
		       struct state *state, uint64_t *used)
{
	struct state_session *session;
	struct client bytes;
	uint64_t gone;
	int error = get_all(source, &bytes, sizeof(bytes));

	if (error)
		return error;
	bytes.sequence = le64toh(bytes.sequence);
	bytes.used = le64toh(bytes.used);
	bytes.revision = le64toh(bytes.revision);
	bytes.status = le32toh(bytes.status);
	if (bytes.used <= *used || bytes.used > head->applied)
		return bad(source, "its clients are out of order");
	if (!bytes.sequence || bytes.revision > head->applied || bytes.zero ||
	    !is_kept(bytes.status))
		return bad(source, "a client has an answer that cannot be");
	if (state_sessions_find(state->sessions, bytes.name))
		return bad(source, "a client is there twice");
	session = state_sessions_add(state->sessions, bytes.name, bytes.used,
				     &gone);
	session->sequence = bytes.sequence;
	session->response.status = bytes.status;
	session->response.revision = bytes.revision;
	session->response.number = (int64_t)le64toh(bytes.number);
	*used = bytes.used;
	return 0;
}

static int get_everything(struct source *source, struct state *state)
{
	uint64_t used;
	struct head head;
	char byte;
	ssize_t n;
	int error = get_head(source, &state->limits, &head);

	if (error)
		return error;
	state->count.applied = head.applied;
	state->count.forgotten = used = head.forgotten;
	error = get_items(source, &head, state);
	for (uint64_t i = 0; i < head.clients && !error; i++)
		error = get_session(source, &head, state, &used);
	if (error)
		return error;
	n = source->get(source->arg, &byte, 1);
	return n > 0 ? bad(source, "there is more behind it") : (int)n;
}

int state_decode(struct state **state, const struct state_limits *limits,
		 ssize_t (*get)(void *arg, void *bytes, size_t len), void *arg,
		 const char **why)
{
	struct source source = {get, arg, ""};
	int error = state_new(state, limits);

	if (!error)
		error = get_everything(&source, *state);
	if (error) {
		state_free(*state);
		*state = NULL;
	}
	*why = source.why;
	return error;
}
