/* sim_client.c - clients: each has one request under way, asks again, another
 * server perhaps, until it has an answer, and then thinks of the next.
 *
 * Writes carry a name, so that they are done once. Each key's writes have an
 * order, that of the log; so what clients were told is linearizable if each
 * read and each write comes, in that order, not before what had been told to
 * anybody when it began. */
#include <string.h>

#include "tests/p18/sim_world.h"

static void ask(struct sim *sim, unsigned int client)
{
	struct client *asks = &sim->client[client];
	struct event *event;

	asks->attempt++;
	/* To a server, and what the client does when it hears nothing. */
	if (!sim_chance(sim, sim->loss * 10)) {
		event = event_make(0, EVENT_ASK, asks->target);
		event->client = client;
		event->number = asks->attempt;
		event_add(sim, event, sim_up_to(sim, sim->delay_ns));
	}
	event = event_make(0, EVENT_CLIENT, client);
	event->number = asks->attempt;
	event_add(sim, event, 20 * MS + sim_up_to(sim, 200 * MS));
}

static void choose_server(struct sim *sim, struct client *client)
{
	const struct node *leader = node_leader(sim);

	/* Mostly it knows. */
	if (leader && sim_chance(sim, 7000))
		client->target = (unsigned int)leader->id - 1;
	else
		client->target =
			(unsigned int)rng_below(&sim->rng, sim->n_first + 2);
}

/* A time has come: of the next request, or to ask again. */
void client_begin(struct sim *sim, unsigned int who)
{
	struct client *client = &sim->client[who];
	struct command *command = &client->command;

	choose_server(sim, client);
	if (client->is_waiting) {
		/* A read that is asked again may be answered by the earlier
		 * server, too; its floor is that of the first. */
		ask(sim, who);
		return;
	}
	if (sim_is_over(sim))
		return;
	client->is_waiting = true;
	client->is_read = sim_chance(sim, 4000);
	memset(command, 0, sizeof(*command));
	command->client = who;
	command->key = rng_below(&sim->rng, KEYS);
	command->value = 1 + rng_below(&sim->rng, 1000);
	command->is_add = rng_below(&sim->rng, 2);
	if (!client->is_read)
		command->sequence = ++client->sequence;
	client->floor = sim->completed[command->key];
	ask(sim, who);
}

/* ---- at a server ---- */

static size_t command_bytes(struct sim *sim)
{
	const size_t least = offsetof(struct command, padding);

	return least + rng_below(&sim->rng, sizeof(struct command) - least);
}

void client_asks(struct sim *sim, struct node *node, const struct event *event)
{
	const struct client *client = &sim->client[event->client];
	struct proposal proposal = {.client = event->client,
				    .attempt = event->number};
	int error;

	if (!client->is_waiting || client->attempt != event->number)
		return;
	if (client->is_read) {
		error = raft_read(node->raft,
				  event->number * CLIENTS + event->client);
	} else {
		error = raft_propose(node->raft, &client->command,
				     command_bytes(sim), &proposal.index,
				     &proposal.term);
	}
	if (error) {
		client_answer(sim, event->client, event->number, NULL);
		return;
	}
	if (client->is_read)
		return;
	node->proposals =
		sim_grow(node->proposals, &node->proposals_room,
			 node->n_proposals + 1, sizeof(*node->proposals));
	node->proposals[node->n_proposals++] = proposal;
}

/* Entry index was applied here; outcome NULL: and those before, by a
 * snapshot. */
void client_applied(struct sim *sim, struct node *node, uint64_t index,
		    uint64_t term, const struct outcome *outcome)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->n_proposals; i++) {
		const struct proposal *proposal = &node->proposals[i];

		if (proposal->index > index) {
			node->proposals[kept++] = *proposal;
			continue;
		}
		/* Another's entry took its place: it was not done. */
		client_answer(sim, proposal->client, proposal->attempt,
			      proposal->term == term ? outcome : NULL);
	}
	node->n_proposals = kept;
}

/* Outcome NULL: not done, or nobody knows. */
void client_answer(struct sim *sim, unsigned int client, uint64_t attempt,
		   const struct outcome *outcome)
{
	struct event *event;

	if (sim_chance(sim, sim->loss * 10))
		return;
	event = event_make(0, EVENT_ANSWER, client);
	event->number = attempt;
	event->is_done = outcome;
	if (outcome)
		event->outcome = *outcome;
	event_add(sim, event, sim_up_to(sim, sim->delay_ns));
}

/* ---- what clients are told ---- */

static void check_outcome(struct sim *sim, const struct client *client,
			  const struct outcome *outcome)
{
	const uint64_t revision = outcome->revision;
	const struct committed *committed = &sim->committed[revision];
	const uint64_t key = client->command.key;

	if (client->is_read ? revision < client->floor
			    : revision <= client->floor)
		sim_fail(sim,
			 "not linearizable: a %s of key %llu got revision "
			 "%llu, when %llu was known before it began",
			 client->is_read ? "read" : "write",
			 (unsigned long long)key, (unsigned long long)revision,
			 (unsigned long long)client->floor);
	else if (revision && (revision >= sim->n_committed ||
			      !committed->fact || committed->key != key ||
			      committed->outcome.value != outcome->value))
		sim_fail(sim, "a client was told what was never committed");
}

void client_answered(struct sim *sim, const struct event *event)
{
	struct client *client = &sim->client[event->who];
	struct event *next;

	if (!client->is_waiting || client->attempt != event->number)
		return;
	if (event->is_done) {
		const uint64_t key = client->command.key;

		check_outcome(sim, client, &event->outcome);
		if (sim->completed[key] < event->outcome.revision)
			sim->completed[key] = event->outcome.revision;
		if (client->is_read)
			sim->result->reads++;
		else
			sim->result->writes++;
		client->is_waiting = false;
	}
	next = event_make(0, EVENT_CLIENT, event->who);
	next->number = ++client->attempt;
	event_add(sim, next, sim_up_to(sim, 10 * MS));
}
