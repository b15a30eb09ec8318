/* check.c - what no correct server sends, stores or is started with.
 *
 * Numbers stay below RAFT_NUMBER_MAX, so that nothing overflows elsewhere, and
 * no term is the last. Each rule is one that the paper's servers keep. */
#include "p18-rpc-kv/raft/check.h"

#include <errno.h>

static bool is_number(uint64_t number)
{
	return number <= RAFT_NUMBER_MAX;
}

/* ---- messages ---- */

static bool is_list(const struct raft_entry *entry)
{
	struct members members;

	return !members_decode(entry->command, entry->len, &members) &&
	       members.n;
}

static bool is_entry(const struct raft_entry *entry)
{
	if (!entry->term || !is_number(entry->term) ||
	    entry->len > RAFT_COMMAND_MAX || (entry->len && !entry->command))
		return false;
	switch (entry->kind) {
	case RAFT_NOTHING:
		return !entry->len;
	case RAFT_CHANGE:
		return true;
	case RAFT_MEMBERS:
		return is_list(entry);
	}
	return false;
}

/* Terms never go back from one entry to the next. */
static bool are_entries(const struct raft_entry *entries, size_t n,
			uint64_t least_term, uint64_t most_term)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_entry(&entries[i]) || entries[i].term < least_term ||
		    entries[i].term > most_term)
			return false;
		least_term = entries[i].term;
	}
	return true;
}

/* Only what is before the first entry has term 0. */
static bool is_place(uint64_t index, uint64_t term)
{
	return is_number(index) && is_number(term) && !index == !term;
}

static bool is_append(const struct raft_message *message)
{
	const struct raft_append *append = &message->append;

	return append->n <= RAFT_ENTRIES_MAX &&
	       (!append->n || append->entries) &&
	       is_place(append->previous_index, append->previous_term) &&
	       append->previous_term <= message->term &&
	       is_number(append->commit) && is_number(append->round) &&
	       are_entries(append->entries, append->n, append->previous_term,
			   message->term);
}

static bool is_snapshot(const struct raft_message *message)
{
	const struct raft_snapshot *snapshot = &message->snapshot;

	return snapshot->last_index &&
	       is_place(snapshot->last_index, snapshot->last_term) &&
	       snapshot->last_term <= message->term &&
	       is_number(snapshot->total) && snapshot->len &&
	       snapshot->len <= RAFT_CHUNK_MAX &&
	       snapshot->offset < snapshot->total &&
	       snapshot->len <= snapshot->total - snapshot->offset;
}

static bool is_content(const struct raft_message *message)
{
	switch (message->kind) {
	case RAFT_VOTE:
		return is_place(message->vote.last_index,
				message->vote.last_term) &&
		       message->vote.last_term < message->term;
	case RAFT_APPEND:
		return is_append(message);
	case RAFT_SNAPSHOT:
		return is_snapshot(message);
	case RAFT_APPEND_REPLY:
		return is_number(message->append_reply.index) &&
		       is_number(message->append_reply.conflict_term);
	case RAFT_VOTE_REPLY:
	case RAFT_SNAPSHOT_REPLY:
		return true;
	}
	return false;
}

/* Whether it fits to what we know of our own term. */
static bool is_possible(const struct raft *raft,
			const struct raft_message *message)
{
	if (message->term != raft->term)
		return true;
	/* Election Safety (5.2): a term has one leader, and we know who. */
	if (message->kind == RAFT_APPEND || message->kind == RAFT_SNAPSHOT)
		return !raft->leader || raft->leader == message->from;
	/* Nobody has more of our term than we have sent. */
	return message->kind != RAFT_APPEND_REPLY ||
	       raft->role != RAFT_LEADER ||
	       !message->append_reply.is_matching ||
	       message->append_reply.index <= core_last(raft);
}

int check_message(const struct raft *raft, const struct raft_message *message)
{
	/* A reply of a server that has not heard of a term yet has term 0. */
	const bool is_reply = message->kind == RAFT_VOTE_REPLY ||
			      message->kind == RAFT_APPEND_REPLY ||
			      message->kind == RAFT_SNAPSHOT_REPLY;

	if (message->to != raft->options.id || !message->from ||
	    message->from == message->to || !is_number(message->term) ||
	    (!message->term && !is_reply) || !is_content(message) ||
	    !is_possible(raft, message))
		return -EBADMSG;
	return 0;
}

/* ---- what is given at the start ---- */

int check_options(const struct raft_options *options)
{
	if (!options->id || options->heartbeat_ns <= 0 ||
	    options->election_ns / 2 < options->heartbeat_ns ||
	    options->election_ns > INT64_MAX / 64 || options->now_ns < 0 ||
	    !options->window || options->window > RAFT_WINDOW_MAX ||
	    !is_number(options->trailing))
		return -EINVAL;
	return 0;
}

int check_stored(const struct raft_stored *stored)
{
	const uint64_t last = stored->first + stored->n - 1;

	if (!is_number(stored->term) ||
	    !is_place(stored->snapshot_index, stored->snapshot_term) ||
	    !stored->snapshot_index != !stored->snapshot_bytes ||
	    !is_number(stored->snapshot_bytes))
		return -EBADMSG;
	if (!stored->n)
		return 0;
	if (!stored->first || !is_number(stored->first) ||
	    !is_number(stored->n) || !is_number(last) ||
	    stored->first > stored->snapshot_index + 1 ||
	    (stored->first == stored->snapshot_index + 1 &&
	     stored->entries[0].term < stored->snapshot_term) ||
	    !are_entries(stored->entries, stored->n, 1, stored->term))
		return -EBADMSG;
	return 0;
}
