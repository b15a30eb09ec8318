/* What no correct Raft core's state is, for tests: it looks inside. */
#ifndef UNIXIPC_TESTS_P18_RAFT_FAULT_H
#define UNIXIPC_TESTS_P18_RAFT_FAULT_H

#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/core.h"

static inline const char *log_fault(const struct raft *raft)
{
	const struct entries *log = &raft->log;
	const uint64_t last = core_last(raft);
	uint64_t term = log->base_term;

	for (size_t i = 0; i < log->n; i++) {
		if (log->entry[i].term < term || !log->entry[i].term)
			return "terms of the log go back";
		term = log->entry[i].term;
	}
	if (term > raft->term)
		return "an entry is of a term to come";
	if (log->base_index > raft->snapshot_index)
		return "entries are missing behind the snapshot";
	if (raft->snapshot_index > raft->applied)
		return "the snapshot is ahead of what was applied";
	if (raft->applied > raft->commit)
		return "what is not committed was applied";
	if (raft->commit > last)
		return "what is not in the log is committed";
	if (raft->durable > last || raft->written > last)
		return "what is not in the log was written";
	for (size_t i = 0; i < raft->n_marks; i++)
		if (raft->marks[i].last > raft->written)
			return "a write is beyond what was written";
	return NULL;
}

static inline const char *members_fault(const struct raft *raft)
{
	struct members members;

	configure_as_of(raft, core_last(raft), &members);
	if (members.n != raft->members.n)
		return "the members are not those of the log";
	for (unsigned int i = 0; i < members.n; i++)
		if (raft->peer[i].id != members.member[i].id ||
		    raft->members.member[i].id != members.member[i].id)
			return "a member is not that of the log";
	return NULL;
}

static inline const char *peer_fault(const struct raft *raft,
				     const struct peer *peer)
{
	if (peer->match > core_last(raft))
		return "a peer has more than we";
	if (peer->next <= peer->match)
		return "what a peer has is sent to it";
	if (peer->next > core_last(raft) + 1)
		return "what is not in the log is sent";
	if (peer->n_flight > raft->options.window)
		return "the window is exceeded";
	return NULL;
}

static inline const char *leader_fault(const struct raft *raft)
{
	const char *fault = NULL;

	if (raft->leader != raft->options.id || raft->vote != raft->options.id)
		return "a leader has not voted for itself";
	if (raft->first_index > core_last(raft) ||
	    core_last_term(raft) != raft->term)
		return "a leader has no entry of its term";
	for (unsigned int i = 0; !fault && i < raft->members.n; i++)
		if (!core_is_self(raft, i))
			fault = peer_fault(raft, &raft->peer[i]);
	return fault;
}

/* What is wrong, or NULL. */
static inline const char *raft_fault(const struct raft *raft)
{
	const char *fault = log_fault(raft);

	if (!fault)
		fault = members_fault(raft);
	if (!fault && raft->role == RAFT_LEADER)
		fault = leader_fault(raft);
	if (!fault && raft->role != RAFT_LEADER && raft->n_reads)
		fault = "reads wait for a leader that is none";
	return fault;
}

#endif
