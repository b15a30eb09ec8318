/* election.c - terms, votes and timeouts (paper, 5.2 and 5.4.1; thesis, 9.6 and
 * 6.2).
 *
 * A server that has heard no leader for a while first asks whether it would get
 * a majority (pre-vote, thesis, 9.6), and nobody's term changes; then it counts
 * its term up, votes for itself and asks for votes. So a server that was away
 * does not come back with a term that ends the leader's. */
#include "p18-rpc-kv/raft/election.h"

#include "p18-rpc-kv/raft/configure.h"
#include "p18-rpc-kv/raft/durable.h"
#include "p18-rpc-kv/raft/reads.h"
#include "p18-rpc-kv/raft/replication.h"

void election_wait(struct raft *raft)
{
	const int64_t least = raft->options.election_ns;

	/* Random, so that votes are seldom split (paper, 5.2). */
	raft->election_ns = raft->now_ns + least +
			    (int64_t)rng_below(&raft->rng, (uint64_t)least);
}

static void set_term(struct raft *raft, uint64_t term, uint64_t vote)
{
	raft->term = term;
	raft->vote = vote;
	durable_vote_changed(raft);
}

void election_follow(struct raft *raft, uint64_t term, uint64_t leader)
{
	const bool was_follower = raft->role == RAFT_FOLLOWER;

	if (term > raft->term)
		set_term(raft, term, 0);
	raft->role = RAFT_FOLLOWER;
	raft->leader = leader;
	raft->campaign_write = 0;
	if (leader)
		raft->heard_ns = raft->now_ns;
	if (leader || !was_follower)
		election_wait(raft);
	reads_fail(raft);
}

/* ---- campaigning ---- */

static bool has_granted(const struct raft *raft, unsigned int at)
{
	return raft->peer[at].has_granted;
}

static void grant_ourselves(struct raft *raft)
{
	struct peer *self = core_peer(raft, raft->options.id);

	if (self)
		self->has_granted = true;
}

static void ask_for_votes(struct raft *raft)
{
	struct raft_message message = durable_message(raft, RAFT_VOTE, 0);

	raft->campaign_token = raft->last_token + 1;
	message.term = raft->term + raft->is_pre;
	message.vote = (struct raft_vote){
		.last_index = core_last(raft),
		.last_term = core_last_term(raft),
		.is_pre = raft->is_pre,
	};
	for (unsigned int i = 0; i < raft->members.n; i++) {
		raft->peer[i].has_granted = false;
		message.to = raft->peer[i].id;
		/* A learner's vote would not be counted. */
		if (message.to == raft->options.id ||
		    raft->members.member[i].is_learner)
			continue;
		message.token = ++raft->last_token;
		durable_send(raft, &message, 0);
	}
}

static void campaign(struct raft *raft)
{
	raft->is_pre = false;
	raft->elections++;
	set_term(raft, raft->term + 1, raft->options.id);
	/* Our vote counts when it is durable, like any other's. */
	raft->campaign_write = raft->vote_write;
	ask_for_votes(raft);
	election_wait(raft);
}

static void campaign_if_welcome(struct raft *raft)
{
	/* Or try again when the time is over. */
	if (durable_reserve(raft, MEMBERS_MAX))
		return;
	raft->role = RAFT_CANDIDATE;
	raft->leader = 0;
	raft->is_pre = true;
	raft->campaign_write = 0;
	ask_for_votes(raft);
	election_wait(raft);
	grant_ourselves(raft);
	if (core_majority(raft, has_granted))
		campaign(raft);
}

static void count(struct raft *raft)
{
	if (!core_majority(raft, has_granted))
		return;
	if (!raft->is_pre)
		replication_begin(raft);
	else if (!durable_reserve(raft, MEMBERS_MAX))
		campaign(raft);
}

void election_vote_reply(struct raft *raft, const struct raft_message *reply)
{
	struct peer *peer = core_peer(raft, reply->from);

	/* Answers to an earlier campaign say nothing of this one. */
	if (raft->role != RAFT_CANDIDATE || !peer ||
	    reply->token < raft->campaign_token ||
	    !reply->vote_reply.is_granted ||
	    (!raft->is_pre && reply->term != raft->term))
		return;
	peer->has_granted = true;
	count(raft);
}

void election_persisted(struct raft *raft)
{
	if (!raft->campaign_write ||
	    raft->campaign_write > durable_number(raft))
		return;
	raft->campaign_write = 0;
	grant_ourselves(raft);
	count(raft);
}

/* ---- voting ---- */

/* A server that hears a leader keeps to it (thesis, 4.2.3 and 6.2): else one
 * who was removed, or hears less than we do, could end its term. A leader is
 * known to be one for as long, as it steps down when no majority answers. */
static bool has_leader(const struct raft *raft)
{
	if (raft->role == RAFT_LEADER)
		return true;
	return raft->leader &&
	       raft->now_ns - raft->heard_ns < raft->options.election_ns;
}

/* The candidate's log has all that ours has, if ours is committed (5.4.1). */
static bool is_up_to_date(const struct raft *raft, const struct raft_vote *vote)
{
	const uint64_t last_term = core_last_term(raft);

	return vote->last_term > last_term ||
	       (vote->last_term == last_term &&
		vote->last_index >= core_last(raft));
}

/* One vote a term (5.2), and none for a server that leads nobody yet knows
 * of. */
static bool may_vote(const struct raft *raft,
		     const struct raft_message *request)
{
	if (!configure_may_vote(raft) || !is_up_to_date(raft, &request->vote))
		return false;
	if (request->term > raft->term)
		return true;
	return request->term == raft->term &&
	       (raft->vote == request->from || (!raft->vote && !raft->leader));
}

void election_vote(struct raft *raft, const struct raft_message *request)
{
	struct raft_message reply;
	bool is_granted = false;

	if (!has_leader(raft)) {
		if (request->term > raft->term && !request->vote.is_pre)
			election_follow(raft, request->term, 0);
		is_granted = may_vote(raft, request);
	}
	if (is_granted && !request->vote.is_pre) {
		election_follow(raft, raft->term, 0);
		if (!raft->vote)
			set_term(raft, raft->term, request->from);
		election_wait(raft);
	}
	reply = durable_reply(raft, request);
	reply.vote_reply.is_granted = is_granted;
	durable_send(raft, &reply, 0);
}

/* ---- time ---- */

static bool has_answered(const struct raft *raft, unsigned int at)
{
	return core_is_self(raft, at) ||
	       raft->now_ns - raft->peer[at].heard_ns <=
		       raft->options.election_ns;
}

/* A leader that cannot reach a majority is none: it would take requests that it
 * cannot commit, and answer those who could elect another (thesis, 6.2). */
static void check_quorum(struct raft *raft)
{
	if (raft->now_ns < raft->quorum_ns)
		return;
	raft->quorum_ns = raft->now_ns + raft->options.election_ns;
	if (!core_majority(raft, has_answered))
		election_follow(raft, raft->term, 0);
}

static void end_of_patience(struct raft *raft)
{
	/* No term follows the last one, if a member has lied us there. */
	if (configure_may_lead(raft) && raft->term < RAFT_NUMBER_MAX)
		campaign_if_welcome(raft);
	else
		election_wait(raft);
}

void election_tick(struct raft *raft)
{
	if (raft->role == RAFT_LEADER)
		check_quorum(raft);
	else if (raft->now_ns >= raft->election_ns)
		end_of_patience(raft);
}
