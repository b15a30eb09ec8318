/* sim_event.c - what happens when: a heap, in the order of time, and of making
 * where that is the same. */
#include <stdlib.h>
#include <string.h>

#include "tests/p18/sim_world.h"

void *sim_grow(void *items, size_t *room, size_t wanted, size_t size)
{
	const size_t had = *room;
	size_t more = had + had / 2 + 16;
	char *grown;

	if (wanted <= had)
		return items;
	if (more < wanted)
		more = wanted;
	grown = reallocarray(items, more, size);
	if (!grown)
		abort();
	memset(grown + had * size, 0, (more - had) * size);
	*room = more;
	return grown;
}

struct event *event_make(size_t bytes, enum event_kind kind, unsigned int who)
{
	struct event *event = calloc(1, sizeof(*event) + bytes);

	if (!event)
		abort();
	event->kind = kind;
	event->who = who;
	return event;
}

static bool is_before(const struct event *a, const struct event *b)
{
	return a->ns < b->ns || (a->ns == b->ns && a->order < b->order);
}

void event_add(struct sim *sim, struct event *event, int64_t delay_ns)
{
	size_t at = sim->n_heap++;

	event->ns = sim->now_ns + delay_ns;
	event->order = ++sim->n_events;
	sim->heap = sim_grow(sim->heap, &sim->heap_room, sim->n_heap,
			     sizeof(struct event *));
	while (at && is_before(event, sim->heap[(at - 1) / 2])) {
		sim->heap[at] = sim->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	sim->heap[at] = event;
}

struct event *event_take(struct sim *sim)
{
	struct event **heap = sim->heap, *first, *last;
	size_t at = 0;

	if (!sim->n_heap)
		return NULL;
	first = heap[0];
	last = heap[--sim->n_heap];
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= sim->n_heap)
			break;
		if (child + 1 < sim->n_heap &&
		    is_before(heap[child + 1], heap[child]))
			child++;
		if (is_before(last, heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}
