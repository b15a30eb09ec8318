/* The state machine: what changes do and answer, requests that come twice, views
 * that stay as they were, and snapshots. */
#include "p18-rpc-kv/state_parts.h"
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"

/* ---- memory that runs out ---------------------------------------------------- */

/* Which allocation fails, from 1 on; 0: none. */
static int fail_at;

static bool is_to_fail(void)
{
	return fail_at && --fail_at == 0;
}

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_malloc(size_t len)
{
	return is_to_fail() ? NULL : __real_malloc(len);
}

void *__real_calloc(size_t n, size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_calloc(size_t n, size_t len)
{
	return is_to_fail() ? NULL : __real_calloc(n, len);
}

/* ---- shortest ways to do things ---------------------------------------------- */

struct base {
	struct state *state;
	uint64_t index;
};

static struct base make(uint64_t bytes, uint32_t clients)
{
	const struct state_limits limits = {bytes, clients};
	struct base base = {0};

	assert_int_equal(state_new(&base.state, &limits), 0);
	return base;
}

static kv_key key_of(const char *text)
{
	return (kv_key){(u_int)strlen(text), (char *)(uintptr_t)text};
}

static kv_value value_of(const char *text)
{
	return (kv_value){(u_int)strlen(text), (char *)(uintptr_t)text};
}

static kv_change change_of(kv_operation operation, const char *key,
			   const char *value)
{
	return (kv_change){.operation = operation,
			   .key = key_of(key),
			   .value = value_of(value)};
}

static void name(kv_change *change, uint32_t client, uint64_t sequence,
		 uint64_t since)
{
	memcpy(change->id.client, &client, sizeof(client));
	change->id.sequence = sequence;
	change->id.since = since;
}

static kv_write_result apply(struct base *base, kv_change change)
{
	kv_write_result result = {.status = 99};

	assert_int_equal(
		state_apply(base->state, ++base->index, &change, &result), 0);
	return result;
}

static void assert_answer(kv_write_result result, kv_status status,
			  uint64_t revision, int64_t number)
{
	assert_int_equal(result.status, status);
	assert_int_equal(result.revision, revision);
	assert_int_equal(result.number, number);
}

/* "value" or NULL: there is none. */
static void assert_value(struct base *base, const char *key, const char *value)
{
	const kv_key wanted = key_of(key);
	struct state_view *view;
	kv_get_result result = {0};

	assert_int_equal(state_view(base->state, &view), 0);
	assert_int_equal(state_get(view, &wanted, &result), 0);
	assert_int_equal(result.status, value ? KV_DONE : KV_NOT_FOUND);
	assert_int_equal(result.applied, base->index);
	if (value) {
		assert_int_equal(result.value.kv_value_len, strlen(value));
		assert_memory_equal(result.value.kv_value_val, value,
				    strlen(value));
	}
	free(result.value.kv_value_val);
	state_release(view);
}

static uint64_t hash_of(struct state *state)
{
	struct state_view *view;
	uint64_t hash;

	assert_int_equal(state_freeze(state, &view), 0);
	hash = state_hash(view);
	state_release(view);
	return hash;
}

/* ---- changes ----------------------------------------------------------------- */

static void changes_are_answered_as_kv_x_says(void **unused)
{
	struct base base = make(0, 0);
	kv_change change;

	(void)unused;
	assert_answer(apply(&base, change_of(KV_NOTHING, "", "")), KV_DONE, 0,
		      0);
	assert_answer(apply(&base, change_of(KV_PUT, "a", "1")), KV_DONE, 2, 0);
	assert_answer(apply(&base, change_of(KV_CREATE, "a", "2")), KV_CONFLICT,
		      2, 0);
	assert_value(&base, "a", "1");
	assert_answer(apply(&base, change_of(KV_CREATE, "b", "2")), KV_DONE, 4,
		      0);
	change = change_of(KV_CAS_VALUE, "a", "3");
	change.expected = value_of("0");
	assert_answer(apply(&base, change), KV_CONFLICT, 2, 0);
	change.expected = value_of("1");
	assert_answer(apply(&base, change), KV_DONE, 6, 0);
	change.key = key_of("none");
	assert_answer(apply(&base, change), KV_CONFLICT, 0, 0);
	change = change_of(KV_CAS_REVISION, "a", "4");
	change.number = 2;
	assert_answer(apply(&base, change), KV_CONFLICT, 6, 0);
	change.number = 6;
	assert_answer(apply(&base, change), KV_DONE, 9, 0);
	change.number = -9;
	assert_answer(apply(&base, change), KV_CONFLICT, 9, 0);
	change.key = key_of("new");
	assert_answer(apply(&base, change), KV_CONFLICT, 0, 0);
	change.number = 0;
	assert_answer(apply(&base, change), KV_DONE, 12, 0);
	assert_value(&base, "a", "4");
	assert_answer(apply(&base, change_of(KV_DEL, "a", "")), KV_DONE, 13, 0);
	assert_answer(apply(&base, change_of(KV_DEL, "a", "")), KV_NOT_FOUND, 0,
		      0);
	assert_value(&base, "a", NULL);
	assert_value(&base, "new", "4");
	state_free(base.state);
}

static void incr_counts_in_64_bits_and_never_wraps(void **unused)
{
	struct base base = make(0, 0);
	kv_change change = change_of(KV_INCR, "n", "");

	(void)unused;
	change.number = 5;
	assert_answer(apply(&base, change), KV_DONE, 1, 5);
	change.number = -7;
	assert_answer(apply(&base, change), KV_DONE, 2, -2);
	assert_value(&base, "n", "-2");
	change.number = INT64_MIN + 2;
	assert_answer(apply(&base, change), KV_DONE, 3, INT64_MIN);
	assert_value(&base, "n", "-9223372036854775808");
	change.number = -1;
	assert_answer(apply(&base, change), KV_CONFLICT, 3, 0);
	assert_value(&base, "n", "-9223372036854775808");
	apply(&base, change_of(KV_PUT, "n", "12x"));
	assert_answer(apply(&base, change), KV_CONFLICT, 5, 0);
	apply(&base, change_of(KV_PUT, "n", ""));
	assert_answer(apply(&base, change), KV_CONFLICT, 7, 0);
	apply(&base, change_of(KV_PUT, "n", "9223372036854775808"));
	assert_answer(apply(&base, change), KV_CONFLICT, 9, 0);
	change.key = key_of("m");
	change.number = INT64_MAX;
	assert_answer(apply(&base, change), KV_DONE, 11, INT64_MAX);
	change.number = 1;
	assert_answer(apply(&base, change), KV_CONFLICT, 11, 0);
	/* A zero byte ends no number. */
	change = change_of(KV_PUT, "z", "");
	change.value = (kv_value){2, (char[]){'1', '\0'}};
	apply(&base, change);
	change.operation = KV_INCR;
	assert_answer(apply(&base, change), KV_CONFLICT, 13, 0);
	state_free(base.state);
}

static void what_cannot_be_is_invalid_on_every_server(void **unused)
{
	static char long_key[KV_KEY_MAX + 1];
	struct base base = make(0, 0);
	kv_change change = change_of(KV_PUT, "", "x");
	kv_write_result result;
	uint64_t before = hash_of(base.state);

	(void)unused;
	assert_answer(apply(&base, change), KV_INVALID, 0, 0);
	change.key = (kv_key){sizeof(long_key), long_key};
	assert_answer(apply(&base, change), KV_INVALID, 0, 0);
	change = change_of(7, "a", "x");
	assert_answer(apply(&base, change), KV_INVALID, 0, 0);
	for (size_t len = 0; len < 80; len++) {
		result.status = 99;
		assert_int_equal(state_apply_bytes(base.state, ++base.index,
						   long_key, len, &result),
				 0);
		/* 56 zeros are a change, KV_NOTHING. */
		assert_int_equal(result.status,
				 len == 56 ? KV_DONE : KV_INVALID);
	}
	assert_int_equal(hash_of(base.state), before);
	assert_int_equal(state_count(base.state).applied, base.index);
	/* An index that was before is a mistake of the caller. */
	assert_int_equal(state_skip(base.state, base.index), -EINVAL);
	assert_int_equal(state_apply(base.state, base.index, &change, &result),
			 -EINVAL);
	state_free(base.state);
}

static void bytes_of_a_change_are_carried_out(void **unused)
{
	struct base base = make(0, 0);
	kv_change change = change_of(KV_PUT, "key", "value");
	kv_write_result result = {0};
	char bytes[256];
	u_int len;
	XDR xdr;

	(void)unused;
	xdrmem_create(&xdr, bytes, sizeof(bytes), XDR_ENCODE);
	assert_true(xdr_kv_change(&xdr, &change));
	len = xdr_getpos(&xdr);
	assert_int_equal(state_apply_bytes(base.state, ++base.index, bytes, len,
					   &result),
			 0);
	assert_answer(result, KV_DONE, 1, 0);
	assert_value(&base, "key", "value");
	assert_int_equal(state_apply_bytes(base.state, ++base.index, bytes,
					   len - 4, &result),
			 0);
	assert_answer(result, KV_INVALID, 0, 0);
	state_free(base.state);
}

static void a_state_that_is_full_takes_no_more(void **unused)
{
	struct base base = make(2 * STATE_KEY_BYTES + 8, 0);

	(void)unused;
	assert_answer(apply(&base, change_of(KV_PUT, "a", "123")), KV_DONE, 1,
		      0);
	assert_answer(apply(&base, change_of(KV_PUT, "b", "1234")),
		      KV_TOO_LARGE, 0, 0);
	assert_answer(apply(&base, change_of(KV_PUT, "b", "123")), KV_DONE, 3,
		      0);
	assert_answer(apply(&base, change_of(KV_PUT, "c", "")), KV_TOO_LARGE, 0,
		      0);
	assert_answer(apply(&base, change_of(KV_PUT, "b", "1")), KV_DONE, 5, 0);
	assert_answer(apply(&base, change_of(KV_PUT, "a", "12345")), KV_DONE, 6,
		      0);
	apply(&base, change_of(KV_DEL, "a", ""));
	assert_answer(apply(&base, change_of(KV_PUT, "c", "12345")), KV_DONE, 8,
		      0);
	assert_int_equal(state_count(base.state).bytes, 8);
	state_free(base.state);
}

/* ---- exactly once ------------------------------------------------------------ */

static kv_change incr_of(uint32_t client, uint64_t sequence, uint64_t since)
{
	kv_change change = change_of(KV_INCR, "n", "");

	change.number = 1;
	name(&change, client, sequence, since);
	return change;
}

static void a_request_that_comes_twice_is_done_once(void **unused)
{
	struct base base = make(0, 0);

	(void)unused;
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_DONE, 1, 1);
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_DONE, 1, 1);
	assert_answer(apply(&base, incr_of(2, 1, 0)), KV_DONE, 3, 2);
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_DONE, 1, 1);
	assert_answer(apply(&base, incr_of(1, 2, 0)), KV_DONE, 5, 3);
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_SEQUENCE_PAST, 0, 0);
	assert_value(&base, "n", "3");
	/* One without a name is new each time. */
	assert_answer(apply(&base, incr_of(1, 0, 0)), KV_DONE, 7, 4);
	assert_answer(apply(&base, incr_of(1, 0, 0)), KV_DONE, 8, 5);
	state_free(base.state);
}

static void an_answer_that_was_no_stays_no(void **unused)
{
	struct base base = make(0, 0);
	kv_change change = change_of(KV_CREATE, "a", "2");

	(void)unused;
	apply(&base, change_of(KV_PUT, "a", "1"));
	name(&change, 1, 1, 0);
	assert_answer(apply(&base, change), KV_CONFLICT, 1, 0);
	apply(&base, change_of(KV_DEL, "a", ""));
	assert_answer(apply(&base, change), KV_CONFLICT, 1, 0);
	assert_value(&base, "a", NULL);
	state_free(base.state);
}

static void a_client_that_was_dropped_is_never_taken_for_a_new_one(
	void **unused)
{
	struct base base = make(0, 3);

	(void)unused;
	apply(&base, incr_of(1, 1, 0)); /* entry 1 */
	apply(&base, incr_of(2, 1, 0));
	apply(&base, incr_of(3, 1, 0));
	apply(&base, incr_of(1, 1, 0)); /* seen again: 2 is the oldest */
	apply(&base, incr_of(4, 1, 0)); /* 2 goes, last seen at entry 2 */
	assert_int_equal(state_count(base.state).clients, 3);
	assert_int_equal(state_count(base.state).forgotten, 2);
	assert_answer(apply(&base, incr_of(2, 1, 0)), KV_FORGOTTEN, 0, 0);
	assert_answer(apply(&base, incr_of(2, 2, 1)), KV_FORGOTTEN, 0, 0);
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_DONE, 1, 1);
	assert_value(&base, "n", "4");
	/* Who began at or after what was forgotten was not among those. */
	assert_answer(apply(&base, incr_of(5, 1, 2)), KV_DONE, 9, 5);
	assert_int_equal(state_count(base.state).forgotten, 3);
	state_free(base.state);
}

/* ---- snapshots --------------------------------------------------------------- */

struct bytes {
	uint8_t *bytes;
	size_t len, at, room;
};

static int put_bytes(void *arg, const void *bytes, size_t len)
{
	struct bytes *to = arg;

	if (to->len + len > to->room) {
		to->room = 2 * (to->len + len);
		to->bytes = realloc(to->bytes, to->room);
		assert_non_null(to->bytes);
	}
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
	return 0;
}

/* A few at a time. */
static ssize_t get_bytes(void *arg, void *bytes, size_t len)
{
	struct bytes *from = arg;
	size_t n = from->len - from->at;

	n = n < len ? n : len;
	n = n < 7 ? n : 7;
	memcpy(bytes, from->bytes + from->at, n);
	from->at += n;
	return (ssize_t)n;
}

static struct bytes encode(struct state *state)
{
	struct bytes bytes = {0};
	struct state_view *view;

	assert_int_equal(state_freeze(state, &view), 0);
	assert_int_equal(state_encode(view, put_bytes, &bytes), 0);
	state_release(view);
	return bytes;
}

static int decode(struct bytes *bytes, uint32_t clients, struct state **state)
{
	const struct state_limits limits = {0, clients};
	const char *why;

	bytes->at = 0;
	return state_decode(state, &limits, get_bytes, bytes, &why);
}

/* A state, by way of its snapshot. */
static void go_through_snapshot(struct base *base)
{
	struct bytes bytes = encode(base->state);
	const struct state_count before = state_count(base->state);
	const uint64_t hash = hash_of(base->state);
	const struct state_limits limits = base->state->limits;
	struct state_count after;
	const char *why;

	state_free(base->state);
	assert_int_equal(
		state_decode(&base->state, &limits, get_bytes, &bytes, &why),
		0);
	after = state_count(base->state);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(hash_of(base->state), hash);
	free(bytes.bytes);
}

static void a_request_before_the_snapshot_is_not_done_again_after_it(
	void **unused)
{
	struct base base = make(0, 3);

	(void)unused;
	for (uint32_t client = 1; client <= 4; client++)
		apply(&base, incr_of(client, 1, 0));
	apply(&base, incr_of(2, 2, 0));
	go_through_snapshot(&base);
	assert_answer(apply(&base, incr_of(2, 2, 0)), KV_DONE, 5, 5);
	assert_answer(apply(&base, incr_of(2, 1, 0)), KV_SEQUENCE_PAST, 0, 0);
	assert_answer(apply(&base, incr_of(1, 1, 0)), KV_FORGOTTEN, 0, 0);
	assert_value(&base, "n", "5");
	/* 3 is still the one to go next. */
	apply(&base, incr_of(5, 1, 9));
	assert_int_equal(state_count(base.state).forgotten, 3);
	state_free(base.state);
}

static struct base make_small(void)
{
	struct base base = make(0, 2);

	apply(&base, change_of(KV_PUT, "a", "first"));
	apply(&base, change_of(KV_PUT, "ab", ""));
	for (uint32_t client = 1; client <= 3; client++)
		apply(&base, incr_of(client, 1, 0));
	return base;
}

static void a_snapshot_that_ends_too_early_or_late_is_refused(void **unused)
{
	struct base base = make_small();
	struct bytes bytes = encode(base.state);
	struct state *state;
	const size_t whole = bytes.len;

	(void)unused;
	for (bytes.len = 0; bytes.len < whole; bytes.len++) {
		assert_int_equal(decode(&bytes, 2, &state), -EBADMSG);
		assert_null(state);
	}
	assert_int_equal(decode(&bytes, 2, &state), 0);
	state_free(state);
	put_bytes(&bytes, "", 1);
	assert_int_equal(decode(&bytes, 2, &state), -EBADMSG);
	assert_int_equal(decode(&bytes, 3, &state), -EPROTONOSUPPORT);
	free(bytes.bytes);
	state_free(base.state);
}

/* No checksum stands here: what is taken must be a state that can be. */
static void a_snapshot_with_any_bit_wrong_is_refused_or_consistent(
	void **unused)
{
	struct base base = make_small();
	struct bytes bytes = encode(base.state);
	struct state *state;
	int n_refused = 0;

	(void)unused;
	for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
		int error;

		bytes.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		error = decode(&bytes, 2, &state);
		if (error) {
			assert_true(error == -EBADMSG ||
				    error == -EPROTONOSUPPORT);
			n_refused++;
		} else {
			struct bytes again = encode(state);

			assert_int_equal(again.len, bytes.len);
			assert_memory_equal(again.bytes, bytes.bytes,
					    bytes.len);
			free(again.bytes);
			state_free(state);
		}
		bytes.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(n_refused > 600);
	free(bytes.bytes);
	state_free(base.state);
}

/* ---- against a model --------------------------------------------------------- */

enum { KEYS = 300, STEPS = 20000, VIEWS = 5 };

/* Key i is what its number is in letters; its value, a number of that length. */
struct model {
	uint64_t revision[KEYS]; /* 0: not there */
	uint32_t value_len[KEYS];
};

static kv_key model_key(unsigned int i, char text[32])
{
	/* Some are the beginning of others. */
	int n = snprintf(text, 32, "%.*s%u", (int)(i % 7), "abcdefg", i / 3);

	return (kv_key){(u_int)n, text};
}

static int compare_keys(const void *a, const void *b)
{
	char x[32], y[32];

	model_key(*(const unsigned int *)a, x);
	model_key(*(const unsigned int *)b, y);
	return strcmp(x, y);
}

static void assert_model(const struct state_view *view,
			 const struct model *model)
{
	unsigned int order[KEYS] = {0}, n = 0, at = 0;
	kv_list_args args = {.limit = 17};
	kv_list_result result = {0};
	char text[32], next[33];

	for (unsigned int i = 0; i < KEYS; i++)
		if (model->revision[i])
			order[n++] = i;
	qsort(order, n, sizeof(order[0]), compare_keys);
	do {
		assert_int_equal(state_list(view, &args, &result), 0);
		for (u_int i = 0; i < result.pairs.pairs_len; i++, at++) {
			const kv_pair *pair = &result.pairs.pairs_val[i];
			const kv_key key = model_key(order[at], text);

			assert_true(at < n);
			assert_int_equal(pair->key.kv_key_len, key.kv_key_len);
			assert_memory_equal(pair->key.kv_key_val, text,
					    key.kv_key_len);
			assert_int_equal(pair->revision,
					 model->revision[order[at]]);
			assert_int_equal(pair->value.kv_value_len,
					 model->value_len[order[at]]);
			memcpy(next, text, sizeof(text));
			next[key.kv_key_len] = '\0';
			args.from = (kv_key){key.kv_key_len + 1, next};
		}
		xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	} while (result.more);
	assert_int_equal(at, n);
}

/* Levels of a tree, each of which must differ by one from its neighbour. */
// NOLINTNEXTLINE(misc-no-recursion)
static uint32_t assert_balanced(const struct state_node *node)
{
	uint32_t l, r;

	if (!node)
		return 0;
	l = assert_balanced(node->left);
	r = assert_balanced(node->right);
	assert_true(l <= r + 1 && r <= l + 1);
	assert_int_equal(node->height, 1 + (l > r ? l : r));
	return node->height;
}

static void views_stay_as_they_were_while_the_state_goes_on(void **unused)
{
	static struct model model, then[VIEWS];
	struct state_view *views[VIEWS] = {NULL};
	static char value[KEYS];
	struct base base = make(0, 0);
	struct rng rng;
	char text[32];

	(void)unused;
	rng_seed(&rng, 18);
	memset(value, 'v', sizeof(value));
	for (int step = 0; step < (support_is_valgrind() ? 1000 : STEPS);
	     step++) {
		const unsigned int i = (unsigned int)rng_below(&rng, KEYS);
		const bool is_del = rng_below(&rng, 2);
		const uint64_t slot = rng_below(&rng, 50);
		kv_change change = {.operation = is_del ? KV_DEL : KV_PUT,
				    .key = model_key(i, text)};

		change.value = (kv_value){(u_int)rng_below(&rng, KEYS), value};
		assert_int_equal(apply(&base, change).status,
				 is_del && !model.revision[i] ? KV_NOT_FOUND
							      : KV_DONE);
		model.revision[i] = is_del ? 0 : base.index;
		model.value_len[i] = change.value.kv_value_len;
		if (slot >= VIEWS)
			continue;
		if (views[slot])
			assert_model(views[slot], &then[slot]);
		state_release(views[slot]);
		assert_int_equal(state_view(base.state, &views[slot]), 0);
		then[slot] = model;
		assert_balanced(base.state->map.root);
	}
	for (int slot = 0; slot < VIEWS; slot++)
		state_release(views[slot]);
	go_through_snapshot(&base);
	assert_balanced(base.state->map.root);
	assert_int_equal(state_view(base.state, &views[0]), 0);
	/* A view outlives its state. */
	state_free(base.state);
	assert_model(views[0], &model);
	state_release(views[0]);
}

static void a_list_keeps_to_its_bounds(void **unused)
{
	static char big[KV_VALUE_MAX];
	struct base base = make(0, 0);
	struct state_view *view;
	kv_list_args args = {.from = key_of("b"), .to = key_of("bb")};
	kv_list_result result = {0};
	char text[32];

	(void)unused;
	for (const char *const *key =
		     (const char *const[]){"a", "b", "b0", "ba", "bb", "c", 0};
	     *key; key++)
		apply(&base, change_of(KV_PUT, *key, "value"));
	assert_int_equal(state_view(base.state, &view), 0);
	args.keys_only = TRUE;
	assert_int_equal(state_list(view, &args, &result), 0);
	assert_int_equal(result.pairs.pairs_len, 3);
	assert_memory_equal(result.pairs.pairs_val[2].key.kv_key_val, "ba", 2);
	assert_int_equal(result.pairs.pairs_val[2].value.kv_value_len, 0);
	assert_false(result.more);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	args.limit = 3; /* all that there is: no more */
	assert_int_equal(state_list(view, &args, &result), 0);
	assert_false(result.more);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	args.limit = 2;
	assert_int_equal(state_list(view, &args, &result), 0);
	assert_int_equal(result.pairs.pairs_len, 2);
	assert_true(result.more);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	state_release(view);
	for (int i = 0; i < 40; i++) {
		kv_change change = change_of(KV_PUT, "", "");

		snprintf(text, sizeof(text), "x%02d", i);
		change.key = key_of(text);
		change.value = (kv_value){sizeof(big), big};
		apply(&base, change);
	}
	assert_int_equal(state_view(base.state, &view), 0);
	args = (kv_list_args){.from = key_of("x")};
	assert_int_equal(state_list(view, &args, &result), 0);
	assert_int_equal(result.pairs.pairs_len, 15); /* of 64 KB and a key */
	assert_true(result.more);
	xdr_free((xdrproc_t)xdr_kv_list_result, (char *)&result);
	state_release(view);
	state_free(base.state);
}

/* ---- threads ----------------------------------------------------------------- */

struct shared {
	pthread_mutex_t lock;
	struct state_view *view;
	bool is_over;
};

/* Each view holds as many keys as entries, and the last one is the newest. */
static void *read_views(void *arg)
{
	struct shared *shared = arg;
	uint64_t before = 0;
	bool is_over = false;

	while (!is_over) {
		struct state_view *view;
		kv_get_result result = {0};
		char text[32];
		kv_key key = {0, text};

		pthread_mutex_lock(&shared->lock);
		view = state_hold(shared->view);
		is_over = shared->is_over;
		pthread_mutex_unlock(&shared->lock);
		key.kv_key_len = (u_int)snprintf(text, sizeof(text), "%d",
						 (int)state_applied(view));
		if (state_applied(view) < before ||
		    state_get(view, &key, &result) ||
		    result.revision != state_applied(view))
			return "a view is not what it should be";
		before = state_applied(view);
		free(result.value.kv_value_val);
		state_release(view);
	}
	return NULL;
}

static void threads_read_views_while_another_one_changes_the_state(
	void **unused)
{
	struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct base base = make(0, 0);
	pthread_t threads[3];
	char text[32];
	void *why;

	(void)unused;
	apply(&base, change_of(KV_PUT, "1", "value"));
	assert_int_equal(state_view(base.state, &shared.view), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_views, &shared),
			0);
	for (int i = 2; i < 5000; i++) {
		struct state_view *view, *old;

		snprintf(text, sizeof(text), "%d", i);
		apply(&base, change_of(KV_PUT, text, "value"));
		assert_int_equal(state_view(base.state, &view), 0);
		pthread_mutex_lock(&shared.lock);
		old = shared.view;
		shared.view = view;
		shared.is_over = i == 4999;
		pthread_mutex_unlock(&shared.lock);
		state_release(old);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &why);
		assert_null(why);
	}
	state_release(shared.view);
	state_free(base.state);
}

/* ---- memory ------------------------------------------------------------------ */

/* With a view around, so that everything has to be copied. */
static void a_change_without_memory_changes_nothing(void **unused)
{
	struct base base = make_small();
	int n_failed = 0;

	(void)unused;
	for (int i = 0; i < 40; i++) {
		char text[32];
		kv_change change = change_of(i % 3 ? KV_PUT : KV_DEL, "", "v");
		struct state_view *view;
		uint64_t before = hash_of(base.state);
		kv_write_result result;
		int error = -ENOMEM;

		snprintf(text, sizeof(text), "%d", i % 3 ? i : i - 1);
		change.key = key_of(text);
		name(&change, (uint32_t)(i % 3) + 1, (uint64_t)i + 2, 100);
		assert_int_equal(state_freeze(base.state, &view), 0);
		for (int at = 1; error; at++) {
			fail_at = at;
			error = state_apply(base.state, base.index + 1, &change,
					    &result);
			fail_at = 0;
			if (!error)
				break;
			n_failed++;
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(hash_of(base.state), before);
		}
		base.index++;
		assert_int_equal(state_hash(view), before);
		assert_int_not_equal(hash_of(base.state), before);
		state_release(view);
	}
	assert_true(n_failed > 100);
	state_free(base.state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_answered_as_kv_x_says),
		cmocka_unit_test(incr_counts_in_64_bits_and_never_wraps),
		cmocka_unit_test(what_cannot_be_is_invalid_on_every_server),
		cmocka_unit_test(bytes_of_a_change_are_carried_out),
		cmocka_unit_test(a_state_that_is_full_takes_no_more),
		cmocka_unit_test(a_request_that_comes_twice_is_done_once),
		cmocka_unit_test(an_answer_that_was_no_stays_no),
		cmocka_unit_test(
			a_client_that_was_dropped_is_never_taken_for_a_new_one),
		cmocka_unit_test(
			a_request_before_the_snapshot_is_not_done_again_after_it),
		cmocka_unit_test(
			a_snapshot_that_ends_too_early_or_late_is_refused),
		cmocka_unit_test(
			a_snapshot_with_any_bit_wrong_is_refused_or_consistent),
		cmocka_unit_test(
			views_stay_as_they_were_while_the_state_goes_on),
		cmocka_unit_test(a_list_keeps_to_its_bounds),
		cmocka_unit_test(
			threads_read_views_while_another_one_changes_the_state),
		cmocka_unit_test(a_change_without_memory_changes_nothing),
	};

	return SUPPORT_MAIN(tests);
}
