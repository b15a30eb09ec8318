/* sim_net.c - messages between servers, as calls of ONC RPC are: a reply finds
 * the process that has asked, or nobody. */
#include <string.h>

#include "tests/p18/sim_world.h"

static bool is_request(const struct raft_message *message)
{
	return message->kind == RAFT_VOTE || message->kind == RAFT_APPEND ||
	       message->kind == RAFT_SNAPSHOT;
}

/* The message with all that it points to. */
static struct event *copy(const struct raft_message *message)
{
	const bool has_entries = message->kind == RAFT_APPEND;
	const size_t n = has_entries ? message->append.n : 0;
	size_t bytes = n * sizeof(struct raft_entry);
	struct event *event;
	char *command;

	for (size_t i = 0; i < n; i++)
		bytes += message->append.entries[i].len;
	event = event_make(bytes, EVENT_MESSAGE, (unsigned int)message->to - 1);
	event->message = *message;
	if (!has_entries)
		return event;
	event->message.append.entries = event->entry;
	command = (char *)&event->entry[n];
	for (size_t i = 0; i < n; i++) {
		event->entry[i] = message->append.entries[i];
		event->entry[i].command = command;
		if (!event->entry[i].len)
			continue;
		memcpy(command, message->append.entries[i].command,
		       event->entry[i].len);
		command += event->entry[i].len;
	}
	return event;
}

/* The one who asked may hear that its request has failed, late. */
static void lose(struct sim *sim, uint64_t to, uint64_t boot, uint64_t peer,
		 uint64_t token)
{
	struct event *event;

	if (sim_chance(sim, 3000))
		return;
	event = event_make(0, EVENT_LOST, (unsigned int)to - 1);
	event->boot = boot;
	event->message.from = peer;
	event->message.token = token;
	event_add(sim, event, 5 * MS + sim_up_to(sim, 200 * MS));
}

static int64_t delay(struct sim *sim)
{
	/* Mostly short, at times very long. */
	if (!sim->is_healed && sim_chance(sim, 200))
		return sim_up_to(sim, 300 * MS);
	return 50 * US + sim_up_to(sim, sim->delay_ns);
}

static bool is_dropped(struct sim *sim, uint64_t from, uint64_t to)
{
	return sim->is_cut[from - 1][to - 1] || sim_chance(sim, sim->loss * 10);
}

static void transmit(struct sim *sim, struct event *event)
{
	if (sim_chance(sim, sim->doubling * 10)) {
		struct event *twin = copy(&event->message);

		twin->boot = event->boot;
		twin->from_boot = event->from_boot;
		twin->snapshot = event->snapshot;
		event_add(sim, twin, delay(sim));
	}
	event_add(sim, event, delay(sim));
}

static struct snapshot *find_snapshot(struct sim *sim, struct node *node,
				      const struct raft_snapshot *wanted)
{
	struct snapshot *snapshot = node->disk.snapshot;

	if (snapshot && snapshot->index == wanted->last_index)
		return snapshot;
	/* An older one, which may or may not be open still. */
	if (sim_chance(sim, 5000))
		return NULL;
	for (snapshot = sim->snapshots; snapshot; snapshot = snapshot->next)
		if (snapshot->index == wanted->last_index &&
		    snapshot->bytes == wanted->total)
			return snapshot;
	return NULL;
}

static void send_request(struct sim *sim, struct node *node,
			 const struct raft_message *message)
{
	struct snapshot *snapshot = NULL;
	struct event *event;

	if (message->kind == RAFT_SNAPSHOT) {
		snapshot = find_snapshot(sim, node, &message->snapshot);
		if (!snapshot) {
			lose(sim, node->id, node->boot, message->to,
			     message->token);
			return;
		}
	}
	if (is_dropped(sim, message->from, message->to)) {
		lose(sim, node->id, node->boot, message->to, message->token);
		return;
	}
	event = copy(message);
	event->from_boot = node->boot;
	event->snapshot = snapshot;
	transmit(sim, event);
}

/* The call that the core answers here. */
static bool take_call(struct node *node, uint64_t token, struct call *call)
{
	for (size_t i = 0; i < node->n_calls; i++) {
		if (node->calls[i].token != token)
			continue;
		*call = node->calls[i];
		node->calls[i] = node->calls[--node->n_calls];
		return true;
	}
	return false;
}

static void send_reply(struct sim *sim, struct node *node,
		       const struct raft_message *message)
{
	struct event *event;
	struct call call;

	if (!take_call(node, message->token, &call) ||
	    call.from != message->to) {
		sim_fail(sim, "server %llu answers what nobody has asked",
			 (unsigned long long)node->id);
		return;
	}
	if (is_dropped(sim, message->from, message->to)) {
		lose(sim, call.from, call.boot, node->id, call.their_token);
		return;
	}
	event = copy(message);
	event->message.token = call.their_token;
	event->boot = call.boot;
	transmit(sim, event);
}

void net_send(struct sim *sim, struct node *node,
	      const struct raft_message *message)
{
	if (is_request(message))
		send_request(sim, node, message);
	else
		send_reply(sim, node, message);
}

void net_receive(struct sim *sim, struct node *node, struct event *event)
{
	struct raft_message *message = &event->message;
	struct call call = {++node->last_call,
			    message->from,
			    event->from_boot,
			    message->token,
			    event->snapshot,
			    message->kind == RAFT_VOTE && message->vote.is_pre};
	int error;

	if (is_request(message)) {
		node->calls = sim_grow(node->calls, &node->calls_room,
				       node->n_calls + 1, sizeof(*node->calls));
		node->calls[node->n_calls++] = call;
		message->token = call.token;
	}
	error = raft_receive(node->raft, message);
	if (error)
		sim_fail(sim,
			 "server %llu refuses a message of %llu, kind %d: %d",
			 (unsigned long long)node->id,
			 (unsigned long long)message->from, message->kind,
			 error);
}

/* Those who have asked us hear, perhaps, that we are gone. */
void net_forget_calls(struct sim *sim, struct node *node)
{
	for (size_t i = 0; i < node->n_calls; i++)
		lose(sim, node->calls[i].from, node->calls[i].boot, node->id,
		     node->calls[i].their_token);
	node->n_calls = 0;
}
