/* entries.c - the log in memory: an array, so that what is sent or written is a
 * part of it and not a copy. */
#include "p18-rpc-kv/raft/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/raft/vector.h"

static void free_commands(struct raft_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)entries[i].command);
}

void entries_fini(struct entries *log)
{
	free_commands(log->entry, log->n);
	free(log->entry);
}

uint64_t entries_last(const struct entries *log)
{
	return log->base_index + log->n;
}

uint64_t entries_term(const struct entries *log, uint64_t index)
{
	return index == log->base_index
		       ? log->base_term
		       : log->entry[index - log->base_index - 1].term;
}

const struct raft_entry *entries_at(const struct entries *log, uint64_t index)
{
	if (index <= log->base_index || index > entries_last(log))
		return NULL;
	return &log->entry[index - log->base_index - 1];
}

uint64_t entries_first_of_term(const struct entries *log, uint64_t index)
{
	const uint64_t term = entries_term(log, index);

	while (index > log->base_index + 1 &&
	       entries_term(log, index - 1) == term)
		index--;
	return index;
}

uint64_t entries_last_of_term(const struct entries *log, uint64_t term)
{
	uint64_t index = entries_last(log);

	while (index > log->base_index && entries_term(log, index) > term)
		index--;
	return entries_term(log, index) == term ? index : 0;
}

static int copy(const struct raft_entry *entry, struct raft_entry *made)
{
	char *command = NULL;

	if (entry->len) {
		command = malloc(entry->len);
		if (!command)
			return -ENOMEM;
		memcpy(command, entry->command, entry->len);
	}
	*made = *entry;
	made->command = command;
	return 0;
}

/* The copies are made behind the last entry, and moved when all are there. */
int entries_replace(struct entries *log, uint64_t first,
		    const struct raft_entry *entries, size_t n)
{
	const size_t keep = first - log->base_index - 1;
	struct raft_entry *room = vector_reserve(
		log->entry, &log->room, log->n + n, sizeof(*log->entry));

	if (!room)
		return -ENOMEM;
	log->entry = room;
	for (size_t i = 0; i < n; i++)
		if (copy(&entries[i], &room[log->n + i])) {
			free_commands(&room[log->n], i);
			return -ENOMEM;
		}
	free_commands(&room[keep], log->n - keep);
	memmove(&room[keep], &room[log->n], n * sizeof(*room));
	log->n = keep + n;
	return 0;
}

void entries_drop(struct entries *log, uint64_t index)
{
	const size_t n = index - log->base_index;

	log->base_term = entries_term(log, index);
	log->base_index = index;
	free_commands(log->entry, n);
	log->n -= n;
	if (log->n)
		memmove(log->entry, &log->entry[n],
			log->n * sizeof(*log->entry));
}

void entries_reset(struct entries *log, uint64_t index, uint64_t term)
{
	free_commands(log->entry, log->n);
	log->n = 0;
	log->base_index = index;
	log->base_term = term;
}
