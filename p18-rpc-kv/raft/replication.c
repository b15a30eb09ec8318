/* replication.c - a leader's side of the log (paper, 5.3 and 5.4.2; thesis,
 * 3.8, 10.2).
 *
 * For each peer there is nextIndex, what to send next, and matchIndex, what it
 * is known to have. As long as it is not known where the logs part, there is
 * one request at a time; then a window of them, each sent before the last one
 * is answered. A refusal, or the loss of one, takes us back to the first
 * state. */
#include "p18-rpc-kv/raft/replication.h"

#include <errno.h>
#include <string.h>

#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/durable.h"
#include "p18-rpc-kv/raft/election.h"
#include "p18-rpc-kv/raft/reads.h"
#include "p18-rpc-kv/raft/transfer.h"

/* ---- leading ---- */

void replication_meet(struct raft *raft, struct peer *peer)
{
	*peer = (struct peer){
		.id = peer->id,
		.next = core_last(raft) + 1,
		.met = raft->last_token + 1,
		.since = raft->last_token + 1,
		.wants_empty = true,
		.sent_ns = raft->now_ns,
		.heard_ns = raft->now_ns,
	};
}

int replication_append(struct raft *raft, enum raft_entry_kind kind,
		       const void *command, size_t len)
{
	const struct raft_entry entry = {raft->term, kind, len, command};

	return entries_replace(&raft->log, core_last(raft) + 1, &entry, 1);
}

void replication_begin(struct raft *raft)
{
	/* The entry that says nothing (paper, 8): what earlier terms have left
	 * is committed with it, and only then is it known what is committed. */
	if (replication_append(raft, RAFT_NOTHING, NULL, 0))
		return;
	raft->role = RAFT_LEADER;
	raft->leader = raft->options.id;
	raft->first_index = core_last(raft);
	raft->quorum_ns = raft->now_ns + raft->options.election_ns;
	for (unsigned int i = 0; i < raft->members.n; i++) {
		replication_meet(raft, &raft->peer[i]);
		raft->peer[i].next = raft->first_index;
		raft->peer[i].wants_empty = false;
	}
	reads_begin_term(raft);
}

/* ---- counting ---- */

/* The last entry that a majority of the members has, and durable. */
static uint64_t majority_match(const struct raft *raft)
{
	uint64_t match[MEMBERS_MAX] = {0}, swap;
	unsigned int n = 0;

	for (unsigned int i = 0; i < raft->members.n; i++) {
		/* A leader that is being removed does not count itself
		 * (thesis, 4.2.2): it is not among the members. */
		if (raft->members.member[i].is_learner)
			continue;
		match[n] = core_is_self(raft, i) ? raft->durable
						 : raft->peer[i].match;
		for (unsigned int j = n++; j > 0 && match[j] > match[j - 1];
		     j--) {
			swap = match[j];
			match[j] = match[j - 1];
			match[j - 1] = swap;
		}
	}
	return match[members_majority(&raft->members) - 1];
}

void replication_commit(struct raft *raft)
{
	uint64_t index;

	if (raft->role != RAFT_LEADER)
		return;
	index = majority_match(raft);
	/* Only what is of our own term is committed by counting (5.4.2): an
	 * older entry may be with a majority, and still be replaced. It is
	 * committed by the entry that follows it. */
	if (index <= raft->commit ||
	    entries_term(&raft->log, index) != raft->term)
		return;
	raft->commit = index;
	configure_committed(raft);
}

/* ---- answers ---- */

static bool is_in_flight(const struct peer *peer, uint64_t token)
{
	for (unsigned int i = 0; i < peer->n_flight; i++)
		if (peer->flight[i].token == token)
			return true;
	return false;
}

void replication_probe(struct raft *raft, struct peer *peer, uint64_t next)
{
	peer->mode = PEER_PROBE;
	peer->next = next;
	peer->n_flight = 0;
	peer->since = raft->last_token + 1;
}

void replication_match(struct raft *raft, struct peer *peer, uint64_t index)
{
	unsigned int n = 0;

	if (peer->match < index)
		peer->match = index;
	while (n < peer->n_flight && peer->flight[n].last <= peer->match)
		n++;
	peer->n_flight -= n;
	memmove(peer->flight, &peer->flight[n],
		peer->n_flight * sizeof(peer->flight[0]));
	if (peer->next <= peer->match)
		peer->next = peer->match + 1;
	replication_commit(raft);
}

/* Where to look next (paper, end of 5.3): behind the last entry of the term
 * that the peer has there, or where it begins. */
static uint64_t next_after_conflict(const struct raft *raft,
				    const struct raft_append_reply *reply)
{
	uint64_t index = 0;

	if (!reply->conflict_term)
		return reply->index + 1;
	index = entries_last_of_term(&raft->log, reply->conflict_term);
	return index ? index + 1 : reply->index;
}

static void part(struct raft *raft, struct peer *peer,
		 const struct raft_message *message)
{
	const struct raft_append_reply *reply = &message->append_reply;
	uint64_t next;

	/* Of a request that we do not build upon any more. */
	if (message->token < peer->since || peer->mode == PEER_SNAPSHOT)
		return;
	next = next_after_conflict(raft, reply);
	if (next >= peer->next)
		next = peer->next - 1;
	/* What was acknowledged is there: this is an old answer, if it is not
	 * a lie. */
	if (next <= peer->match)
		next = peer->match + 1;
	replication_probe(raft, peer, next);
}

void replication_hear(struct raft *raft, struct peer *peer, uint64_t round)
{
	peer->heard_ns = raft->now_ns;
	peer->is_silent = false;
	if (peer->round < round && round <= raft->round)
		peer->round = round;
	reads_confirm(raft);
}

void replication_reply(struct raft *raft, struct peer *peer,
		       const struct raft_message *message)
{
	const struct raft_append_reply *reply = &message->append_reply;

	replication_hear(raft, peer, reply->round);
	if (!reply->is_matching) {
		part(raft, peer, message);
		return;
	}
	/* A match before what it is known to lack tells nothing; nor does that
	 * of a heartbeat to one who is being sent a snapshot. */
	if (peer->mode == PEER_PROBE && message->token >= peer->since) {
		peer->mode = PEER_REPLICATE;
		peer->n_flight = 0;
	}
	replication_match(raft, peer, reply->index);
	configure_promote(raft, peer);
}

void replication_lost(struct raft *raft, struct peer *peer, uint64_t token)
{
	if (peer->mode == PEER_SNAPSHOT)
		return;
	if (is_in_flight(peer, token))
		replication_probe(raft, peer, peer->match + 1);
	peer->is_silent = true;
}

/* ---- sending ---- */

void replication_tick(struct raft *raft)
{
	for (unsigned int i = 0; i < raft->members.n; i++) {
		struct peer *peer = &raft->peer[i];

		if (raft->now_ns - peer->sent_ns < raft->options.heartbeat_ns)
			continue;
		peer->wants_empty = true;
		peer->sent_ns = raft->now_ns;
	}
}

int64_t replication_wake(const struct raft *raft)
{
	int64_t wake = raft->quorum_ns;

	for (unsigned int i = 0; i < raft->members.n; i++) {
		const int64_t due =
			raft->peer[i].sent_ns + raft->options.heartbeat_ns;

		if (due < wake)
			wake = due;
	}
	return wake;
}

/* How many entries from next on go into one request. */
static size_t count_entries(const struct raft *raft, uint64_t next)
{
	const struct raft_entry *entry = entries_at(&raft->log, next);
	const uint64_t n_left = core_last(raft) + 1 - next;
	size_t n = 0, bytes = 0;

	while (n < n_left && n < RAFT_ENTRIES_MAX) {
		bytes += entry[n].len;
		if (n && bytes > raft->options.append_bytes)
			break;
		n++;
	}
	return n;
}

/* A heartbeat may go another way than entries, and overtake them: so it builds
 * on what is known to be there. When no answer to them has come for long, it
 * builds on them, and is refused if they were lost. */
static uint64_t previous_of(const struct raft *raft, const struct peer *peer,
			    size_t n)
{
	const bool may_overtake =
		n == 0 && peer->mode == PEER_REPLICATE && peer->n_flight > 0 &&
		raft->now_ns - peer->entries_ns < raft->options.election_ns;

	return may_overtake && peer->match >= raft->log.base_index
		       ? peer->match
		       : peer->next - 1;
}

/* One request, with n entries from next on. */
static bool send_append(struct raft *raft, struct peer *peer, size_t n)
{
	struct raft_message *message = durable_ready(raft);

	if (!message)
		return false;
	*message = durable_message(raft, RAFT_APPEND, peer->id);
	message->token = ++raft->last_token;
	message->append = (struct raft_append){
		.commit = raft->commit,
		.round = raft->round,
		.entries = entries_at(&raft->log, peer->next),
		.n = n,
	};
	/* Where nothing can match, as the peer needs a snapshot, the heartbeat
	 * goes to the beginning, where all logs match. */
	if (peer->mode != PEER_SNAPSHOT) {
		message->append.previous_index = previous_of(raft, peer, n);
		message->append.previous_term = entries_term(
			&raft->log, message->append.previous_index);
	}
	if (n) {
		peer->flight[peer->n_flight++] =
			(struct flight){message->token, peer->next + n - 1};
		peer->next += n;
		peer->entries_ns = raft->now_ns;
	} else {
		peer->wants_empty = false;
	}
	peer->sent_ns = raft->now_ns;
	return true;
}

static bool may_send_entries(const struct raft *raft, const struct peer *peer)
{
	if (peer->mode == PEER_SNAPSHOT || peer->is_silent ||
	    peer->next > core_last(raft))
		return false;
	return peer->n_flight <
	       (peer->mode == PEER_PROBE ? 1 : raft->options.window);
}

static void send_to(struct raft *raft, struct peer *peer)
{
	if (peer->mode != PEER_SNAPSHOT && peer->next <= raft->log.base_index)
		transfer_begin(raft, peer);
	/* First, as its answer waits for no disk, and reads wait for it. */
	if (peer->wants_empty && !send_append(raft, peer, 0))
		return;
	while (may_send_entries(raft, peer))
		if (!send_append(raft, peer, count_entries(raft, peer->next)))
			return;
	if (peer->mode == PEER_SNAPSHOT)
		transfer_send(raft, peer);
}

void replication_send(struct raft *raft)
{
	for (unsigned int i = 0; i < raft->members.n; i++)
		if (!core_is_self(raft, i))
			send_to(raft, &raft->peer[i]);
}
