/* Any entries of a log: a state carries them out, and another one that has gone
 * through a snapshot in between is the same, answers included; a view does not
 * change.
 *
 * The input is entries: a byte, below 128 for six more of a change (operation, key,
 * value or number, client, sequence, since); else so many bytes less 128, as
 * they would stand in the log. Seeds: tests/fuzz/p18_state_fuzz. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/state.h"

enum { ROOM = 1 << 20 };

static const struct state_limits limits = {3000, 3};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

struct bytes {
	uint8_t bytes[ROOM];
	size_t len, at;
};

static int put(void *arg, const void *bytes, size_t len)
{
	struct bytes *to = arg;

	must(len <= sizeof(to->bytes) - to->len);
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
	return 0;
}

static ssize_t get(void *arg, void *bytes, size_t len)
{
	struct bytes *from = arg;

	len = len < from->len - from->at ? len : from->len - from->at;
	memcpy(bytes, from->bytes + from->at, len);
	from->at += len;
	return (ssize_t)len;
}

static uint64_t hash_of(struct state *state)
{
	struct state_view *view;
	uint64_t hash;

	must(state_freeze(state, &view) == 0);
	hash = state_hash(view);
	state_release(view);
	return hash;
}

static struct state *go_through_snapshot(struct state *state)
{
	static struct bytes bytes;
	struct state_view *view;
	struct state *again;
	const char *why;

	bytes.len = bytes.at = 0;
	must(state_freeze(state, &view) == 0);
	must(state_encode(view, put, &bytes) == 0);
	must(state_decode(&again, &limits, get, &bytes, &why) == 0);
	must(state_hash(view) == hash_of(again));
	state_release(view);
	state_free(state);
	return again;
}

static void apply(struct state *state, uint64_t index, const uint8_t *data,
		  size_t len, kv_write_result *result)
{
	static char value[256];
	kv_change change = {.operation = data[0] % 8};

	if (data[0] >= 128) {
		must(state_apply_bytes(state, index, data + 1, len - 1,
				       result) == 0);
		return;
	}
	change.key = (kv_key){data[1] % 3, (char *)(uintptr_t)data + 1};
	change.value = (kv_value){data[3], value};
	change.expected = (kv_value){data[2], value};
	change.number = (int64_t)data[3] - 128;
	change.id.client[0] = (char)(data[4] % 5);
	change.id.sequence = data[5] % 4;
	change.id.since = data[6];
	must(state_apply(state, index, &change, result) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *states[2];
	struct state_view *view = NULL;
	uint64_t index = 0, hash = 0;

	for (int i = 0; i < 2; i++)
		must(state_new(&states[i], &limits) == 0);
	while (size > 0) {
		const size_t len = data[0] < 128 ? 7 : data[0] - 127U;
		kv_write_result results[2] = {{0}, {0}};

		if (len > size)
			break;
		index++;
		for (int i = 0; i < 2; i++)
			apply(states[i], index, data, len, &results[i]);
		must(results[0].status == results[1].status &&
		     results[0].revision == results[1].revision &&
		     results[0].number == results[1].number);
		if (index % 8 == 3) {
			must(!view || state_hash(view) == hash);
			state_release(view);
			must(state_freeze(states[0], &view) == 0);
			hash = state_hash(view);
		}
		if (index % 16 == 9)
			states[1] = go_through_snapshot(states[1]);
		must(hash_of(states[0]) == hash_of(states[1]));
		data += len;
		size -= len;
	}
	must(!view || state_hash(view) == hash);
	for (int i = 0; i < 2; i++)
		state_free(states[i]);
	state_release(view);
	return 0;
}
