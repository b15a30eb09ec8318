/* sim_check.c - what must be true: the properties of Figure 3 of the Raft
 * paper, and what durable means, seen from outside. */
#include "tests/p18/raft_fault.h"
#include "tests/p18/sim_world.h"

/* ---- elections ---- */

/* "At most one leader can be elected in a given term" (Election Safety): a
 * server that was started anew counts as another. */
static void check_one_leader(struct sim *sim, const struct node *node,
			     uint64_t term)
{
	const uint64_t who = node->boot * (SERVERS + 1) + node->id;

	sim->leader_of = sim_grow(sim->leader_of, &sim->leader_room, term + 1,
				  sizeof(*sim->leader_of));
	if (sim->leader_of[term] && sim->leader_of[term] != who)
		sim_fail(sim,
			 "election safety: term %llu has two leaders, "
			 "%llu and %llu",
			 (unsigned long long)term,
			 (unsigned long long)(sim->leader_of[term] %
					      (SERVERS + 1)),
			 (unsigned long long)node->id);
	sim->leader_of[term] = who;
}

/* "If a log entry is committed in a given term, then that entry will be present
 * in the logs of the leaders for all higher-numbered terms" (Leader
 * Completeness). */
static void check_completeness(struct sim *sim, const struct node *node,
			       const struct raft_status *status)
{
	for (uint64_t i = 1; i < sim->n_committed; i++) {
		const struct raft_entry *entry = raft_entry(node->raft, i);

		if (!sim->committed[i].fact ||
		    sim->committed[i].term > status->term)
			continue;
		if (i <= status->snapshot && !entry)
			continue;
		if (!entry ||
		    entry->term != sim->committed[i].fact->entry.term) {
			sim_fail(sim,
				 "leader completeness: leader %llu of "
				 "term %llu lacks entry %llu",
				 (unsigned long long)node->id,
				 (unsigned long long)status->term,
				 (unsigned long long)i);
			return;
		}
	}
}

/* ---- what is committed ---- */

static bool is_with_majority(const struct sim *sim, uint64_t index,
			     uint64_t term, const struct members *members)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < members->n; i++)
		n += !members->member[i].is_learner &&
		     disk_has(&sim->node[members->member[i].id - 1].disk, index,
			      term);
	return n >= members_majority(members);
}

/* Before anybody may act upon an entry a majority has it, and durable: of the
 * members as its leader has them, in this moment or when it was written. */
static void check_majority(struct sim *sim, const struct node *node,
			   const struct raft_status *status)
{
	const uint64_t commit = status->commit;
	const struct raft_entry *entry = raft_entry(node->raft, commit);
	struct members members;

	if (status->term != node->led_term || commit <= sim->commit)
		return;
	sim->commit = commit;
	for (uint64_t index = status->last; entry && index >= commit; index--) {
		raft_members(node->raft, index, &members);
		if (is_with_majority(sim, commit, entry->term, &members))
			return;
	}
	sim_fail(sim,
		 "entry %llu is committed, and not on the disks of a "
		 "majority",
		 (unsigned long long)commit);
}

void check_step(struct sim *sim, struct node *node)
{
	const char *fault = raft_fault(node->raft);
	struct raft_status status;

	if (fault)
		sim_fail(sim, "server %llu: %s", (unsigned long long)node->id,
			 fault);
	raft_status(node->raft, &status);
	check_majority(sim, node, &status);
	if (status.role != RAFT_LEADER || status.term == node->led_term)
		return;
	node->led_term = status.term;
	sim->result->leaders++;
	sim_trace(sim, "server %llu leads term %llu",
		  (unsigned long long)node->id,
		  (unsigned long long)status.term);
	check_one_leader(sim, node, status.term);
	check_completeness(sim, node, &status);
	if (sim_chance(sim, sim->hunting))
		event_add(sim,
			  event_make(0, EVENT_HUNT, (unsigned int)node->id - 1),
			  sim_up_to(sim, 3 * sim->delay_ns + sim->sync_ns));
}

/* ---- what leaves a server ---- */

static void check_vote(struct sim *sim, struct node *node,
		       const struct raft_message *message)
{
	struct disk *disk = &node->disk;
	const uint64_t term = message->term;

	if (disk->term < term ||
	    (disk->term == term && disk->vote != message->to))
		sim_fail(sim,
			 "server %llu tells a vote for %llu in term %llu "
			 "that is not durable",
			 (unsigned long long)node->id,
			 (unsigned long long)message->to,
			 (unsigned long long)term);
	disk->told = sim_grow(disk->told, &disk->told_room, term + 1,
			      sizeof(*disk->told));
	if (disk->told[term] && disk->told[term] != message->to)
		sim_fail(sim, "server %llu has voted twice in term %llu",
			 (unsigned long long)node->id,
			 (unsigned long long)term);
	disk->told[term] = message->to;
}

/* A granted answer to "would you?" is no vote; it is one if the candidate has
 * asked for one. */
static bool is_vote(const struct sim *sim, const struct node *node,
		    const struct raft_message *message)
{
	(void)sim;
	for (size_t i = 0; i < node->n_calls; i++)
		if (node->calls[i].token == message->token)
			return !node->calls[i].is_pre &&
			       message->vote_reply.is_granted;
	return false;
}

void check_message_out(struct sim *sim, struct node *node,
		       const struct raft_message *message)
{
	const bool is_pre = message->kind == RAFT_VOTE && message->vote.is_pre;

	/* "Updated on stable storage before responding to RPCs" (Figure 2). */
	if (node->disk.term + is_pre < message->term)
		sim_fail(sim,
			 "server %llu speaks of term %llu, which is not "
			 "durable",
			 (unsigned long long)node->id,
			 (unsigned long long)message->term);
	if (message->kind == RAFT_VOTE_REPLY && is_vote(sim, node, message))
		check_vote(sim, node, message);
}

/* ---- what is applied ---- */

static void check_once(struct sim *sim, const struct fact *fact)
{
	const struct command *command = fact->entry.command;
	const uint64_t sequence = command->sequence;
	uint64_t **executed = &sim->executed[command->client];

	*executed = sim_grow(*executed, &sim->executed_room[command->client],
			     sequence + 1, sizeof(**executed));
	if ((*executed)[sequence] && (*executed)[sequence] != fact->index)
		sim_fail(sim,
			 "a request is executed twice, by entries %llu "
			 "and %llu",
			 (unsigned long long)(*executed)[sequence],
			 (unsigned long long)fact->index);
	(*executed)[sequence] = fact->index;
}

/* "No other server will ever apply a different log entry for the same index"
 * (State Machine Safety), and from the same entries follows the same state. */
void check_applied(struct sim *sim, struct node *node, struct fact *fact,
		   bool is_executed, const struct outcome *outcome)
{
	const uint64_t index = fact->index;
	const uint64_t hash =
		state_hash(&node->state, sizeof(node->state), index);
	struct committed *committed;
	struct raft_status status;

	sim->committed = sim_grow(sim->committed, &sim->committed_room,
				  index + 1, sizeof(*sim->committed));
	committed = &sim->committed[index];
	if (is_executed)
		check_once(sim, fact);
	if (!committed->fact) {
		if (index > sim->commit)
			sim_fail(sim,
				 "entry %llu is applied, and no leader "
				 "has committed it",
				 (unsigned long long)index);
		raft_status(node->raft, &status);
		committed->term = status.term;
		committed->fact = fact;
		committed->hash = hash;
		committed->outcome = *outcome;
		if (fact->entry.len && fact->entry.kind == RAFT_CHANGE)
			committed->key =
				((const struct command *)fact->entry.command)
					->key;
		if (fact->entry.kind == RAFT_MEMBERS) {
			members_decode(fact->entry.command, fact->entry.len,
				       &sim->members);
			sim->members_index = index;
		}
		if (sim->n_committed <= index)
			sim->n_committed = index + 1;
		sim->result->committed = index;
		return;
	}
	if (committed->fact != fact)
		sim_fail(sim,
			 "state machine safety: entry %llu is of term "
			 "%llu here, and of term %llu elsewhere",
			 (unsigned long long)index,
			 (unsigned long long)fact->entry.term,
			 (unsigned long long)committed->fact->entry.term);
	else if (committed->hash != hash)
		sim_fail(sim, "another state after entry %llu",
			 (unsigned long long)index);
}

void check_snapshot(struct sim *sim, const struct snapshot *snapshot)
{
	if (snapshot->index >= sim->n_committed ||
	    sim->committed[snapshot->index].hash !=
		    state_hash(&snapshot->state, sizeof(snapshot->state),
			       snapshot->index))
		sim_fail(sim, "the snapshot up to %llu is another state",
			 (unsigned long long)snapshot->index);
}

/* ---- the end ---- */

/* All members are there, have applied all that there is, and know no leader but
 * one; and no client waits. */
bool check_have_all_agreed(struct sim *sim)
{
	const struct node *leader = node_leader(sim);
	struct raft_status status, other;

	if (!leader)
		return false;
	raft_status(leader->raft, &status);
	if (status.applied != status.last || status.commit != status.last)
		return false;
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (sim->client[i].is_waiting)
			return false;
	for (unsigned int i = 0; i < status.members.n; i++) {
		const struct node *node =
			&sim->node[status.members.member[i].id - 1];

		if (!node->raft)
			return false;
		raft_status(node->raft, &other);
		if (other.leader != leader->id || other.term != status.term ||
		    other.applied != status.last ||
		    other.durable != status.last)
			return false;
	}
	return true;
}
