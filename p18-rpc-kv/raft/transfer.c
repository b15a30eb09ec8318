/* transfer.c - snapshots, from a leader to a peer that lacks what is not in the
 * log any more (paper, 7: InstallSnapshot).
 *
 * The leader sends one part at a time, and the peer answers with the offset
 * that it wants next. The last part is answered when the snapshot is durable.
 * The bytes are the node's business: here are offsets. */
#include "p18-rpc-kv/raft/transfer.h"

#include <errno.h>

#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/durable.h"
#include "p18-rpc-kv/raft/election.h"
#include "p18-rpc-kv/raft/replication.h"
#include "p18-rpc-kv/raft/vector.h"

/* Election timeouts after which a part that was neither answered nor lost is
 * sent again; the last one is answered only after the peer's disk has been. */
enum { PATIENCE = 20 };

/* ---- leader ---- */

static void choose_snapshot(const struct raft *raft, struct peer *peer)
{
	peer->snapshot_index = raft->snapshot_index;
	peer->snapshot_term = raft->snapshot_term;
	peer->snapshot_bytes = raft->snapshot_bytes;
	peer->offset = 0;
}

void transfer_begin(struct raft *raft, struct peer *peer)
{
	replication_probe(raft, peer, peer->next);
	peer->mode = PEER_SNAPSHOT;
	peer->chunk_token = 0;
	choose_snapshot(raft, peer);
}

/* It may have been lost because its snapshot is there no more. */
static void give_up_chunk(const struct raft *raft, struct peer *peer)
{
	peer->chunk_token = 0;
	if (peer->snapshot_index != raft->snapshot_index)
		choose_snapshot(raft, peer);
}

static bool is_chunk_under_way(const struct raft *raft, struct peer *peer)
{
	if (peer->chunk_token && raft->now_ns - peer->chunk_ns >=
					 PATIENCE * raft->options.election_ns)
		give_up_chunk(raft, peer);
	return peer->chunk_token;
}

void transfer_send(struct raft *raft, struct peer *peer)
{
	struct raft_message *message;
	uint64_t len;

	if (peer->is_silent || is_chunk_under_way(raft, peer))
		return;
	message = durable_ready(raft);
	if (!message)
		return;
	if (!peer->offset)
		choose_snapshot(raft, peer);
	len = peer->snapshot_bytes - peer->offset;
	*message = durable_message(raft, RAFT_SNAPSHOT, peer->id);
	message->token = ++raft->last_token;
	message->snapshot = (struct raft_snapshot){
		.last_index = peer->snapshot_index,
		.last_term = peer->snapshot_term,
		.total = peer->snapshot_bytes,
		.offset = peer->offset,
		.len = len < RAFT_CHUNK_MAX ? len : RAFT_CHUNK_MAX,
	};
	peer->chunk_token = message->token;
	peer->chunk_ns = raft->now_ns;
}

void transfer_reply(struct raft *raft, struct peer *peer,
		    const struct raft_message *reply)
{
	const uint64_t offset = reply->snapshot_reply.offset;

	replication_hear(raft, peer, 0);
	if (peer->mode != PEER_SNAPSHOT || reply->token != peer->chunk_token ||
	    offset > peer->snapshot_bytes)
		return;
	peer->chunk_token = 0;
	if (offset == peer->snapshot_bytes) {
		replication_probe(raft, peer, peer->snapshot_index + 1);
		replication_match(raft, peer, peer->snapshot_index);
		return;
	}
	/* It is no further than it was: not again before the next heartbeat. */
	if (offset <= peer->offset)
		peer->is_silent = true;
	peer->offset = offset;
}

void transfer_lost(struct raft *raft, struct peer *peer, uint64_t token)
{
	if (peer->mode != PEER_SNAPSHOT || token != peer->chunk_token)
		return;
	give_up_chunk(raft, peer);
	peer->is_silent = true;
}

/* ---- follower ---- */

static bool is_same(const struct raft *raft, const struct raft_message *request)
{
	const struct raft_snapshot *a = &raft->incoming.snapshot;
	const struct raft_snapshot *b = &request->snapshot;

	/* Another server's may be other bytes. */
	return raft->is_incoming && raft->incoming.from == request->from &&
	       a->last_index == b->last_index && a->last_term == b->last_term &&
	       a->total == b->total;
}

static void reply_offset(struct raft *raft, const struct raft_message *request,
			 uint64_t offset, uint64_t index)
{
	struct raft_message reply = durable_reply(raft, request);

	reply.snapshot_reply.offset = offset;
	durable_send(raft, &reply, index);
}

/* The answer to the last part, which has waited. */
static void reply_incoming(struct raft *raft, uint64_t offset)
{
	const struct raft_message request = {
		.kind = RAFT_SNAPSHOT,
		.from = raft->incoming.from,
		.token = raft->incoming.token,
	};

	reply_offset(raft, &request, offset, 0);
}

static int take_chunk(struct raft *raft, const struct raft_message *request)
{
	struct raft_chunk *chunks =
		vector_reserve(raft->chunks, &raft->chunks_room,
			       raft->n_chunks + 1, sizeof(*chunks));
	struct raft_chunk *incoming = &raft->incoming;

	if (!chunks)
		return -ENOMEM;
	raft->chunks = chunks;
	*incoming = (struct raft_chunk){request->token, request->from,
					request->snapshot};
	chunks[raft->n_chunks++] = *incoming;
	raft->is_incoming = true;
	incoming->snapshot.offset += request->snapshot.len;
	raft->is_installing =
		incoming->snapshot.offset == incoming->snapshot.total;
	if (!raft->is_installing)
		reply_offset(raft, request, incoming->snapshot.offset, 0);
	return 0;
}

int transfer_receive(struct raft *raft, const struct raft_message *request)
{
	const struct raft_snapshot *snapshot = &request->snapshot;
	const struct raft_snapshot *incoming = &raft->incoming.snapshot;
	const bool is_next =
		is_same(raft, request) && snapshot->offset == incoming->offset;

	if (snapshot->last_index <= raft->commit) {
		/* We have all that it has, and say so when it is durable. */
		reply_offset(raft, request, snapshot->total,
			     snapshot->last_index);
		return 0;
	}
	if (raft->is_installing && is_same(raft, request) &&
	    snapshot->offset + snapshot->len == snapshot->total) {
		/* The last part again: this request will be answered, and the
		 * earlier one is. */
		reply_incoming(raft, 0);
		raft->incoming.token = request->token;
		return 0;
	}
	if (!raft->is_installing && (is_next || snapshot->offset == 0))
		return take_chunk(raft, request);
	reply_offset(raft, request,
		     is_same(raft, request) && !raft->is_installing
			     ? incoming->offset
			     : 0,
		     0);
	return 0;
}

void transfer_failed(struct raft *raft)
{
	if (!raft->is_installing || durable_reserve(raft, 1))
		return;
	reply_incoming(raft, 0);
	raft->is_incoming = false;
	raft->is_installing = false;
}

/* The log from here on. */
static void begin_after(struct raft *raft, uint64_t index, uint64_t term)
{
	struct entries *log = &raft->log;
	const bool is_there = index >= log->base_index &&
			      index <= entries_last(log) &&
			      entries_term(log, index) == term;

	/* "If existing log entry has same index and term as snapshot's last
	 * included entry, retain log entries following it" (Figure 13). */
	if (is_there) {
		/* What is not handed out to be written yet will be: a log has
		 * no gaps. */
		entries_drop(log,
			     index < raft->written ? index : raft->written);
		if (raft->durable < index)
			raft->durable = index;
		return;
	}
	election_follow(raft, raft->term, 0);
	entries_reset(log, index, term);
	durable_reset(raft, index);
}

int transfer_installed(struct raft *raft, uint64_t index, uint64_t term,
		       const struct members *members)
{
	const struct raft_snapshot *incoming = &raft->incoming.snapshot;
	const bool is_wanted = index > raft->commit;

	if (!raft->is_installing || index != incoming->last_index ||
	    term != incoming->last_term)
		return -ESTALE;
	if (durable_reserve(raft, 1))
		return -ENOMEM;
	reply_incoming(raft, incoming->total);
	raft->is_incoming = false;
	raft->is_installing = false;
	if (!is_wanted)
		return -ESTALE;
	begin_after(raft, index, term);
	raft->snapshot_index = index;
	raft->snapshot_term = term;
	raft->snapshot_bytes = incoming->total;
	raft->snapshot_members = *members;
	raft->commit = index;
	raft->applied = index;
	configure_refresh(raft, 0);
	return 0;
}
