/* raft.c - what the node calls: an event is checked, and given to the file
 * whose business it is. core.h has the list of them. */
#include "p18-rpc-kv/raft/raft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p18-rpc-kv/raft/check.h"
#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/core.h"
#include "p18-rpc-kv/raft/durable.h"
#include "p18-rpc-kv/raft/election.h"
#include "p18-rpc-kv/raft/follower.h"
#include "p18-rpc-kv/raft/reads.h"
#include "p18-rpc-kv/raft/replication.h"
#include "p18-rpc-kv/raft/transfer.h"

/* ---- life ---- */

/* Whether what was found in the log goes on from the snapshot, or holds it. */
static bool is_connected(const struct raft_stored *stored)
{
	const uint64_t index = stored->snapshot_index;

	if (index + 1 == stored->first)
		return true;
	return index - stored->first < stored->n &&
	       stored->entries[index - stored->first].term ==
		       stored->snapshot_term;
}

static int take_log(struct raft *raft, const struct raft_stored *stored)
{
	struct entries *log = &raft->log;
	const struct raft_entry *entries = stored->entries;
	size_t n = stored->n;

	entries_reset(log, stored->snapshot_index, stored->snapshot_term);
	raft->durable = stored->snapshot_index;
	raft->written = stored->snapshot_index;
	if (!n)
		return 0;
	if (!is_connected(stored)) {
		raft->is_reset = true;
		return 0;
	}
	if (stored->first <= stored->snapshot_index) {
		/* Of the entry before the first nobody knows the term any
		 * more, and so the first takes its place. */
		entries_reset(log, stored->first, entries[0].term);
		entries++;
		n--;
	}
	raft->durable = stored->first + stored->n - 1;
	raft->written = raft->durable;
	return entries_replace(log, log->base_index + 1, entries, n);
}

int raft_open(const struct raft_options *options,
	      const struct raft_stored *stored, struct raft **opened)
{
	struct raft *raft;
	int error = check_options(options);

	if (!error)
		error = check_stored(stored);
	if (error)
		return error;
	raft = calloc(1, sizeof(*raft));
	if (!raft)
		return -ENOMEM;
	raft->options = *options;
	raft->now_ns = options->now_ns;
	rng_seed(&raft->rng, options->seed);
	raft->term = stored->term;
	raft->vote = stored->vote;
	raft->snapshot_index = stored->snapshot_index;
	raft->snapshot_term = stored->snapshot_term;
	raft->snapshot_bytes = stored->snapshot_bytes;
	raft->snapshot_members = stored->members;
	raft->commit = stored->snapshot_index;
	raft->applied = stored->snapshot_index;
	raft->heard_ns = INT64_MIN;
	error = take_log(raft, stored);
	if (error) {
		raft_close(raft);
		return error;
	}
	configure_refresh(raft, 0);
	/* The snapshot was durable before the term was. */
	election_follow(raft, stored->snapshot_term, 0);
	election_wait(raft);
	*opened = raft;
	return 0;
}

void raft_close(struct raft *raft)
{
	if (!raft)
		return;
	entries_fini(&raft->log);
	free(raft->reads);
	free(raft->answers);
	free(raft->chunks);
	free(raft->marks);
	free(raft->held);
	free(raft->ready);
	free(raft);
}

/* ---- events ---- */

void raft_tick(struct raft *raft, int64_t now_ns)
{
	if (now_ns > raft->now_ns)
		raft->now_ns = now_ns;
	election_tick(raft);
	if (raft->role == RAFT_LEADER)
		replication_tick(raft);
}

static int receive_of_leader(struct raft *raft,
			     const struct raft_message *request)
{
	const struct raft_message refusal = durable_reply(raft, request);

	/* An old leader learns from the reply's term that it is none any more
	 * (5.1). */
	if (request->term < raft->term) {
		durable_send(raft, &refusal, 0);
		return 0;
	}
	election_follow(raft, request->term, request->from);
	return request->kind == RAFT_APPEND ? follower_append(raft, request)
					    : transfer_receive(raft, request);
}

static int receive_request(struct raft *raft,
			   const struct raft_message *request)
{
	const int error = durable_reserve(raft, 1);

	if (error)
		return error;
	if (request->kind != RAFT_VOTE)
		return receive_of_leader(raft, request);
	election_vote(raft, request);
	return 0;
}

static void receive_reply(struct raft *raft, const struct raft_message *reply)
{
	struct peer *peer = core_peer(raft, reply->from);

	/* "If RPC request or response contains term T > currentTerm: set
	 * currentTerm = T, convert to follower" (Figure 2). */
	if (reply->term > raft->term) {
		election_follow(raft, reply->term, 0);
		return;
	}
	if (reply->kind == RAFT_VOTE_REPLY) {
		election_vote_reply(raft, reply);
		return;
	}
	/* To what we asked as the leader of this term, since this peer is a
	 * member, and nothing else: it may have been removed meanwhile, and be
	 * back without what it had acknowledged. */
	if (!peer || raft->role != RAFT_LEADER || reply->term < raft->term ||
	    reply->token < peer->met)
		return;
	if (reply->kind == RAFT_APPEND_REPLY)
		replication_reply(raft, peer, reply);
	else
		transfer_reply(raft, peer, reply);
}

int raft_receive(struct raft *raft, const struct raft_message *message)
{
	const int error = check_message(raft, message);

	if (error)
		return error;
	switch (message->kind) {
	case RAFT_VOTE:
	case RAFT_APPEND:
	case RAFT_SNAPSHOT:
		return receive_request(raft, message);
	default:
		receive_reply(raft, message);
		return 0;
	}
}

void raft_lost(struct raft *raft, uint64_t id, uint64_t token)
{
	struct peer *peer = core_peer(raft, id);

	if (!peer || raft->role != RAFT_LEADER || token < peer->met)
		return;
	replication_lost(raft, peer, token);
	transfer_lost(raft, peer, token);
}

int raft_propose(struct raft *raft, const void *command, size_t len,
		 uint64_t *index, uint64_t *term)
{
	int error;

	if (raft->role != RAFT_LEADER)
		return -EREMOTE;
	if (len > RAFT_COMMAND_MAX)
		return -EMSGSIZE;
	error = replication_append(raft, RAFT_CHANGE, command, len);
	if (error)
		return error;
	*index = core_last(raft);
	*term = raft->term;
	return 0;
}

static int change_members(struct raft *raft, const struct members *members,
			  int error, uint64_t *index, uint64_t *term)
{
	if (raft->role != RAFT_LEADER)
		return -EREMOTE;
	if (configure_is_busy(raft))
		return -EBUSY;
	if (!error)
		error = configure_change(raft, members);
	if (error)
		return error;
	*index = core_last(raft);
	*term = raft->term;
	return 0;
}

int raft_add(struct raft *raft, uint64_t id, const char *address,
	     uint64_t *index, uint64_t *term)
{
	struct members members = raft->members;
	const int error = members_add(&members, id, address);

	if (!error)
		members.member[members.n - 1].is_learner = true;
	return change_members(raft, &members, error, index, term);
}

int raft_remove(struct raft *raft, uint64_t id, uint64_t *index, uint64_t *term)
{
	struct members members = raft->members;
	const int error = members_remove(&members, id);

	return change_members(raft, &members, error, index, term);
}

int raft_read(struct raft *raft, uint64_t id)
{
	return raft->role == RAFT_LEADER ? reads_ask(raft, id) : -EREMOTE;
}

void raft_persisted(struct raft *raft, uint64_t number)
{
	durable_persisted(raft, number);
	election_persisted(raft);
	replication_commit(raft);
}

int raft_compacted(struct raft *raft, uint64_t index, uint64_t bytes)
{
	const uint64_t trailing = raft->options.trailing;
	uint64_t forget = index > trailing ? index - trailing : 0;

	if (index <= raft->snapshot_index || index > raft->applied || !bytes ||
	    bytes > RAFT_NUMBER_MAX)
		return -EINVAL;
	configure_as_of(raft, index, &raft->snapshot_members);
	raft->snapshot_term = entries_term(&raft->log, index);
	raft->snapshot_index = index;
	raft->snapshot_bytes = bytes;
	if (raft->members_index < index)
		raft->members_index = index;
	if (forget > raft->written)
		forget = raft->written;
	if (forget > raft->log.base_index)
		entries_drop(&raft->log, forget);
	return 0;
}

int raft_installed(struct raft *raft, uint64_t index, uint64_t term,
		   const struct members *members)
{
	return transfer_installed(raft, index, term, members);
}

void raft_install_failed(struct raft *raft)
{
	transfer_failed(raft);
}

/* ---- output ---- */

/* What the last output has told is told. */
static void forget_output(struct raft *raft)
{
	raft->n_ready = 0;
	raft->n_chunks -= raft->n_chunks_told;
	if (raft->n_chunks)
		memmove(raft->chunks, &raft->chunks[raft->n_chunks_told],
			raft->n_chunks * sizeof(*raft->chunks));
	raft->n_answers -= raft->n_answers_told;
	if (raft->n_answers)
		memmove(raft->answers, &raft->answers[raft->n_answers_told],
			raft->n_answers * sizeof(*raft->answers));
}

static void apply(struct raft *raft, struct raft_output *output)
{
	/* "If commitIndex > lastApplied: apply log[lastApplied]" (Figure 2). */
	output->apply_first = raft->applied + 1;
	output->n_apply = raft->commit - raft->applied;
	output->apply = entries_at(&raft->log, raft->applied + 1);
	raft->applied = raft->commit;
}

void raft_output(struct raft *raft, struct raft_output *output)
{
	forget_output(raft);
	*output = (struct raft_output){0};
	durable_release(raft);
	if (raft->role == RAFT_LEADER) {
		reads_begin(raft);
		replication_send(raft);
	}
	output->write = durable_write(raft);
	apply(raft, output);
	output->messages = raft->ready;
	output->n_messages = raft->n_ready;
	output->chunks = raft->chunks;
	output->n_chunks = raft->n_chunks_told = raft->n_chunks;
	output->reads = raft->answers;
	output->n_reads = raft->n_answers_told = raft->n_answers;
	output->wake_ns = raft->role == RAFT_LEADER ? replication_wake(raft)
						    : raft->election_ns;
}

/* ---- looking ---- */

void raft_status(const struct raft *raft, struct raft_status *status)
{
	*status = (struct raft_status){
		.role = raft->role,
		.term = raft->term,
		.vote = raft->vote,
		.leader = raft->leader,
		.last = core_last(raft),
		.last_term = core_last_term(raft),
		.durable = raft->durable,
		.commit = raft->commit,
		.applied = raft->applied,
		.snapshot = raft->snapshot_index,
		.first = raft->log.base_index + 1,
		.elections = raft->elections,
		.heard_ns = raft->heard_ns,
		.confirmed_ns = raft->confirmed_ns,
		.confirmed_index = raft->confirmed_index,
		.members = raft->members,
	};
	for (unsigned int i = 0; i < raft->members.n; i++) {
		const struct peer *peer = &raft->peer[i];
		const bool is_self = core_is_self(raft, i);

		if (raft->role == RAFT_LEADER)
			status->progress[i] = (struct raft_progress){
				is_self ? raft->durable : peer->match,
				is_self ? raft->now_ns : peer->heard_ns,
				peer->mode == PEER_SNAPSHOT};
	}
}

unsigned int raft_replicas(const struct raft *raft, uint64_t index)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < raft->members.n; i++)
		n += (core_is_self(raft, i) ? raft->durable
					    : raft->peer[i].match) >= index;
	return n;
}

const struct raft_entry *raft_entry(const struct raft *raft, uint64_t index)
{
	return entries_at(&raft->log, index);
}

void raft_members(const struct raft *raft, uint64_t index,
		  struct members *members)
{
	configure_as_of(raft, index, members);
}
