/* sim.c - the seed's faults, and the course of a run. */
#include "tests/p18/sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/p18/sim_world.h"

enum { STEPS_MAX = 2000000 };

/* ---- chance and words ---- */

bool sim_chance(struct sim *sim, uint64_t of_10000)
{
	return of_10000 && rng_below(&sim->rng, 10000) < of_10000;
}

int64_t sim_up_to(struct sim *sim, int64_t ns)
{
	return (int64_t)rng_below(&sim->rng, (uint64_t)ns + 1);
}

/* Nothing new is begun any more. */
bool sim_is_over(const struct sim *sim)
{
	return sim->now_ns >= sim->heal_ns + 500 * MS;
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->has_trace)
		return;
	printf("%10.3f ms  ", (double)sim->now_ns / 1e6);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (sim->result->fault[0])
		return;
	va_start(args, format);
	vsnprintf(sim->result->fault, sizeof(sim->result->fault), format, args);
	va_end(args);
	sim->result->fault_ns = sim->now_ns;
	sim_trace(sim, "WRONG: %s", sim->result->fault);
}

/* ---- faults ---- */

static struct node *any_node(struct sim *sim)
{
	struct node *leader = node_leader(sim);

	/* Leaders have more to lose. */
	if (leader && sim_chance(sim, 3000))
		return leader;
	return &sim->node[rng_below(&sim->rng, sim->n_first)];
}

static void heal_network(struct sim *sim)
{
	sim_trace(sim, "the network is whole");
	memset(sim->is_cut, 0, sizeof(sim->is_cut));
}

/* Two groups that do not hear each other, or only one of them the other. */
static void partition(struct sim *sim)
{
	const uint64_t group = rng_next(&sim->rng);
	const bool is_one_way = sim_chance(sim, 3000);

	sim_trace(sim, "partition %llx%s",
		  (unsigned long long)(group & ((1 << SERVERS) - 1)),
		  is_one_way ? ", one way" : "");
	for (unsigned int a = 0; a < SERVERS; a++)
		for (unsigned int b = 0; b < SERVERS; b++)
			sim->is_cut[a][b] =
				(group >> a & 1) != (group >> b & 1) &&
				(!is_one_way || (group >> a & 1));
}

static void isolate(struct sim *sim, const struct node *node)
{
	const bool is_deaf = sim_chance(sim, 7000);
	const bool is_mute = !is_deaf || sim_chance(sim, 6000);

	sim_trace(sim, "server %llu is%s%s", (unsigned long long)node->id,
		  is_deaf ? " deaf" : "", is_mute ? " mute" : "");
	for (unsigned int i = 0; i < SERVERS; i++) {
		sim->is_cut[node->id - 1][i] |= is_mute;
		sim->is_cut[i][node->id - 1] |= is_deaf;
	}
}

static void pause_node(struct sim *sim, struct node *node)
{
	node->paused_until = sim->now_ns + sim_up_to(sim, 500 * MS);
	sim_trace(sim, "server %llu stands still for %lld ms",
		  (unsigned long long)node->id,
		  (long long)((node->paused_until - sim->now_ns) / MS));
}

static bool lists(const struct raft_entry *entry, uint64_t id)
{
	struct members members;

	return entry && entry->kind == RAFT_MEMBERS &&
	       !members_decode(entry->command, entry->len, &members) &&
	       members_find(&members, id) >= 0;
}

/* Whether somebody has this server for a member, by the last committed list or
 * a later one: then its folder may not be wiped. */
static bool is_member_to_anybody(const struct sim *sim, uint64_t id)
{
	if (members_find(&sim->members, id) >= 0)
		return true;
	for (unsigned int i = 0; i < SERVERS; i++) {
		const struct node *node = &sim->node[i];
		const struct disk *disk = &node->disk;
		struct raft_status status = {0};

		for (size_t k = 0; k < disk->n; k++)
			if (disk->fact[k]->index > sim->members_index &&
			    lists(&disk->fact[k]->entry, id))
				return true;
		if (node->raft)
			raft_status(node->raft, &status);
		for (uint64_t k = sim->members_index + 1; k <= status.last; k++)
			if (lists(raft_entry(node->raft, k), id))
				return true;
	}
	return false;
}

/* Harm to a new leader, when some have heard of it and others have not: what it
 * leaves behind is what the rules of 5.4 are for. */
static void hunt(struct sim *sim, struct node *node)
{
	switch (rng_below(&sim->rng, 4)) {
	case 0:
		node_crash(sim, node, "as it leads");
		break;
	case 1:
		pause_node(sim, node);
		break;
	case 2:
		isolate(sim, node);
		break;
	default:
		heal_network(sim);
		partition(sim);
		break;
	}
}

/* A server that is no member, and knows it or never was: perhaps with an empty
 * folder from now on. */
static void prepare_to_join(struct sim *sim, struct node *node)
{
	const bool has_folder = node->disk.folder;

	if (!has_folder ||
	    (!is_member_to_anybody(sim, node->id) && sim_chance(sim, 5000))) {
		if (node->raft)
			node_crash(sim, node, "to be wiped");
		disk_wipe(sim, node);
		sim_trace(sim, "server %llu has an empty folder",
			  (unsigned long long)node->id);
	}
	node_start(sim, node);
}

static void change_members(struct sim *sim)
{
	struct node *leader = node_leader(sim);
	struct node *node = &sim->node[rng_below(&sim->rng, sim->n_first + 2)];
	struct raft_status status;
	uint64_t index, term;
	bool is_member;
	int error = 0;

	if (!leader)
		return;
	raft_status(leader->raft, &status);
	is_member = members_find(&status.members, node->id) >= 0;
	if (is_member && status.members.n <= 2)
		return;
	if (is_member) {
		error = raft_remove(leader->raft, node->id, &index, &term);
	} else {
		prepare_to_join(sim, node);
		error = raft_add(leader->raft, node->id, "address", &index,
				 &term);
	}
	if (error)
		return;
	sim->result->changes++;
	sim_trace(sim, "leader %llu %s server %llu",
		  (unsigned long long)leader->id,
		  is_member ? "removes" : "adds", (unsigned long long)node->id);
}

static void do_fault(struct sim *sim)
{
	switch (rng_below(&sim->rng, 10)) {
	case 0:
	case 1:
		heal_network(sim);
		break;
	case 2:
		partition(sim);
		break;
	case 3:
		isolate(sim, any_node(sim));
		break;
	case 4:
	case 5:
		node_crash(sim, any_node(sim), "at any time");
		break;
	case 6:
		pause_node(sim, any_node(sim));
		break;
	case 7:
		change_members(sim);
		break;
	default:
		node_start(sim, &sim->node[rng_below(&sim->rng, sim->n_first)]);
		break;
	}
}

/* The end of all faults: who has a folder is started. */
static void heal(struct sim *sim)
{
	sim->is_healed = true;
	sim->loss = 0;
	sim->doubling = 0;
	sim->crashing = 0;
	sim->hunting = 0;
	heal_network(sim);
	for (unsigned int i = 0; i < SERVERS; i++) {
		sim->node[i].paused_until = sim->now_ns;
		if (sim->node[i].disk.folder)
			node_start(sim, &sim->node[i]);
	}
}

/* ---- the course ---- */

static uint64_t up_to(struct sim *sim, uint64_t n)
{
	return rng_below(&sim->rng, n + 1);
}

static void choose(struct sim *sim)
{
	static const unsigned int servers[] = {3, 3, 5, 5, 7};

	sim->n_first = servers[rng_below(&sim->rng, 5)];
	sim->options = (struct raft_options){
		.election_ns = 100 * MS,
		.heartbeat_ns = 20 * MS,
		/* One entry a request, or one request at a time: much is half
		 * done then. */
		.window = sim_chance(sim, 3000)
				  ? 1
				  : 1 + (unsigned int)up_to(sim, 7),
		.append_bytes = sim_chance(sim, 3000) ? 0 : up_to(sim, 1000),
		.trailing = up_to(sim, 20),
	};
	sim->loss = sim_chance(sim, 3000) ? 0 : up_to(sim, 100);
	sim->doubling = up_to(sim, 50);
	sim->crashing = sim_chance(sim, 3000) ? 0 : up_to(sim, 20);
	sim->hunting = sim_chance(sim, 5000) ? 0 : up_to(sim, 10000);
	sim->delay_ns = 200 * US + sim_up_to(sim, 5 * MS);
	sim->sync_ns = 200 * US + sim_up_to(sim, 10 * MS);
	sim->fault_ns = 20 * MS + sim_up_to(sim, 200 * MS);
	sim->snapshot_every = 5 + up_to(sim, 100);
	if (sim_chance(sim, 3000)) { /* who was away needs a snapshot */
		sim->snapshot_every = 3 + up_to(sim, 10);
		sim->options.trailing = up_to(sim, 3);
	}
	sim->heal_ns = 500 * MS + sim_up_to(sim, 2500 * MS);
	sim->end_ns = sim->heal_ns + 10000 * MS;
}

static void begin(struct sim *sim)
{
	struct members members = {0};

	choose(sim);
	for (unsigned int i = 0; i < sim->n_first; i++)
		members_add(&members, i + 1, "address");
	sim->members = members;
	for (unsigned int i = 0; i < SERVERS; i++) {
		sim->node[i].id = i + 1;
		if (i >= sim->n_first)
			continue;
		sim->node[i].disk.first_members = members;
		sim->node[i].disk.folder = ++sim->folders;
		node_start(sim, &sim->node[i]);
	}
	for (unsigned int i = 0; i < CLIENTS; i++)
		event_add(sim, event_make(0, EVENT_CLIENT, i),
			  sim_up_to(sim, 300 * MS));
	event_add(sim, event_make(0, EVENT_FAULT, 0),
		  sim_up_to(sim, sim->fault_ns));
	event_add(sim, event_make(0, EVENT_HEAL, 0), sim->heal_ns);
}

/* Of a server's events those that are not lost with its process, and not
 * now. */
static bool is_put_off(struct sim *sim, struct event *event)
{
	struct node *node = &sim->node[event->who];

	if (sim->now_ns >= node->paused_until)
		return false;
	event_add(sim, event, node->paused_until - sim->now_ns);
	return true;
}

static void of_the_world(struct sim *sim, const struct event *event)
{
	switch (event->kind) {
	case EVENT_ANSWER:
		client_answered(sim, event);
		break;
	case EVENT_CLIENT:
		if (event->number == sim->client[event->who].attempt)
			client_begin(sim, event->who);
		break;
	case EVENT_FAULT:
		if (sim->is_healed)
			break;
		do_fault(sim);
		event_add(sim, event_make(0, EVENT_FAULT, 0),
			  sim_up_to(sim, sim->fault_ns));
		break;
	case EVENT_HUNT:
		if (!sim->is_healed)
			hunt(sim, &sim->node[event->who]);
		break;
	case EVENT_START:
		node_start(sim, &sim->node[event->who]);
		break;
	default:
		heal(sim);
		break;
	}
}

static void step(struct sim *sim, struct event *event)
{
	sim->now_ns = event->ns;
	sim->result->steps++;
	if (event->kind > EVENT_LAST_OF_SERVERS) {
		of_the_world(sim, event);
	} else if (!event->boot || event->boot == sim->node[event->who].boot) {
		if (is_put_off(sim, event))
			return;
		node_handle(sim, event);
	}
	free(event);
}

static void end(struct sim *sim)
{
	struct snapshot *snapshot;
	struct event *event;

	while ((event = event_take(sim)))
		free(event);
	free(sim->heap);
	for (unsigned int i = 0; i < SERVERS; i++) {
		raft_close(sim->node[i].raft);
		disk_free(&sim->node[i].disk);
		free(sim->node[i].calls);
		free(sim->node[i].proposals);
	}
	for (unsigned int i = 0; i < CLIENTS; i++)
		free(sim->executed[i]);
	for (unsigned int i = 0; i < 1024; i++)
		while (sim->facts[i]) {
			struct fact *fact = sim->facts[i];

			sim->facts[i] = fact->next;
			free(fact);
		}
	while ((snapshot = sim->snapshots)) {
		sim->snapshots = snapshot->next;
		free(snapshot);
	}
	free(sim->committed);
	free(sim->leader_of);
	free(sim);
}

static bool is_done(struct sim *sim)
{
	return sim->result->fault[0] ||
	       (sim_is_over(sim) && check_have_all_agreed(sim));
}

void sim_run(uint64_t seed, bool has_trace, struct sim_result *result)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct event *event;

	if (!sim)
		abort();
	*result = (struct sim_result){0};
	sim->seed = seed;
	sim->has_trace = has_trace;
	sim->result = result;
	rng_seed(&sim->rng, seed);
	begin(sim);
	while (!is_done(sim) && (event = event_take(sim))) {
		step(sim, event);
		if (sim->now_ns > sim->end_ns || result->steps > STEPS_MAX)
			sim_fail(sim, "no agreement, though all faults have "
				      "ended");
	}
	result->servers = sim->n_first;
	end(sim);
}
