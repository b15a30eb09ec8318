/* configure.c - who the members are, and how they change (thesis, chapter 4).
 *
 * One voter is added or removed at a time: so any majority of the old voters
 * and any of the new ones have a server in common. A list counts from when it
 * is in the log, committed or not (4.1), and when its entry is replaced, the
 * one before it counts again. */
#include "p18-rpc-kv/raft/configure.h"

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

/* A list from before this server was there. */
static bool is_of_before(const struct raft *raft)
{
	return raft->options.since &&
	       raft->members_index <= raft->options.since;
}

/* A server that finds itself in its log is one that the others may count, now
 * or soon; one that was opened without members, and has not, may be the remains
 * of another. A server that is being removed still votes, until it knows that
 * this is committed: it may be the only one with an entry that all others need
 * (4.2.2). */
bool configure_may_vote(const struct raft *raft)
{
	return !is_of_before(raft) &&
	       (members_find(&raft->members, raft->options.id) >= 0 ||
		configure_may_lead(raft));
}

bool configure_may_lead(const struct raft *raft)
{
	struct members before;

	if (is_of_before(raft))
		return false;
	if (members_is_voter(&raft->members, raft->options.id))
		return true;
	if (raft->members_index <= raft->commit)
		return false;
	configure_as_of(raft, raft->members_index - 1, &before);
	return members_is_voter(&before, raft->options.id);
}

bool configure_is_busy(const struct raft *raft)
{
	/* One at a time; and not before an entry of our own term is committed:
	 * else two leaders could each have begun from a list that the other
	 * does not know (Ongaro's correction of July 2015 to 4.1). */
	return raft->members_index > raft->commit ||
	       raft->first_index > raft->commit;
}

int configure_change(struct raft *raft, const struct members *members)
{
	char bytes[MEMBERS_BYTES_MAX];
	const int error = replication_append(raft, RAFT_MEMBERS, bytes,
					     members_encode(members, bytes));

	if (!error)
		configure_refresh(raft, core_last(raft));
	return error;
}

/* A new server has an empty log, and a majority that needed it would have to
 * wait (4.2.1). So it begins as a learner, and becomes a voter by a second
 * entry, when it has about all that there is; and the first one for certain, so
 * that it knows that it may vote. */
void configure_promote(struct raft *raft, const struct peer *peer)
{
	struct members members = raft->members;
	const int at = members_find(&members, peer->id);

	if (raft->role != RAFT_LEADER || at < 0 ||
	    !members.member[at].is_learner || configure_is_busy(raft) ||
	    peer->match < raft->members_index ||
	    peer->match + RAFT_ENTRIES_MAX < raft->commit)
		return;
	members.member[at].is_learner = false;
	/* Without memory for it, with the next answer. */
	configure_change(raft, &members);
}

void configure_committed(struct raft *raft)
{
	/* A leader that was removed leads until that is committed (4.2.2). */
	if (raft->members_index <= raft->commit &&
	    !members_is_voter(&raft->members, raft->options.id))
		election_follow(raft, raft->term, 0);
}
