/* node_peers.c - messages, from the core to the wire and back: a request of the
 * core is a call to a peer, and its reply the result of that; a peer's call is a
 * request for the core, whose reply is the result. The core knows calls by their
 * tokens. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tick.h"
#include "p18-rpc-kv/node_parts.h"

enum {
	VOTES_TIMEOUT = 1, /* election timeouts, for votes and heartbeats */
	ENTRIES_TIMEOUT = 4,
};

/* A call to a peer, with what its arguments point to behind it. */
struct outgoing {
	struct event event;
	struct peer_call call;
	uint64_t token;
};

/* ---- from the core to the wire ---- */

static struct outgoing *outgoing_of(struct peer_call *call)
{
	return (struct outgoing *)((char *)call -
				   offsetof(struct outgoing, call));
}

static size_t size_of(const struct raft_message *message)
{
	size_t bytes = sizeof(struct outgoing);

	if (message->kind == RAFT_SNAPSHOT)
		return bytes + message->snapshot.len;
	if (message->kind != RAFT_APPEND)
		return bytes;
	for (size_t i = 0; i < message->append.n; i++)
		bytes += sizeof(kv_entry) + message->append.entries[i].len;
	return bytes;
}

static void set_peer(const struct node *node,
		     const struct raft_message *message, kv_peer *peer)
{
	memcpy(peer->cluster, node->options.folder->identity.cluster,
	       KV_CLUSTER_BYTES);
	peer->from = message->from;
	peer->to = message->to;
	peer->term = message->term;
}

static void set_entries(const struct raft_append *append, kv_append_args *args,
			void *room)
{
	kv_entry *to = room;
	char *bytes = (char *)&to[append->n];

	args->entries.entries_val = to;
	args->entries.entries_len = (u_int)append->n;
	for (size_t i = 0; i < append->n; i++) {
		const struct raft_entry *entry = &append->entries[i];

		to[i].term = entry->term;
		to[i].kind = (kv_entry_kind)entry->kind;
		to[i].command.command_val = bytes;
		to[i].command.command_len = (u_int)entry->len;
		if (entry->len > 0)
			memcpy(bytes, entry->command, entry->len);
		bytes += entry->len;
	}
}

static void set_vote(const struct node *node,
		     const struct raft_message *message, struct peer_call *call)
{
	kv_vote_args *args = &call->args.vote;

	call->procedure = REQUEST_VOTE;
	set_peer(node, message, &args->peer);
	args->last_index = message->vote.last_index;
	args->last_term = message->vote.last_term;
	args->is_pre = message->vote.is_pre;
}

static void set_append(const struct node *node,
		       const struct raft_message *message,
		       struct peer_call *call, void *room)
{
	const struct raft_append *append = &message->append;
	kv_append_args *args = &call->args.append;

	call->procedure = APPEND_ENTRIES;
	set_peer(node, message, &args->peer);
	args->previous_index = append->previous_index;
	args->previous_term = append->previous_term;
	args->commit = append->commit;
	args->round = append->round;
	set_entries(append, args, room);
}

static void set_snapshot(const struct node *node,
			 const struct raft_message *message,
			 struct peer_call *call, void *room)
{
	const struct raft_snapshot *snapshot = &message->snapshot;
	kv_snapshot_args *args = &call->args.snapshot;

	call->procedure = INSTALL_SNAPSHOT;
	set_peer(node, message, &args->peer);
	args->last_index = snapshot->last_index;
	args->last_term = snapshot->last_term;
	args->total = snapshot->total;
	args->offset = snapshot->offset;
	args->chunk.chunk_val = room;
	args->chunk.chunk_len = (u_int)snapshot->len;
}

static struct outgoing *encode(const struct node *node,
			       const struct raft_message *message)
{
	struct outgoing *outgoing = calloc(1, size_of(message));

	if (!outgoing)
		return NULL;
	outgoing->token = message->token;
	if (message->kind == RAFT_VOTE)
		set_vote(node, message, &outgoing->call);
	else if (message->kind == RAFT_APPEND)
		set_append(node, message, &outgoing->call, outgoing + 1);
	else
		set_snapshot(node, message, &outgoing->call, outgoing + 1);
	return outgoing;
}

/* By the peer's thread: the disk may be slow. */
static int read_chunk(struct peer_call *call, void *arg)
{
	const struct link *link = arg;
	kv_snapshot_args *args = &call->args.snapshot;
	struct snapshot *snapshot;
	ssize_t n;
	int error;

	if (call->procedure != INSTALL_SNAPSHOT)
		return 0;
	error = snapshot_open_at(&snapshot, link->node->options.folder->fd,
				 args->last_index, NULL);
	if (error)
		return error;
	n = snapshot_chunk(snapshot, args->offset, args->chunk.chunk_val,
			   args->chunk.chunk_len);
	snapshot_close(snapshot);
	return n == (ssize_t)args->chunk.chunk_len ? 0 : -EIO;
}

/* ---- replies, from the wire to the core ---- */

static void note_stranger(struct node *node, uint64_t id)
{
	if (!tick_is_over(node->stranger_told_at))
		return;
	node->stranger_told_at = tick_after(TICK_S);
	node_note(node,
		  "event=stranger server=%llu says=\"we are of another "
		  "cluster, or not server %llu\"",
		  (unsigned long long)id,
		  (unsigned long long)node->options.folder->identity.server);
}

/* Whether it is one. */
static bool decode_reply(const struct peer_call *call,
			 struct raft_message *message)
{
	const kv_append_result *append = &call->result.append;

	switch (call->procedure) {
	case REQUEST_VOTE:
		message->kind = RAFT_VOTE_REPLY;
		message->term = call->result.vote.term;
		message->vote_reply.is_granted = call->result.vote.is_granted;
		return !call->result.vote.is_stranger;
	case APPEND_ENTRIES:
		message->kind = RAFT_APPEND_REPLY;
		message->term = append->term;
		message->append_reply = (struct raft_append_reply){
			.is_matching = append->is_matching,
			.index = append->index,
			.conflict_term = append->conflict_term,
			.round = append->round,
		};
		return !append->is_stranger;
	default:
		message->kind = RAFT_SNAPSHOT_REPLY;
		message->term = call->result.snapshot.term;
		message->snapshot_reply.offset = call->result.snapshot.offset;
		return !call->result.snapshot.is_stranger;
	}
}

static void take_reply(struct node *node, struct event *event)
{
	struct outgoing *outgoing = (struct outgoing *)event;
	struct raft_message message = {
		.from = outgoing->call.id,
		.to = node->options.folder->identity.server,
		.token = outgoing->token,
	};
	bool is_lost = outgoing->call.is_lost;

	if (!is_lost && !decode_reply(&outgoing->call, &message)) {
		note_stranger(node, message.from);
		is_lost = true;
	}
	if (is_lost || raft_receive(node->raft, &message))
		raft_lost(node->raft, message.from, message.token);
	free(outgoing);
}

static void done(struct peer_call *call, void *arg)
{
	struct link *link = arg;
	struct outgoing *outgoing = outgoing_of(call);

	outgoing->event.happen = take_reply;
	node_post(link->node, &outgoing->event);
}

/* ---- sending ---- */

static struct link *find_link(const struct node *node, uint64_t id)
{
	struct link *link = node->links;

	while (link && link->member.id != id)
		link = link->next;
	return link;
}

static void note_lost(struct node *node, const struct raft_message *message)
{
	uint64_t *larger;

	if (node->n_lost == node->lost_room) {
		larger = realloc(node->lost,
				 2 * (node->lost_room + 16) * sizeof(*larger));
		if (!larger)
			return; /* the core sends again, but later */
		node->lost = larger;
		node->lost_room += 16;
	}
	node->lost[2 * node->n_lost] = message->to;
	node->lost[2 * node->n_lost + 1] = message->token;
	node->n_lost++;
}

void node_lose_unsent(struct node *node)
{
	for (size_t i = 0; i < node->n_lost; i++)
		raft_lost(node->raft, node->lost[2 * i], node->lost[2 * i + 1]);
	node->n_lost = 0;
}

/* Which waits for its peer's disk. */
static bool is_bulk(const struct raft_message *message)
{
	return message->kind == RAFT_SNAPSHOT ||
	       (message->kind == RAFT_APPEND && message->append.n > 0);
}

static bool is_reply(const struct raft_message *message)
{
	return message->kind == RAFT_VOTE_REPLY ||
	       message->kind == RAFT_APPEND_REPLY ||
	       message->kind == RAFT_SNAPSHOT_REPLY;
}

void node_send(struct node *node, const struct raft_message *message)
{
	struct outgoing *outgoing;
	struct link *link;

	if (is_reply(message)) {
		node_answer_call(node, message);
		return;
	}
	link = find_link(node, message->to);
	outgoing = link ? encode(node, message) : NULL;
	if (outgoing &&
	    peer_send(is_bulk(message) ? link->entries : link->votes,
		      &outgoing->call) == 0)
		return;
	free(outgoing);
	note_lost(node, message);
}

/* ---- links ---- */

static int open_link(struct link *link)
{
	struct peer_options options = {
		.id = link->member.id,
		.address = link->member.address,
		.timeout_ns = VOTES_TIMEOUT * link->node->options.election_ns,
		.prepare = read_chunk,
		.done = done,
		.arg = link,
	};
	int error = peer_open(&link->votes, &options);

	options.timeout_ns = ENTRIES_TIMEOUT * link->node->options.election_ns;
	return error ? error : peer_open(&link->entries, &options);
}

static void close_link(struct link *link)
{
	peer_close(link->votes);
	peer_close(link->entries);
	free(link);
}

static void add_link(struct node *node, const struct member *member)
{
	struct link *link = calloc(1, sizeof(*link));
	int error = link ? 0 : -ENOMEM;

	if (!error) {
		link->node = node;
		link->member = *member;
		error = open_link(link);
	}
	if (error) {
		node_note(node, "event=no_link server=%llu error=\"%s\"",
			  (unsigned long long)member->id, strerror(-error));
		if (link)
			close_link(link);
		return;
	}
	link->next = node->links;
	node->links = link;
}

static bool is_wanted(const struct node *node, const struct member *member)
{
	int at = members_find(&node->status.members, member->id);

	return at >= 0 && strcmp(node->status.members.member[at].address,
				 member->address) == 0;
}

/* A link that is not wanted any more may be waiting for a connection: it is closed
 * at the end. */
static void retire_links(struct node *node)
{
	struct link **at = &node->links, *link;

	while ((link = *at)) {
		if (is_wanted(node, &link->member)) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		link->next = node->retired;
		node->retired = link;
		peer_shut(link->votes);
		peer_shut(link->entries);
	}
}

void node_link_members(struct node *node)
{
	const struct members *members = &node->status.members;

	retire_links(node);
	for (unsigned int i = 0; i < members->n; i++)
		if (members->member[i].id !=
			    node->options.folder->identity.server &&
		    !find_link(node, members->member[i].id))
			add_link(node, &members->member[i]);
	node->linked = *members;
}

static void unlink_list(struct link *list)
{
	struct link *next;

	for (struct link *link = list; link; link = next) {
		next = link->next;
		close_link(link);
	}
}

void node_unlink_all(struct node *node)
{
	unlink_list(node->links);
	unlink_list(node->retired);
	node->links = node->retired = NULL;
}

/* ---- peers' calls ---- */

/* By its thread, which reads what never changes. */
static bool is_stranger(const struct node *node, const kv_peer *peer)
{
	const struct folder_identity *we = &node->options.folder->identity;

	return memcmp(peer->cluster, we->cluster, KV_CLUSTER_BYTES) != 0 ||
	       peer->to != we->server || peer->from == we->server ||
	       peer->from == 0;
}

static struct raft_message message_of(const kv_peer *peer,
				      enum raft_message_kind kind)
{
	return (struct raft_message){
		.kind = kind,
		.from = peer->from,
		.to = peer->to,
		.term = peer->term,
	};
}

int node_vote(struct node *node, const kv_vote_args *args,
	      kv_vote_result *result)
{
	struct raft_message message = message_of(&args->peer, RAFT_VOTE), reply;
	int error;

	result->is_stranger = is_stranger(node, &args->peer);
	if (result->is_stranger)
		return 0;
	message.vote = (struct raft_vote){
		.last_index = args->last_index,
		.last_term = args->last_term,
		.is_pre = args->is_pre,
	};
	error = node_call(node, &message, NULL, &reply);
	if (error)
		return error;
	result->term = reply.term;
	result->is_granted = reply.vote_reply.is_granted;
	return 0;
}

/* Kinds are those of raft.h; what is none the core refuses. */
static struct raft_entry *entries_of(const kv_append_args *args)
{
	const u_int n = args->entries.entries_len;
	struct raft_entry *entries = calloc(n ? n : 1, sizeof(*entries));

	for (u_int i = 0; entries && i < n; i++) {
		const kv_entry *from = &args->entries.entries_val[i];

		entries[i] = (struct raft_entry){
			.term = from->term,
			.kind = (enum raft_entry_kind)from->kind,
			.len = from->command.command_len,
			.command = from->command.command_val,
		};
	}
	return entries;
}

int node_append(struct node *node, const kv_append_args *args,
		kv_append_result *result)
{
	struct raft_message message = message_of(&args->peer, RAFT_APPEND);
	struct raft_message reply;
	struct raft_entry *entries;
	int error;

	result->is_stranger = is_stranger(node, &args->peer);
	if (result->is_stranger)
		return 0;
	entries = entries_of(args);
	if (!entries)
		return -ENOMEM;
	message.append = (struct raft_append){
		.previous_index = args->previous_index,
		.previous_term = args->previous_term,
		.commit = args->commit,
		.round = args->round,
		.entries = entries,
		.n = args->entries.entries_len,
	};
	error = node_call(node, &message, NULL, &reply);
	free(entries);
	if (error)
		return error;
	result->term = reply.term;
	result->is_matching = reply.append_reply.is_matching;
	result->index = reply.append_reply.index;
	result->conflict_term = reply.append_reply.conflict_term;
	result->round = reply.append_reply.round;
	return 0;
}

int node_snapshot(struct node *node, const kv_snapshot_args *args,
		  kv_snapshot_result *result)
{
	struct raft_message message = message_of(&args->peer, RAFT_SNAPSHOT);
	struct raft_message reply;
	int error;

	result->is_stranger = is_stranger(node, &args->peer);
	if (result->is_stranger)
		return 0;
	message.snapshot = (struct raft_snapshot){
		.last_index = args->last_index,
		.last_term = args->last_term,
		.total = args->total,
		.offset = args->offset,
		.len = args->chunk.chunk_len,
	};
	error = node_call(node, &message, args->chunk.chunk_val, &reply);
	if (error)
		return error;
	result->term = reply.term;
	result->offset = reply.snapshot_reply.offset;
	return 0;
}
