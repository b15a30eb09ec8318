/* linear.c - the search. Calls and returns stand in a list in the order of time.
 * We go along it: a call whose request could be done now is done, and both its
 * entries leave the list; at a return that is still there we have gone too far,
 * as that request should have been done by now, and take back the last one. */
#include "tests/p18/linear.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = LINEAR_MAX / 64 };

/* What the requests that were done have left. */
struct state {
	int64_t value;
	bool exists;
};

/* ---- what a request does ---------------------------------------------------- */

/* Whether the request could be done now with the result that it had. One of
 * unknown outcome could always, but is of no use where it changes nothing. */
static bool is_possible(struct state s, const struct linear_request *r)
{
	bool is_done = r->outcome == LINEAR_DONE;

	if (r->outcome == LINEAR_UNKNOWN)
		switch (r->kind) {
		case LINEAR_GET:
			return false;
		case LINEAR_DEL:
			return s.exists;
		case LINEAR_CAS:
			return s.exists && s.value == r->expected;
		case LINEAR_CREATE:
			return !s.exists;
		default:
			return true;
		}
	switch (r->kind) {
	case LINEAR_PUT:
		return is_done;
	case LINEAR_GET:
		return is_done ? s.exists && s.value == r->result : !s.exists;
	case LINEAR_DEL:
		return s.exists == is_done;
	case LINEAR_CAS:
		return (s.exists && s.value == r->expected) == is_done;
	case LINEAR_CREATE:
		return !s.exists == is_done;
	default: /* LINEAR_INCR */
		return is_done &&
		       (s.exists ? s.value : 0) + r->value == r->result;
	}
}

static struct state after(struct state s, const struct linear_request *r)
{
	if (r->outcome == LINEAR_NO || r->kind == LINEAR_GET)
		return s;
	if (r->kind == LINEAR_DEL)
		return (struct state){0, false};
	if (r->kind == LINEAR_INCR)
		return (struct state){(s.exists ? s.value : 0) + r->value,
				      true};
	return (struct state){r->value, true};
}

/* ---- what was met before ----------------------------------------------------- */

struct met {
	uint64_t done[WORDS];
	struct state state;
	bool is_used;
};

struct memory {
	struct met *slots;
	size_t n, room, most; /* room is a power of two */
};

static size_t hash(const struct met *met)
{
	uint64_t h = (uint64_t)met->state.value * 2 + met->state.exists;

	for (size_t i = 0; i < WORDS; i++)
		h = (h ^ met->done[i]) * UINT64_C(0x9e3779b97f4a7c15),
		h ^= h >> 29;
	return (size_t)h;
}

static bool is_same(const struct met *a, const struct met *b)
{
	return memcmp(a->done, b->done, sizeof(a->done)) == 0 &&
	       a->state.value == b->state.value &&
	       a->state.exists == b->state.exists;
}

static struct met *place(const struct memory *memory, const struct met *met)
{
	size_t i = hash(met) & (memory->room - 1);

	while (memory->slots[i].is_used && !is_same(&memory->slots[i], met))
		i = (i + 1) & (memory->room - 1);
	return &memory->slots[i];
}

static int grow(struct memory *memory)
{
	struct memory larger = *memory;

	larger.room = memory->room ? 2 * memory->room : 1024;
	larger.slots = calloc(larger.room, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < memory->room; i++)
		if (memory->slots[i].is_used)
			*place(&larger, &memory->slots[i]) = memory->slots[i];
	free(memory->slots);
	*memory = larger;
	return 0;
}

/* Returns 1 if it is new, 0, or -errno. */
static int remember(struct memory *memory, const struct met *met)
{
	struct met *slot;

	if (2 * memory->n >= memory->room && grow(memory))
		return -ENOMEM;
	slot = place(memory, met);
	if (slot->is_used)
		return 0;
	if (memory->n == memory->most)
		return -E2BIG;
	*slot = *met;
	slot->is_used = true;
	memory->n++;
	return 1;
}

/* ---- the list of calls and returns ------------------------------------------- */

struct entry {
	struct entry *previous, *next;
	size_t request;
	bool is_return;
	int64_t at_ns;
};

/* The head, and of request i the call at 1 + 2 i, and the return behind it. One
 * of unknown outcome has no return. */
struct list {
	struct entry entries[1 + 2 * LINEAR_MAX];
};

static struct entry *call_of(struct list *list, size_t i)
{
	return &list->entries[1 + 2 * i];
}

static void leave(struct entry *entry)
{
	entry->previous->next = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
}

static void come_back(struct entry *entry)
{
	entry->previous->next = entry;
	if (entry->next)
		entry->next->previous = entry;
}

/* Who returned when another was called may have been at it still: calls first. */
static int compare(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->is_return - y->is_return;
}

static void make_list(struct list *list, const struct linear_request *history,
		      size_t n)
{
	struct entry *sorted[2 * LINEAR_MAX], *last = &list->entries[0];
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct entry *call = call_of(list, i);

		call[0] = (struct entry){.request = i,
					 .at_ns = history[i].call_ns};
		call[1] = (struct entry){.request = i,
					 .is_return = true,
					 .at_ns = history[i].return_ns};
		sorted[count++] = &call[0];
		if (history[i].outcome != LINEAR_UNKNOWN)
			sorted[count++] = &call[1];
	}
	/* cppcheck-suppress uninitvar */
	/* NOLINTNEXTLINE(bugprone-sizeof-expression) */
	qsort(sorted, count, sizeof(sorted[0]), compare);
	for (size_t i = 0; i < count; i++) {
		sorted[i]->previous = last;
		last->next = sorted[i];
		last = sorted[i];
	}
	last->next = NULL;
}

/* ---- the search --------------------------------------------------------------- */

struct search {
	const struct linear_request *history;
	struct list list;
	struct memory memory;
	struct met now;
	struct {
		size_t request;
		struct state before;
	} order[LINEAR_MAX];
	size_t depth;
	size_t left;     /* requests that must be done yet */
	size_t furthest; /* the deepest that any order came */
	size_t stuck;
};

static void lift(struct search *search, size_t request, struct state state)
{
	struct entry *call = call_of(&search->list, request);

	search->order[search->depth].request = request;
	search->order[search->depth++].before = search->now.state;
	search->now.state = state;
	search->now.done[request / 64] |= UINT64_C(1) << request % 64;
	leave(&call[0]);
	if (search->history[request].outcome == LINEAR_UNKNOWN)
		return;
	leave(&call[1]);
	search->left--;
}

/* Returns the call of the request that was taken back. */
static struct entry *take_back(struct search *search)
{
	size_t request = search->order[--search->depth].request;
	struct entry *call = call_of(&search->list, request);

	search->now.state = search->order[search->depth].before;
	search->now.done[request / 64] &= ~(UINT64_C(1) << request % 64);
	if (search->history[request].outcome != LINEAR_UNKNOWN) {
		come_back(&call[1]);
		search->left++;
	}
	come_back(&call[0]);
	return call;
}

/* Returns whether the request is done now: it was possible, and leads to where
 * nobody has been. -errno otherwise. */
static int try(struct search *search, size_t request)
{
	const struct linear_request *r = &search->history[request];
	struct met next = search->now;
	int is_new;

	if (!is_possible(search->now.state, r))
		return 0;
	next.state = after(next.state, r);
	next.done[request / 64] |= UINT64_C(1) << request % 64;
	is_new = remember(&search->memory, &next);
	if (is_new == 1)
		lift(search, request, next.state);
	return is_new;
}

static int find_order(struct search *search)
{
	struct entry *entry = search->list.entries[0].next;
	int tried;

	while (search->left > 0) {
		if (entry && !entry->is_return) {
			tried = try(search, entry->request);
			if (tried < 0)
				return tried;
			entry = tried ? search->list.entries[0].next
				      : entry->next;
			continue;
		}
		if (entry && search->depth >= search->furthest) {
			search->furthest = search->depth;
			search->stuck = entry->request;
		}
		if (search->depth == 0)
			return -EILSEQ;
		entry = take_back(search)->next;
	}
	return 0;
}

int linear_check(const struct linear_request *history, size_t n,
		 size_t most_states, struct linear_report *report)
{
	struct search *search;
	int error;

	*report = (struct linear_report){0};
	if (n > LINEAR_MAX)
		return -E2BIG;
	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->history = history;
	search->memory.most = most_states;
	for (size_t i = 0; i < n; i++)
		search->left += history[i].outcome != LINEAR_UNKNOWN;
	make_list(&search->list, history, n);
	error = find_order(search);
	report->tried = search->memory.n;
	report->stuck = search->stuck;
	free(search->memory.slots);
	free(search);
	return error;
}

const char *linear_text(const struct linear_request *r, char *buf, size_t size)
{
	static const char *const kinds[] = {"put", "get",    "del",
					    "cas", "create", "incr"};
	static const char *const outcomes[] = {"done", "no", "unknown"};
	char what[96];

	switch (r->kind) {
	case LINEAR_GET:
	case LINEAR_DEL:
		what[0] = '\0';
		break;
	case LINEAR_CAS:
		snprintf(what, sizeof(what), " %" PRId64 " to %" PRId64,
			 r->expected, r->value);
		break;
	default:
		snprintf(what, sizeof(what), " %" PRId64, r->value);
	}
	if (r->outcome == LINEAR_DONE &&
	    (r->kind == LINEAR_GET || r->kind == LINEAR_INCR))
		snprintf(what + strlen(what), sizeof(what) - strlen(what),
			 " = %" PRId64, r->result);
	snprintf(buf, size, "[%.3f - %.3f ms] %s%s: %s",
		 (double)r->call_ns / 1e6, (double)r->return_ns / 1e6,
		 kinds[r->kind], what, outcomes[r->outcome]);
	return buf;
}
