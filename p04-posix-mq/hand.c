#include "p04-posix-mq/hand.h"

#include <errno.h>
#include <stdlib.h>

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
	hand->waiting++;
	return 0;
}

enum hand_state hand_find(const struct hand *hand, uint64_t id)
{
	const struct hand_entry *entry = find(hand, id);

	if (!entry)
		return HAND_NONE;
	return entry->is_running ? HAND_RUNNING : HAND_WAITING;
}

const struct job *hand_take(struct hand *hand, int64_t aging_ns)
{
	struct hand_entry *first = NULL;

	for (size_t i = 0; i < hand->n; i++) {
		struct hand_entry *entry = &hand->entry[i];

		if (!entry->is_running &&
		    (!first || job_precedes(entry->job, first->job, aging_ns)))
			first = entry;
	}
	if (!first)
		return NULL;
	first->is_running = true;
	hand->waiting--;
	return first->job;
}

void hand_put_back(struct hand *hand, uint64_t id)
{
	struct hand_entry *entry = find(hand, id);

	if (entry && entry->is_running) {
		entry->is_running = false;
		hand->waiting++;
	}
}

void hand_drop(struct hand *hand, uint64_t id)
{
	struct hand_entry *entry = find(hand, id);

	if (!entry)
		return;
	if (!entry->is_running)
		hand->waiting--;
	free(entry->job);
	*entry = hand->entry[--hand->n];
}
