/* node_snapshot.c - snapshots: what was stored, found again at the start; one that
 * is taken, when the log has become long; and one that comes in from the leader. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/tick.h"
#include "p18-rpc-kv/node_parts.h"

/* The largest that is taken from another server: as much as a state may hold, and
 * what is around it. */
#define SNAPSHOT_MAX (2 * STATE_BYTES_MAX)

enum {
	WINDOW = 4, /* requests with entries, in flight to each peer */
	APPEND_BYTES = 256 * 1024,
	TRAILING = 2000, /* entries that stay behind a snapshot */
	/* A snapshot is not begun before so much of the state's size has been
	 * logged: whatever the state's size, most of what is written is log. */
	SHARE = 4,
};

/* ---- the start ---- */

/* The log as it is read: later records replace earlier ones. */
struct found {
	uint64_t first;
	struct raft_entry *entries;
	size_t n, room;
};

static int grow(struct found *found)
{
	struct raft_entry *larger;

	if (found->n < found->room)
		return 0;
	larger = realloc(found->entries,
			 (2 * found->room + 1024) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	found->entries = larger;
	found->room = 2 * found->room + 1024;
	return 0;
}

static void forget_from(struct found *found, uint64_t index)
{
	while (found->n > 0 && found->first + found->n > index)
		free((void *)(uintptr_t)found->entries[--found->n].command);
}

static int visit(const struct wal_entry *entry, void *arg)
{
	struct found *found = arg;
	void *bytes = NULL;

	forget_from(found, entry->index);
	if (found->n == 0)
		found->first = entry->index;
	if (grow(found))
		return -ENOMEM;
	if (entry->len > 0) {
		bytes = malloc(entry->len);
		if (!bytes)
			return -ENOMEM;
		memcpy(bytes, entry->bytes, entry->len);
	}
	found->entries[found->n++] = (struct raft_entry){
		.term = entry->term,
		.kind = (enum raft_entry_kind)entry->kind,
		.len = entry->len,
		.command = bytes,
	};
	return 0;
}

static int find_snapshot(struct node *node, struct raft_stored *stored,
			 struct damage *damage)
{
	struct snapshots_loaded *loaded = calloc(1, sizeof(*loaded));
	int error = loaded ? snapshots_load(node->options.folder->fd, 0, loaded,
					    damage)
			   : -ENOMEM;

	if (!error) {
		node->state = loaded->state;
		node->snapshot =
			(struct wal_position){loaded->index, loaded->term};
		stored->snapshot_index = loaded->index;
		stored->snapshot_term = loaded->term;
		stored->snapshot_bytes = loaded->bytes;
		stored->members = loaded->members;
	}
	free(loaded);
	return error == -ENOENT ? state_new(&node->state, NULL) : error;
}

/* The members that the folder was made for, where no snapshot has others. */
static void set_first_members(const struct node *node,
			      struct raft_stored *stored)
{
	const struct folder_identity *we = &node->options.folder->identity;

	if (stored->snapshot_index)
		return;
	for (uint32_t i = 0; i < we->n_members; i++)
		members_add(&stored->members, we->members[i].id,
			    we->members[i].address);
}

static int open_core(struct node *node, struct raft_stored *stored)
{
	struct raft_options options = {
		.id = node->options.folder->identity.server,
		.now_ns = tick_now(),
		.election_ns = node->options.election_ns,
		.heartbeat_ns = node->options.heartbeat_ns,
		.window = WINDOW,
		.append_bytes = APPEND_BYTES,
		.trailing = TRAILING,
		.since = node->options.folder->identity.since,
	};

	if (getrandom(&options.seed, sizeof(options.seed), 0) !=
	    sizeof(options.seed))
		return -errno;
	return raft_open(&options, stored, &node->raft);
}

static int read_stored(struct node *node, struct raft_stored *stored,
		       struct found *found, struct damage *damage)
{
	const int dir = node->options.folder->fd;
	int error = hardstate_open(&node->hardstate, dir, damage);

	if (error)
		return error;
	node->has_hardstate = true;
	stored->term = node->hardstate.term;
	stored->vote = node->hardstate.vote;
	error = find_snapshot(node, stored, damage);
	if (error)
		return error;
	error = wal_open(&node->wal, dir, node->options.segment_bytes,
			 node->snapshot, visit, found, damage);
	if (error)
		return error;
	/* Void, if the log had to begin anew behind the snapshot. */
	if (found->n > 0 && found->first <= wal_before(node->wal).index)
		forget_from(found, 0);
	forget_from(found, wal_last(node->wal).index + 1);
	stored->first = found->first;
	stored->entries = found->entries;
	stored->n = found->n;
	set_first_members(node, stored);
	return 0;
}

int node_recover(struct node *node, char why[NODE_WHY])
{
	struct raft_stored *stored = calloc(1, sizeof(*stored));
	struct found found = {0};
	struct damage damage = {""};
	int error =
		stored ? read_stored(node, stored, &found, &damage) : -ENOMEM;

	if (!error) {
		error = open_core(node, stored);
		if (error == -EBADMSG)
			snprintf(damage.text, sizeof(damage.text),
				 "log, snapshot and vote do not fit together");
	}
	if (!error) {
		raft_status(node->raft, &node->status);
		node_publish_view(node);
		node_note(node,
			  "event=recovered term=%llu snapshot=%llu last=%llu "
			  "torn_bytes=%llu",
			  (unsigned long long)node->status.term,
			  (unsigned long long)node->status.snapshot,
			  (unsigned long long)node->status.last,
			  (unsigned long long)wal_torn(node->wal));
	}
	if (error)
		snprintf(why, NODE_WHY, "%s",
			 damage.text[0] ? damage.text : strerror(-error));
	forget_from(&found, 0);
	free(found.entries);
	free(stored);
	return error;
}

/* ---- taking ---- */

struct taken {
	struct event event;
	uint64_t index, bytes;
	int error;
};

static void note_taken(struct node *node, struct event *event)
{
	struct taken *taken = (struct taken *)event;
	const uint64_t index = taken->index;

	node->is_taking = false;
	node_note(node, "event=snapshot index=%llu bytes=%llu error=\"%s\"",
		  (unsigned long long)index, (unsigned long long)taken->bytes,
		  taken->error ? strerror(-taken->error) : "");
	if (!taken->error &&
	    raft_compacted(node->raft, index, taken->bytes) == 0) {
		const struct raft_entry *entry = raft_entry(node->raft, index);

		node->snapshot.index = index;
		node->snapshot.term = entry ? entry->term : node->taking_term;
		if (writer_drop(node->writer, index))
			node_fail(node, "no memory to drop a part of the log");
	}
	free(taken);
}

static void taken(uint64_t index, uint64_t bytes, int error, void *arg)
{
	struct node *node = arg;
	struct taken *event = malloc(sizeof(*event));

	if (!event)
		node_fail(node, "no memory");
	*event = (struct taken){{NULL, note_taken}, index, bytes, error};
	node_post(node, &event->event);
}

static bool is_due(const struct node *node)
{
	const struct state_count count = state_count(node->state);

	/* Who has joined, and has not come to a list of members in the log,
	 * has nothing that a snapshot could begin with. */
	return !node->is_taking && !node->receiver && !node->is_receiving &&
	       node->status.members.n > 0 &&
	       count.applied >=
		       node->snapshot.index + node->options.snapshot_entries &&
	       node->log_bytes >= count.bytes / SHARE;
}

void node_take_snapshot(struct node *node)
{
	const struct raft_entry *entry;
	struct members members;
	struct state_view *view;
	uint64_t index;

	if (!is_due(node))
		return;
	index = state_count(node->state).applied;
	entry = raft_entry(node->raft, index);
	if (!entry || state_freeze(node->state, &view))
		return; /* it is due again after the next batch */
	node->is_taking = true;
	node->taking_term = entry->term;
	node->log_bytes = 0;
	raft_members(node->raft, index, &members);
	snapshots_take(node->snapshots, view, node->taking_term, &members);
}

/* ---- receiving ---- */

struct received {
	struct event event;
	struct snapshots_loaded loaded;
	char why[NODE_WHY]; /* "": it is one */
};

static void install(struct node *node, struct snapshots_loaded *loaded)
{
	if (raft_installed(node->raft, loaded->index, loaded->term,
			   &loaded->members)) {
		state_free(loaded->state);
		return;
	}
	node->snapshot = (struct wal_position){loaded->index, loaded->term};
	node->log_bytes = 0;
	node_replace_state(node, loaded->state);
	node_note(node, "event=installed index=%llu bytes=%llu",
		  (unsigned long long)loaded->index,
		  (unsigned long long)loaded->bytes);
}

static void note_received(struct node *node, struct event *event)
{
	struct received *received = (struct received *)event;

	node->is_receiving = false;
	if (received->why[0]) {
		node_note(node, "event=no_snapshot why=\"%s\"", received->why);
		raft_install_failed(node->raft);
	} else {
		install(node, &received->loaded);
	}
	free(received);
}

static void received(const struct snapshots_loaded *loaded, const char *why,
		     void *arg)
{
	struct node *node = arg;
	struct received *event = calloc(1, sizeof(*event));

	if (!event)
		node_fail(node, "no memory");
	event->event.happen = note_received;
	if (loaded)
		event->loaded = *loaded;
	else
		snprintf(event->why, sizeof(event->why), "%s", why);
	node_post(node, &event->event);
}

static int begin_receiving(struct node *node, const struct raft_chunk *chunk)
{
	snapshot_receive_abort(node->receiver);
	node->receiver = NULL;
	if (node->is_taking || node->is_receiving)
		return -EBUSY;
	node->receiver_index = chunk->snapshot.last_index;
	return snapshot_receive(&node->receiver, node->options.folder->fd,
				chunk->snapshot.last_index,
				chunk->snapshot.last_term,
				chunk->snapshot.total, SNAPSHOT_MAX);
}

static int take_chunk(struct node *node, const struct raft_chunk *chunk)
{
	const struct raft_snapshot *snapshot = &chunk->snapshot;
	const struct request *call = node_find_call(node, chunk->token);
	uint64_t next;
	int error = 0;

	if (!call)
		return -ECANCELED;
	if (snapshot->offset == 0)
		error = begin_receiving(node, chunk);
	if (error)
		return error;
	if (!node->receiver || node->receiver_index != snapshot->last_index)
		return -ECANCELED;
	error = snapshot_chunk_in(node->receiver, snapshot->offset, call->chunk,
				  snapshot->len, &next);
	if (error)
		return error;
	if (next != snapshot->offset + snapshot->len)
		return -EINVAL;
	if (next == snapshot->total) {
		node->is_receiving = true;
		snapshots_receive(node->snapshots, node->receiver,
				  node->receiver_index);
		node->receiver = NULL;
	}
	return 0;
}

/* What cannot be kept is told to the core when it may be called again. */
void node_take_chunk(struct node *node, const struct raft_chunk *chunk)
{
	int error = take_chunk(node, chunk);

	if (!error)
		return;
	snapshot_receive_abort(node->receiver);
	node->receiver = NULL;
	node->has_bad_chunk = true;
	node_note(node, "event=no_snapshot offset=%llu error=\"%s\"",
		  (unsigned long long)chunk->snapshot.offset, strerror(-error));
}

int node_open_snapshots(struct node *node)
{
	const struct snapshots_options options = {
		.dir = node->options.folder->fd,
		.taken = taken,
		.received = received,
		.arg = node,
	};

	return snapshots_open(&node->snapshots, &options);
}
