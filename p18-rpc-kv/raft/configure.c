/* configure.c - who the members are, and how they change (thesis, chapter 4).
 *
 * One server is added or removed at a time: so any majority of the old members
 * and any of the new ones have a server in common. A list counts from when it
 * is in the log, committed or not (4.1), and when its entry is replaced, the
 * one before it counts again. */
#include "p18-rpc-kv/raft/configure.h"

#include <errno.h>

#include "p18-rpc-kv/raft/election.h"
#include "p18-rpc-kv/raft/replication.h"

/* The last entry with a list, at or before index; NULL: the snapshot has it. */
static const struct raft_entry *find_list(const struct raft *raft,
					  uint64_t *index)
{
	const struct raft_entry *entry;

	for (; *index > raft->snapshot_index; --*index) {
		entry = entries_at(&raft->log, *index);
		if (entry && entry->kind == RAFT_MEMBERS)
			return entry;
	}
	*index = raft->snapshot_index;
	return NULL;
}

static void list_as_of(const struct raft *raft, uint64_t *index,
		       struct members *members)
{
	const struct raft_entry *entry = find_list(raft, index);

	*members = raft->snapshot_members;
	/* It was checked before it came into the log. */
	if (entry)
		members_decode(entry->command, entry->len, members);
}

void configure_as_of(const struct raft *raft, uint64_t index,
		     struct members *members)
{
	list_as_of(raft, &index, members);
}

static void meet_peers(struct raft *raft)
{
	struct peer known[MEMBERS_MAX];
	struct members *members = &raft->members;

	for (unsigned int i = 0; i < MEMBERS_MAX; i++)
		known[i] = raft->peer[i];
	for (unsigned int i = 0; i < members->n; i++) {
		struct peer *peer = &raft->peer[i];
		unsigned int k = 0;

		while (k < MEMBERS_MAX && known[k].id != members->member[i].id)
			k++;
		if (k < MEMBERS_MAX) {
			*peer = known[k];
			continue;
		}
		peer->id = members->member[i].id;
		replication_meet(raft, peer);
	}
	for (unsigned int i = members->n; i < MEMBERS_MAX; i++)
		raft->peer[i].id = 0;
}

void configure_refresh(struct raft *raft, uint64_t first)
{
	uint64_t index = core_last(raft);
	const struct raft_entry *entry;

	/* Most entries have no list. */
	if (raft->members_index < first) {
		for (; index >= first; index--) {
			entry = entries_at(&raft->log, index);
			if (entry->kind == RAFT_MEMBERS)
				break;
		}
		if (index < first)
			return;
	}
	list_as_of(raft, &index, &raft->members);
	raft->members_index = index;
	meet_peers(raft);
}

/* A server that is being removed still counts itself a voter, until it knows
 * that this is committed: it may be the only one with an entry that all others
 * need (4.2.2). One that never was a member, as far as its log goes, does
 * not. */
bool configure_may_vote(const struct raft *raft)
{
	struct members before;

	if (raft->options.since && raft->members_index <= raft->options.since)
		return false;
	if (core_is_member(raft))
		return true;
	if (raft->members_index <= raft->commit)
		return false;
	configure_as_of(raft, raft->members_index - 1, &before);
	return members_find(&before, raft->options.id) >= 0;
}

int configure_is_busy(const struct raft *raft)
{
	/* One at a time; and not before an entry of our own term is committed:
	 * else two leaders could each have begun from a list that the other
	 * does not know (Ongaro's correction of July 2015 to 4.1). */
	return raft->members_index > raft->commit ||
			       raft->first_index > raft->commit
		       ? -EBUSY
		       : 0;
}

int configure_change(struct raft *raft, const struct members *members)
{
	char bytes[MEMBERS_BYTES_MAX];
	int error = configure_is_busy(raft);

	if (!error)
		error = replication_append(raft, RAFT_MEMBERS, bytes,
					   members_encode(members, bytes));
	if (!error)
		configure_refresh(raft, core_last(raft));
	return error;
}

void configure_committed(struct raft *raft)
{
	/* A leader that was removed leads until that is committed (4.2.2). */
	if (raft->members_index <= raft->commit && !core_is_member(raft))
		election_follow(raft, raft->term, 0);
}
