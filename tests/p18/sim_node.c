/* sim_node.c - a server: the core, and who does its work. Between any two
 * things that it does it may be killed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/p18/sim_world.h"

int64_t node_clock(const struct sim *sim, const struct node *node)
{
	return node->clock_offset + sim->now_ns / 1000 * node->clock_rate;
}

/* When its clock will say so. */
static int64_t time_of_clock(const struct node *node, int64_t clock_ns)
{
	return (clock_ns - node->clock_offset) / node->clock_rate * 1000 + 1000;
}

static struct event *make(const struct node *node, enum event_kind kind)
{
	struct event *event = event_make(0, kind, (unsigned int)node->id - 1);

	event->boot = node->boot;
	return event;
}

/* ---- life ---- */

void node_start(struct sim *sim, struct node *node)
{
	struct raft_options options = sim->options;
	int error;

	if (node->raft)
		return;
	node->boot++;
	node->clock_offset = sim_up_to(sim, 1000000 * MS);
	node->clock_rate = 950 + sim_up_to(sim, 100);
	options.id = node->id;
	options.seed = rng_next(&sim->rng);
	options.since = node->disk.since;
	options.now_ns = node_clock(sim, node);
	error = disk_open(sim, node, &options);
	if (error) {
		sim_fail(sim, "server %llu does not open its log: %d",
			 (unsigned long long)node->id, error);
		return;
	}
	node->state = (struct state){0};
	node->applied = 0;
	if (node->disk.snapshot) {
		node->state = node->disk.snapshot->state;
		node->applied = node->disk.snapshot->index;
	}
	node->led_term = 0;
	node->is_output_due = false;
	node->is_snapshotting = false;
	node->incoming = NULL;
	node->tick_at = INT64_MAX;
	sim_trace(sim, "server %llu starts", (unsigned long long)node->id);
	event_add(sim, make(node, EVENT_TICK), 0);
}

void node_crash(struct sim *sim, struct node *node, const char *where)
{
	if (!node->raft)
		return;
	sim_trace(sim, "server %llu is killed %s", (unsigned long long)node->id,
		  where);
	sim->result->crashes++;
	disk_crash(sim, node);
	net_forget_calls(sim, node);
	raft_close(node->raft);
	node->raft = NULL;
	node->n_proposals = 0;
	if (sim_chance(sim, 8000))
		event_add(
			sim,
			event_make(0, EVENT_START, (unsigned int)node->id - 1),
			sim_up_to(sim, 400 * MS));
}

/* A point at which it may die; whether it has. */
static bool is_killed(struct sim *sim, struct node *node, const char *where)
{
	if (!sim_chance(sim, sim->crashing))
		return false;
	node_crash(sim, node, where);
	return true;
}

struct node *node_leader(struct sim *sim)
{
	struct node *leader = NULL;
	struct raft_status status;
	uint64_t term = 0;

	for (unsigned int i = 0; i < SERVERS; i++) {
		if (!sim->node[i].raft)
			continue;
		raft_status(sim->node[i].raft, &status);
		if (status.role != RAFT_LEADER || status.term < term)
			continue;
		term = status.term;
		leader = &sim->node[i];
	}
	return leader;
}

/* ---- snapshots ---- */

static struct snapshot *make_snapshot(struct sim *sim, struct node *node)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		abort();
	snapshot->index = node->applied;
	snapshot->term = sim->committed[node->applied].fact->entry.term;
	snapshot->bytes = 1 + rng_below(&sim->rng, 3 * RAFT_CHUNK_MAX);
	snapshot->state = node->state;
	raft_members(node->raft, node->applied, &snapshot->members);
	snapshot->next = sim->snapshots;
	sim->snapshots = snapshot;
	return snapshot;
}

static void snapshot_if_due(struct sim *sim, struct node *node)
{
	struct raft_status status;
	struct event *event;

	raft_status(node->raft, &status);
	if (node->is_snapshotting ||
	    node->applied < status.snapshot + sim->snapshot_every)
		return;
	node->is_snapshotting = true;
	event = make(node, EVENT_SNAPSHOT);
	event->snapshot = make_snapshot(sim, node);
	event_add(sim, event, sim_up_to(sim, 20 * MS));
}

/* Ours is durable, unless a newer one has come in meanwhile. */
static void snapshot_is_durable(struct sim *sim, struct node *node,
				struct snapshot *snapshot)
{
	int error;

	node->is_snapshotting = false;
	if (node->disk.snapshot &&
	    node->disk.snapshot->index >= snapshot->index)
		return;
	disk_keep_snapshot(sim, node, snapshot);
	if (is_killed(sim, node, "after a snapshot"))
		return;
	error = raft_compacted(node->raft, snapshot->index, snapshot->bytes);
	if (error)
		sim_fail(sim, "a snapshot of what was applied is refused: %d",
			 error);
}

static const struct call *find_call(const struct node *node, uint64_t token)
{
	for (size_t i = 0; i < node->n_calls; i++)
		if (node->calls[i].token == token)
			return &node->calls[i];
	return NULL;
}

static void keep_chunk(struct sim *sim, struct node *node,
		       const struct raft_chunk *chunk)
{
	const struct call *call = find_call(node, chunk->token);
	const struct raft_snapshot *part = &chunk->snapshot;
	struct event *event;

	if (!call || !call->snapshot) {
		sim_fail(sim, "a part of a snapshot that nobody has sent");
		return;
	}
	if (part->offset == 0) {
		node->incoming = call->snapshot;
		node->incoming_bytes = 0;
	}
	if (node->incoming != call->snapshot ||
	    node->incoming_bytes != part->offset) {
		sim_fail(sim, "the parts of two snapshots are mixed");
		return;
	}
	node->incoming_bytes += part->len;
	if (node->incoming_bytes < part->total)
		return;
	event = make(node, EVENT_INSTALLED);
	event->snapshot = node->incoming;
	event_add(sim, event, sim_up_to(sim, 30 * MS));
}

/* What a leader has sent is durable under its name, or could not be kept. */
static void install(struct sim *sim, struct node *node,
		    struct snapshot *snapshot)
{
	int error;

	if (sim_chance(sim, 500) && !sim->is_healed) {
		raft_install_failed(node->raft);
		return;
	}
	if (!node->disk.snapshot ||
	    node->disk.snapshot->index < snapshot->index)
		disk_keep_snapshot(sim, node, snapshot);
	if (is_killed(sim, node, "after a leader's snapshot"))
		return;
	error = raft_installed(node->raft, snapshot->index, snapshot->term,
			       &snapshot->members);
	if (error) {
		if (error != -ESTALE)
			sim_fail(sim, "installing: %d", error);
		return;
	}
	sim->result->snapshots++;
	sim_trace(sim, "server %llu installs a snapshot up to %llu",
		  (unsigned long long)node->id,
		  (unsigned long long)snapshot->index);
	check_snapshot(sim, snapshot);
	node->state = snapshot->state;
	node->applied = snapshot->index;
	client_applied(sim, node, snapshot->index, 0, NULL);
}

/* ---- output ---- */

static void apply(struct sim *sim, struct node *node,
		  const struct raft_output *output)
{
	for (size_t i = 0; i < output->n_apply; i++) {
		const struct raft_entry *entry = &output->apply[i];
		const uint64_t index = output->apply_first + i;
		struct outcome outcome = {0};
		struct command command = {0};
		bool is_executed = false;

		if (index != node->applied + 1) {
			sim_fail(sim, "entry %llu is applied after %llu",
				 (unsigned long long)index,
				 (unsigned long long)node->applied);
			return;
		}
		if (entry->kind == RAFT_CHANGE) {
			memcpy(&command, entry->command, entry->len);
			is_executed = state_apply(&node->state, index, &command,
						  &outcome);
		}
		node->applied = index;
		check_applied(sim, node,
			      disk_fact(sim, index, entry, UINT64_MAX),
			      is_executed, &outcome);
		client_applied(sim, node, index, entry->term, &outcome);
	}
}

static void answer_reads(struct sim *sim, struct node *node,
			 const struct raft_output *output)
{
	for (size_t i = 0; i < output->n_reads; i++) {
		const struct raft_answer *read = &output->reads[i];
		const unsigned int client = read->id % CLIENTS;
		const uint64_t key = sim->client[client].command.key;

		if (read->is_confirmed && read->index > node->applied)
			sim_fail(sim, "a read of what is not applied");
		client_answer(sim, client, read->id / CLIENTS,
			      read->is_confirmed ? &node->state.key[key]
						 : NULL);
	}
}

static void wake(struct sim *sim, struct node *node, int64_t wake_ns)
{
	int64_t at = time_of_clock(node, wake_ns);

	if (at < sim->now_ns)
		at = sim->now_ns;
	if (at >= node->tick_at)
		return;
	node->tick_at = at;
	event_add(sim, make(node, EVENT_TICK), at - sim->now_ns);
}

static void do_output(struct sim *sim, struct node *node)
{
	struct raft_output output;

	node->is_output_due = false;
	raft_output(node->raft, &output);
	if (output.write) {
		disk_write(sim, node, output.write);
		if (is_killed(sim, node, "after writing"))
			return;
	}
	for (size_t i = 0; i < output.n_chunks; i++)
		keep_chunk(sim, node, &output.chunks[i]);
	for (size_t i = 0; i < output.n_messages; i++) {
		check_message_out(sim, node, &output.messages[i]);
		net_send(sim, node, &output.messages[i]);
		if (is_killed(sim, node, "between two messages"))
			return;
	}
	apply(sim, node, &output);
	answer_reads(sim, node, &output);
	wake(sim, node, output.wake_ns);
	snapshot_if_due(sim, node);
}

/* ---- events ---- */

static void handle(struct sim *sim, struct node *node, struct event *event)
{
	switch (event->kind) {
	case EVENT_TICK:
		node->tick_at = INT64_MAX;
		break;
	case EVENT_MESSAGE:
		net_receive(sim, node, event);
		break;
	case EVENT_LOST:
		raft_lost(node->raft, event->message.from,
			  event->message.token);
		break;
	case EVENT_SYNCED:
		disk_synced(sim, node);
		is_killed(sim, node, "after a sync");
		break;
	case EVENT_PERSISTED:
		raft_persisted(node->raft, event->number);
		break;
	case EVENT_SNAPSHOT:
		snapshot_is_durable(sim, node, event->snapshot);
		break;
	case EVENT_INSTALLED:
		install(sim, node, event->snapshot);
		break;
	case EVENT_ASK:
		client_asks(sim, node, event);
		break;
	default:
		do_output(sim, node);
		break;
	}
}

void node_handle(struct sim *sim, struct event *event)
{
	struct node *node = &sim->node[event->who];
	const bool is_output = event->kind == EVENT_OUTPUT;

	if (!node->raft)
		return;
	raft_tick(node->raft, node_clock(sim, node));
	handle(sim, node, event);
	if (!node->raft)
		return;
	check_step(sim, node);
	/* What happens within the next moment is one output. */
	if (is_output || node->is_output_due)
		return;
	node->is_output_due = true;
	event_add(sim, make(node, EVENT_OUTPUT), sim_up_to(sim, 100 * US));
}
