#include "p04-posix-mq/hand.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/tick.h"

void hand_free(struct hand *hand)
{
	for (size_t i = 0; i < hand->n; i++)
		free(hand->entry[i].job);
	free(hand->entry);
	*hand = (struct hand){.n = 0};
}

static struct hand_entry *find(const struct hand *hand, uint64_t id)
{
	for (size_t i = 0; i < hand->n; i++)
		if (hand->entry[i].job->id == id)
			return &hand->entry[i];
	return NULL;
}

int hand_add(struct hand *hand, struct job *job)
{
	if (hand->n == hand->room) {
		size_t room = hand->room ? 2 * hand->room : 16;
		struct hand_entry *grown =
			reallocarray(hand->entry, room, sizeof(*grown));

		if (!grown) {
			free(job);
			return -ENOMEM;
		}
		hand->entry = grown;
		hand->room = room;
	}
	hand->entry[hand->n++] = (struct hand_entry){.job = job};
	return 0;
}

enum hand_state hand_find(const struct hand *hand, uint64_t id)
{
	const struct hand_entry *entry = find(hand, id);

	if (!entry)
		return HAND_NONE;
	return entry->is_running ? HAND_RUNNING : HAND_WAITING;
}

static bool may_start(const struct hand_entry *entry)
{
	return !entry->is_running &&
	       (!entry->was_held || tick_is_over(entry->not_before));
}

size_t hand_waiting(const struct hand *hand)
{
	size_t n = 0;

	for (size_t i = 0; i < hand->n; i++)
		n += may_start(&hand->entry[i]);
	return n;
}

const struct job *hand_take(struct hand *hand, int64_t aging_ns)
{
	struct hand_entry *first = NULL;

	for (size_t i = 0; i < hand->n; i++) {
		struct hand_entry *entry = &hand->entry[i];

		if (may_start(entry) &&
		    (!first || job_precedes(entry->job, first->job, aging_ns)))
			first = entry;
	}
	if (!first)
		return NULL;
	first->is_running = true;
	return first->job;
}

void hand_put_back(struct hand *hand, uint64_t id)
{
	struct hand_entry *entry = find(hand, id);

	if (entry)
		entry->is_running = false;
}

bool hand_hold(struct hand *hand, uint64_t id, int64_t not_before)
{
	struct hand_entry *entry = find(hand, id);
	bool is_first = entry && !entry->was_held;

	if (entry) {
		entry->is_running = false;
		entry->was_held = true;
		entry->not_before = not_before;
	}
	return is_first;
}

bool hand_was_held(const struct hand *hand, uint64_t id)
{
	const struct hand_entry *entry = find(hand, id);

	return entry && entry->was_held;
}

void hand_drop(struct hand *hand, uint64_t id)
{
	struct hand_entry *entry = find(hand, id);

	if (!entry)
		return;
	free(entry->job);
	*entry = hand->entry[--hand->n];
}
