/* follower.c - a follower's side of the log: taking entries (paper, 5.3, and
 * AppendEntries in Figure 2). */
#include "p18-rpc-kv/raft/follower.h"

#include <errno.h>

#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/durable.h"

/* Whether we have the entry that comes before those of the request. What is
 * committed is the same in all logs, and may not be in ours any more. */
static bool is_matching(const struct raft *raft,
			const struct raft_append *append)
{
	const uint64_t index = append->previous_index;

	return index < raft->log.base_index ||
	       (index <= core_last(raft) &&
		entries_term(&raft->log, index) == append->previous_term);
}

/* The first of the request's entries that is not in our log: those before are
 * the same, as they have the same index and term (Log Matching, 5.3). n: all
 * are. */
static size_t count_known(const struct raft *raft,
			  const struct raft_append *append)
{
	size_t n = 0;

	for (; n < append->n; n++) {
		const uint64_t index = append->previous_index + 1 + n;

		if (index < raft->log.base_index)
			continue;
		if (index > core_last(raft) ||
		    entries_term(&raft->log, index) != append->entries[n].term)
			break;
	}
	return n;
}

/* Where the leader should look next (end of 5.3): at our last entry, or before
 * all entries of the term that it does not know there. */
static void set_conflict(const struct raft *raft, uint64_t index,
			 struct raft_append_reply *reply)
{
	reply->index = core_last(raft);
	if (index > core_last(raft))
		return;
	reply->conflict_term = entries_term(&raft->log, index);
	reply->index = entries_first_of_term(&raft->log, index);
	if (reply->index <= raft->commit)
		reply->index = raft->commit + 1;
}

static int take_entries(struct raft *raft, const struct raft_append *append)
{
	const size_t known = count_known(raft, append);
	const uint64_t first = append->previous_index + 1 + known;
	int error;

	/* If all are known nothing is done: the request may be an old one, and
	 * what follows in our log be newer. */
	if (known == append->n)
		return 0;
	if (first <= raft->commit)
		return -EBADMSG;
	error = entries_replace(&raft->log, first, &append->entries[known],
				append->n - known);
	if (error)
		return error;
	durable_replaced(raft, first);
	configure_refresh(raft, first);
	return 0;
}

/* "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of
 * last new entry)": what follows that in our log may be another leader's. */
static void learn_commit(struct raft *raft, uint64_t commit, uint64_t last_new)
{
	if (commit > last_new)
		commit = last_new;
	if (raft->commit < commit)
		raft->commit = commit;
}

int follower_append(struct raft *raft, const struct raft_message *request)
{
	const struct raft_append *append = &request->append;
	const uint64_t last_new = append->previous_index + append->n;
	struct raft_message reply = durable_reply(raft, request);
	int error;

	reply.append_reply.round = append->round;
	if (!is_matching(raft, append)) {
		if (append->previous_index <= raft->commit)
			return -EBADMSG;
		set_conflict(raft, append->previous_index, &reply.append_reply);
		durable_send(raft, &reply, 0);
		return 0;
	}
	error = take_entries(raft, append);
	if (error)
		return error;
	learn_commit(raft, append->commit, last_new);
	reply.append_reply.is_matching = true;
	reply.append_reply.index = last_new;
	/* A heartbeat is answered at once, whatever the disk does. */
	if (!append->n && last_new > raft->durable)
		reply.append_reply.index = raft->durable;
	durable_send(raft, &reply, reply.append_reply.index);
	return 0;
}
