/* sim_disk.c - what a server has written, and what a crash leaves of it.
 *
 * Writes are queued and synced in order, all that wait by one sync. Of what was
 * not synced a crash leaves any beginning: nothing, some writes, or the torn
 * beginning of one. Snapshots are whole or not there, as they are renamed. */
#include <stdlib.h>
#include <string.h>

#include "tests/p18/sim_world.h"

/* ---- entries ---- */

static bool is_equal(const struct raft_entry *a, const struct raft_entry *b)
{
	return a->kind == b->kind && a->len == b->len &&
	       (!a->len || !memcmp(a->command, b->command, a->len));
}

/* previous_term: of the entry before it; UINT64_MAX: not known.
 * The one entry of this index and term that there is: "If two entries in
 * different logs have the same index and term, they store the same command, and
 * the logs are identical in all preceding entries" (5.3, Log Matching). */
struct fact *disk_fact(struct sim *sim, uint64_t index,
		       const struct raft_entry *entry, uint64_t previous_term)
{
	struct fact **at = &sim->facts[(index * 31 + entry->term) % 1024];
	struct fact *fact;

	for (fact = *at; fact; fact = fact->next)
		if (fact->index == index && fact->entry.term == entry->term)
			break;
	if (!fact) {
		fact = calloc(1, sizeof(*fact) + entry->len);
		if (!fact)
			abort();
		fact->index = index;
		fact->entry = *entry;
		fact->entry.command = fact + 1;
		if (entry->len)
			memcpy(fact + 1, entry->command, entry->len);
		fact->previous_term = previous_term;
		fact->next = *at;
		*at = fact;
	}
	if (!is_equal(&fact->entry, entry) ||
	    (previous_term != UINT64_MAX &&
	     fact->previous_term != previous_term))
		sim_fail(sim,
			 "log matching: two entries of index %llu, term %llu",
			 (unsigned long long)index,
			 (unsigned long long)entry->term);
	return fact;
}

/* Whether the disk alone can tell of this entry. */
bool disk_has(const struct disk *disk, uint64_t index, uint64_t term)
{
	if (disk->snapshot && disk->snapshot->index >= index)
		return true;
	return index >= disk->first && index - disk->first < disk->n &&
	       disk->fact[index - disk->first]->entry.term == term;
}

/* ---- writing ---- */

static void add(struct disk *disk, struct operation operation)
{
	disk->queue = sim_grow(disk->queue, &disk->queue_room,
			       disk->n_queue + 1, sizeof(*disk->queue));
	disk->queue[disk->n_queue++] = operation;
}

/* The term of the entry that will be on the disk at this index. */
static uint64_t term_there(const struct disk *disk, uint64_t index)
{
	for (size_t i = disk->n_queue; i-- > 0;)
		if (disk->queue[i].kind == WRITE_ENTRY &&
		    disk->queue[i].number == index)
			return disk->queue[i].fact->entry.term;
		else if (disk->queue[i].kind == WRITE_RESET)
			return disk->snapshot->term;
	if (index >= disk->first && index - disk->first < disk->n)
		return disk->fact[index - disk->first]->entry.term;
	return disk->snapshot ? disk->snapshot->term : 0;
}

void disk_write(struct sim *sim, struct node *node,
		const struct raft_write *write)
{
	struct disk *disk = &node->disk;
	struct operation operation;

	if (write->has_vote)
		add(disk, (struct operation){WRITE_VOTE, write->term,
					     write->vote, NULL});
	if (write->is_reset)
		add(disk,
		    (struct operation){WRITE_RESET, write->first, 0, NULL});
	for (size_t i = 0; i < write->n; i++) {
		const uint64_t index = write->first + i;

		operation = (struct operation){WRITE_ENTRY, index, 0, NULL};
		operation.fact = disk_fact(sim, index, &write->entries[i],
					   term_there(disk, index - 1));
		add(disk, operation);
	}
	add(disk, (struct operation){WRITE_END, write->number, 0, NULL});
	disk_sync(sim, node);
}

void disk_sync(struct sim *sim, struct node *node)
{
	struct event *event;

	if (node->disk.n_syncing || !node->disk.n_queue)
		return;
	node->disk.n_syncing = node->disk.n_queue;
	event = event_make(0, EVENT_SYNCED, (unsigned int)node->id - 1);
	event->boot = node->boot;
	event_add(sim, event, sim_up_to(sim, sim->sync_ns));
}

static void append(struct sim *sim, struct disk *disk, struct fact *fact)
{
	if (!disk->n)
		disk->first = fact->index;
	if (fact->index < disk->first || fact->index > disk->first + disk->n) {
		sim_fail(sim, "a log that ends with %llu got entry %llu",
			 (unsigned long long)(disk->first + disk->n - 1),
			 (unsigned long long)fact->index);
		return;
	}
	disk->n = fact->index - disk->first;
	disk->fact = sim_grow(disk->fact, &disk->room, disk->n + 1,
			      sizeof(struct fact *));
	disk->fact[disk->n++] = fact;
}

/* The first n operations are on the disk; the number of the last write that
 * is. */
static uint64_t do_operations(struct sim *sim, struct disk *disk, size_t n)
{
	uint64_t number = 0;

	for (size_t i = 0; i < n; i++) {
		const struct operation *operation = &disk->queue[i];

		switch (operation->kind) {
		case WRITE_VOTE:
			if (operation->number < disk->term)
				sim_fail(sim, "a term went back");
			disk->term = operation->number;
			disk->vote = operation->vote;
			break;
		case WRITE_RESET:
			disk->n = 0;
			break;
		case WRITE_ENTRY:
			append(sim, disk, operation->fact);
			break;
		case WRITE_END:
			number = operation->number;
			break;
		}
	}
	disk->n_queue -= n;
	if (disk->n_queue)
		memmove(disk->queue, &disk->queue[n],
			disk->n_queue * sizeof(*disk->queue));
	return number;
}

void disk_synced(struct sim *sim, struct node *node)
{
	struct disk *disk = &node->disk;
	struct event *event =
		event_make(0, EVENT_PERSISTED, (unsigned int)node->id - 1);

	event->number = do_operations(sim, disk, disk->n_syncing);
	event->boot = node->boot;
	event_add(sim, event, sim_up_to(sim, 50 * US));
	disk->n_syncing = 0;
	disk_sync(sim, node);
}

void disk_crash(struct sim *sim, struct node *node)
{
	struct disk *disk = &node->disk;
	size_t n = disk->n_queue;

	if (n && sim_chance(sim, 8000))
		n = rng_below(&sim->rng, n + 1);
	do_operations(sim, disk, n);
	disk->n_queue = 0;
	disk->n_syncing = 0;
}

/* A newer one is durable, and the log may forget what it covers, when it has
 * nothing to write; it forgets segments, and so not exactly that. */
void disk_keep_snapshot(struct sim *sim, struct node *node,
			struct snapshot *snapshot)
{
	struct disk *disk = &node->disk;
	uint64_t n;

	disk->snapshot = snapshot;
	if (disk->first > snapshot->index || !disk->n || disk->n_queue)
		return;
	n = rng_below(&sim->rng, snapshot->index + 1 - disk->first + 1);
	if (n >= disk->n) /* a log is never without its newest segment */
		return;
	disk->first += n;
	disk->n -= n;
	memmove(disk->fact, &disk->fact[n], disk->n * sizeof(struct fact *));
}

/* ---- folders ---- */

void disk_free(struct disk *disk)
{
	free(disk->fact);
	free(disk->queue);
	free(disk->told);
	*disk = (struct disk){0};
}

void disk_wipe(struct sim *sim, struct node *node)
{
	disk_free(&node->disk);
	node->disk.folder = ++sim->folders;
	node->disk.since = sim->result->committed;
}

int disk_open(struct sim *sim, struct node *node,
	      const struct raft_options *options)
{
	const struct disk *disk = &node->disk;
	struct raft_stored stored = {
		.term = disk->term,
		.vote = disk->vote,
		.first = disk->first,
		.n = disk->n,
		.members = disk->first_members,
	};
	struct raft_entry *entries = calloc(disk->n + 1, sizeof(*entries));
	int error;

	(void)sim;
	if (!entries)
		abort();
	for (size_t i = 0; i < disk->n; i++)
		entries[i] = disk->fact[i]->entry;
	stored.entries = entries;
	if (disk->snapshot) {
		stored.snapshot_index = disk->snapshot->index;
		stored.snapshot_term = disk->snapshot->term;
		stored.snapshot_bytes = disk->snapshot->bytes;
		stored.members = disk->snapshot->members;
	}
	error = raft_open(options, &stored, &node->raft);
	free(entries);
	return error;
}
