/* The rules of the Raft paper and of its author's thesis, one by one: a core,
 * and a test that plays its disk, its clock and the other servers. */
#include "tests/p18/raft_fixture.h"

#include <errno.h>

/* ---- elections ---- */

static void a_server_that_hears_nobody_asks_before_it_campaigns(void **state)
{
	(void)state;
	open_log(&s, 3, 4, "114");
	wait_ns(&s, ELECTION - 1);
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	wait_ns(&s, ELECTION);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	assert_true(must_say(&s, RAFT_VOTE, 2)->vote.is_pre);
	assert_int_equal(must_say(&s, RAFT_VOTE, 3)->term, 5);
	assert_int_equal(must_say(&s, RAFT_VOTE, 3)->vote.last_index, 3);
	assert_int_equal(must_say(&s, RAFT_VOTE, 3)->vote.last_term, 4);
	/* Nothing has changed, however often it is told nothing. */
	wait_ns(&s, 2 * ELECTION);
	wait_ns(&s, 2 * ELECTION);
	assert_int_equal(s.status.term, 4);
	assert_null(s.output.write);
	grant(&s, 2);
	assert_int_equal(s.status.term, 5);
	assert_int_equal(s.output.write->term, 5);
	assert_int_equal(s.output.write->vote, 1);
	close_server(&s);
}

static void no_vote_is_told_before_it_is_durable(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	ask_vote(&s, 2, 3, 2, 1, false);
	assert_null(said(&s, RAFT_VOTE_REPLY, 2));
	assert_true(s.output.write->has_vote);
	assert_int_equal(s.output.write->term, 3);
	assert_int_equal(s.output.write->vote, 2);
	/* Not by an earlier write, either. */
	raft_persisted(s.raft, s.last_write - 1);
	step(&s);
	assert_null(said(&s, RAFT_VOTE_REPLY, 2));
	sync_all(&s);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	assert_int_equal(must_say(&s, RAFT_VOTE_REPLY, 2)->term, 3);
	close_server(&s);
}

static void one_vote_a_term_and_that_as_often_as_asked(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	ask_vote(&s, 2, 3, 2, 1, false);
	sync_all(&s);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	ask_vote(&s, 3, 3, 9, 2, false);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	ask_vote(&s, 2, 3, 2, 1, false);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	/* Of a term that is over none at all. */
	ask_vote(&s, 2, 2, 2, 1, false);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	close_server(&s);
}

static void a_vote_outlasts_a_start(void **state)
{
	struct raft_stored stored = {
		.term = 3, .vote = 2, .members = members_of(3)};

	(void)state;
	open_stored(&s, &stored);
	ask_vote(&s, 3, 3, 9, 2, false);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	close_server(&s);
}

static void no_vote_for_a_log_that_has_less(void **state)
{
	(void)state;
	open_log(&s, 3, 5, "1334");
	ask_vote(&s, 2, 6, 9, 3, false); /* longer, of an older term */
	sync_all(&s);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	ask_vote(&s, 2, 7, 3, 4, false); /* shorter */
	sync_all(&s);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	ask_vote(&s, 2, 8, 4, 4, false);
	sync_all(&s);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	close_server(&s);
}

static void to_say_that_it_would_vote_changes_nothing(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	ask_vote(&s, 2, 3, 2, 1, true);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	assert_int_equal(must_say(&s, RAFT_VOTE_REPLY, 2)->term, 1);
	assert_null(s.output.write);
	/* And binds nobody. */
	ask_vote(&s, 3, 3, 2, 1, true);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	ask_vote(&s, 3, 3, 1, 1, true);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	close_server(&s);
}

static void who_hears_a_leader_gives_no_vote(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "", 0);
	wait_ns(&s, ELECTION - 1);
	ask_vote(&s, 3, 2, 9, 1, true);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	ask_vote(&s, 3, 2, 9, 1, false);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	assert_int_equal(s.status.term, 1);
	assert_int_equal(s.status.leader, 2);
	wait_ns(&s, 1);
	ask_vote(&s, 3, 2, 9, 1, false);
	sync_all(&s);
	assert_true(must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted);
	close_server(&s);
}

static void a_candidate_asks_when_its_own_vote_is_durable(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	wait_ns(&s, 2 * ELECTION);
	grant(&s, 2);
	assert_null(said(&s, RAFT_VOTE, 2));
	assert_int_equal(s.output.write->term, 2);
	sync_all(&s);
	assert_false(must_say(&s, RAFT_VOTE, 2)->vote.is_pre);
	assert_int_equal(must_say(&s, RAFT_VOTE, 3)->term, 2);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	/* Another of its term takes nothing from it. */
	ask_vote(&s, 2, 2, 9, 1, false);
	assert_false(must_say(&s, RAFT_VOTE_REPLY, 2)->vote_reply.is_granted);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	grant(&s, 3);
	assert_int_equal(s.status.role, RAFT_LEADER);
	close_server(&s);
}

static void an_answer_to_an_earlier_campaign_is_no_vote(void **state)
{
	struct raft_message old;

	(void)state;
	open_log(&s, 3, 1, "11");
	wait_ns(&s, 2 * ELECTION);
	old = reply_of(&s, RAFT_VOTE, 3, 1);
	old.vote_reply.is_granted = true;
	grant(&s, 2);
	sync_all(&s);
	/* That it would have voted is not that it votes. */
	hear(&s, &old);
	old.term = s.status.term;
	hear(&s, &old);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	close_server(&s);
}

static void a_majority_of_five_is_three(void **state)
{
	(void)state;
	open_log(&s, 5, 1, "11");
	campaign(&s);
	grant(&s, 2);
	grant(&s, 2);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	grant(&s, 4);
	assert_int_equal(s.status.role, RAFT_LEADER);
	close_server(&s);
}

static void one_server_alone_elects_itself(void **state)
{
	(void)state;
	open_log(&s, 1, 1, "11");
	wait_ns(&s, 2 * ELECTION);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	sync_all(&s);
	assert_int_equal(s.status.role, RAFT_LEADER);
	assert_int_equal(s.status.commit, 0);
	sync_all(&s);
	assert_int_equal(s.status.commit, 3);
	assert_int_equal(s.output.n_apply, 3);
	close_server(&s);
}

static void a_greater_term_ends_what_one_is(void **state)
{
	struct raft_message reply;

	(void)state;
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	reply = reply_of(&s, RAFT_APPEND, 2, 9);
	hear(&s, &reply);
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	assert_int_equal(s.status.term, 9);
	assert_int_equal(s.status.leader, 0);
	assert_int_equal(s.output.write->term, 9);
	assert_int_equal(s.output.write->vote, 0);
	/* An old leader is told so. */
	sync_all(&s);
	append(&s, 2, 2, 2, 1, "", 0);
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 2)->term, 9);
	assert_false(
		must_say(&s, RAFT_APPEND_REPLY, 2)->append_reply.is_matching);
	/* It learns no round from us: it may lead again, and count anew. */
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 2)->append_reply.round,
			 0);
	close_server(&s);
}

static void a_leader_whom_no_majority_answers_steps_down(void **state)
{
	(void)state;
	open_log(&s, 5, 1, "11");
	become_leader(&s);
	wait_ns(&s, ELECTION / 2);
	acknowledge(&s, 2, 3);
	acknowledge(&s, 3, 3);
	wait_ns(&s, ELECTION / 2);
	assert_int_equal(s.status.role, RAFT_LEADER);
	acknowledge(&s, 2, 3);
	wait_ns(&s, ELECTION);
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	assert_int_equal(s.status.leader, 0);
	close_server(&s);
}

/* ---- a leader's log ---- */

static void a_leader_begins_with_an_entry_that_says_nothing(void **state)
{
	const struct raft_message *message;

	(void)state;
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	assert_int_equal(raft_entry(s.raft, 3)->kind, RAFT_NOTHING);
	assert_int_equal(term_at(&s, 3), 2);
	message = must_say(&s, RAFT_APPEND, 2);
	assert_int_equal(message->append.previous_index, 2);
	assert_int_equal(message->append.previous_term, 1);
	assert_int_equal(message->append.n, 1);
	close_server(&s);
}

/* Figure 8 of the paper, which is why 5.4.2 is there. Five servers; this one is
 * S1. In term 2 it gave its entry of index 2 to S2 alone. (c) It leads term 4,
 * and gives that entry to S3, too: a majority has it, and it is not committed,
 * for S5 with its entry of term 3 could still be elected, by S2, S3 and S4, and
 * replace it. (e) Only with an entry of term 4 above it with a majority it
 * is. */
static void figure_8_an_old_term_is_not_committed_by_counting(void **state)
{
	(void)state;
	open_log(&s, 5, 3, "12");
	become_leader(&s);
	assert_int_equal(s.status.term, 4);
	sync_all(&s);
	acknowledge(&s, 2, 2);
	acknowledge(&s, 3, 2);
	assert_int_equal(s.status.commit, 0);
	assert_int_equal(s.output.n_apply, 0);
	/* (d) S5 is elected: what was with a majority is replaced. */
	append(&s, 5, 5, 1, 1, "3", 0);
	sync_all(&s);
	assert_int_equal(term_at(&s, 2), 3);
	assert_int_equal(s.status.last, 2);
	close_server(&s);

	/* (e) */
	open_log(&s, 5, 3, "12");
	become_leader(&s);
	sync_all(&s);
	acknowledge(&s, 2, 3);
	assert_int_equal(s.status.commit, 0);
	acknowledge(&s, 3, 3);
	assert_int_equal(s.status.commit, 3);
	assert_int_equal(s.output.n_apply, 3);
	close_server(&s);
}

static void a_leader_counts_itself_when_it_is_durable(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	/* It has sent the entry before, and one other has it. */
	acknowledge(&s, 2, 3);
	assert_int_equal(s.status.commit, 0);
	sync_all(&s);
	assert_int_equal(s.status.commit, 3);
	close_server(&s);

	open_log(&s, 3, 1, "11");
	become_leader(&s);
	acknowledge(&s, 2, 3);
	acknowledge(&s, 3, 3);
	/* Two others are a majority without it. */
	assert_int_equal(s.status.commit, 3);
	close_server(&s);
}

static void what_is_proposed_together_is_sent_together(void **state)
{
	uint64_t index, term;

	(void)state;
	lead(3);
	propose("a", 4);
	propose("b", 5);
	propose("c", 6);
	step(&s);
	assert_int_equal(s.output.write->first, 4);
	assert_int_equal(s.output.write->n, 3);
	assert_int_equal(s.n[RAFT_APPEND][2], 1);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 3);
	assert_memory_equal(s.output.write->entries[1].command, "b", 1);
	/* By limits of bytes. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(raft_propose(s.raft, (char[600]){0}, 600,
					      &index, &term),
				 0);
	step(&s);
	assert_int_equal(s.n[RAFT_APPEND][2], 3);
	assert_int_equal(
		raft_propose(s.raft, "", RAFT_COMMAND_MAX + 1, &index, &term),
		-EMSGSIZE);
	close_server(&s);
}

static void a_window_of_requests_is_in_flight(void **state)
{
	(void)state;
	lead(3);
	for (uint64_t i = 4; i < 20; i++) {
		propose("x", i);
		step(&s);
		assert_int_equal(s.n[RAFT_APPEND][2], i < 8);
	}
	close_server(&s);
}

static void what_was_lost_is_sent_again_from_what_is_known(void **state)
{
	(void)state;
	lead(3);
	propose("a", 4);
	step(&s);
	propose("b", 5);
	step(&s);
	raft_lost(s.raft, 2, s.last[RAFT_APPEND][2].token - 2);
	step(&s);
	/* Nothing but a heartbeat, until it speaks. */
	assert_null(said(&s, RAFT_APPEND, 2));
	wait_ns(&s, HEARTBEAT);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 0);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.previous_index,
			 3);
	acknowledge(&s, 2, 3);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.previous_index,
			 3);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 2);
	close_server(&s);
}

/* It goes another way than entries (peer.h). */
static void a_heartbeat_builds_on_what_is_known_for_an_election_timeout(
	void **state)
{
	(void)state;
	lead(3);
	propose("a", 4);
	step(&s);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 1);
	wait_ns(&s, HEARTBEAT);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 0);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.previous_index,
			 3);
	/* It was lost, if nothing came back by then, and nobody has told. */
	acknowledge(&s, 3, 4);
	wait_ns(&s, ELECTION - HEARTBEAT);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.n, 0);
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.previous_index,
			 4);
	close_server(&s);
}

static void the_place_where_logs_part_is_found_by_terms(void **state)
{
	const struct raft_append *probe = &s.last[RAFT_APPEND][2].append;

	(void)state;
	/* 5.3: a follower (f) of Figure 7: one request for each term. */
	open_log(&s, 3, 7, "1114455666");
	become_leader(&s);
	assert_int_equal(probe->previous_index, 10);
	refuse(&s, 2, 7, 3); /* it has term 3 at 10, and from 7 on */
	assert_int_equal(probe->previous_index, 6);
	refuse(&s, 2, 4, 2); /* and term 2 at 6, from 4 on */
	assert_int_equal(probe->previous_index, 3);
	assert_int_equal(probe->previous_term, 1);
	acknowledge(&s, 2, 3);
	assert_int_equal(probe->n, 8);
	/* A log that is too short says where it ends. */
	refuse(&s, 3, 2, 0);
	assert_int_equal(s.last[RAFT_APPEND][3].append.previous_index, 2);
	close_server(&s);
}

static void a_term_that_both_have_is_not_gone_through(void **state)
{
	(void)state;
	open_log(&s, 3, 7, "1114466");
	become_leader(&s);
	refuse(&s, 2, 4, 4); /* it has term 4 at 7, from 4 on */
	assert_int_equal(s.last[RAFT_APPEND][2].append.previous_index, 5);
	assert_int_equal(s.last[RAFT_APPEND][2].append.previous_term, 4);
	close_server(&s);
}

static void an_old_refusal_is_no_news(void **state)
{
	struct raft_message old;

	(void)state;
	lead(3);
	propose("a", 4);
	step(&s);
	old = reply_of(&s, RAFT_APPEND, 2, 2);
	old.append_reply.index = 1;
	acknowledge(&s, 2, 4);
	propose("b", 5);
	step(&s);
	hear(&s, &old);
	hear(&s, &old);
	assert_int_equal(s.status.progress[1].match, 4);
	wait_ns(&s, HEARTBEAT);
	assert_true(must_say(&s, RAFT_APPEND, 2)->append.previous_index >= 4);
	close_server(&s);
}

static void answers_to_an_earlier_leadership_are_passed_over(void **state)
{
	struct raft_message old;

	(void)state;
	lead(3);
	old = reply_of(&s, RAFT_APPEND, 2, 2);
	old.append_reply.is_matching = true;
	old.append_reply.index = 3;
	wait_ns(&s, 2 * ELECTION);
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	become_leader(&s);
	old.term = s.status.term;
	hear(&s, &old);
	assert_int_equal(s.status.progress[1].match, 0);
	close_server(&s);
}

/* ---- a follower's log ---- */

static void no_entry_is_acknowledged_before_it_is_durable(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "11", 0);
	assert_int_equal(s.output.write->first, 3);
	assert_int_equal(s.output.write->n, 2);
	assert_null(said(&s, RAFT_APPEND_REPLY, 2));
	/* The same again, while the disk is busy. */
	append(&s, 2, 1, 2, 1, "11", 0);
	assert_null(s.output.write);
	assert_null(said(&s, RAFT_APPEND_REPLY, 2));
	sync_all(&s);
	assert_int_equal(s.n[RAFT_APPEND_REPLY][2], 2);
	assert_true(
		must_say(&s, RAFT_APPEND_REPLY, 2)->append_reply.is_matching);
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 2)->append_reply.index,
			 4);
	close_server(&s);
}

static void a_heartbeat_is_answered_whatever_the_disk_does(void **state)
{
	const struct raft_append_reply *reply =
		&s.last[RAFT_APPEND_REPLY][2].append_reply;

	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "11", 0);
	append(&s, 2, 1, 4, 1, "", 0);
	assert_non_null(said(&s, RAFT_APPEND_REPLY, 2));
	assert_true(reply->is_matching);
	assert_int_equal(reply->round, 7);
	assert_int_equal(reply->index, 2); /* and claims no more than it has */
	close_server(&s);
}

static void a_stale_request_does_not_shorten_the_log(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "111", 0);
	sync_all(&s);
	/* The first request again, with less, and one without anything. */
	append(&s, 2, 1, 2, 1, "1", 0);
	append(&s, 2, 1, 1, 1, "1", 0);
	append(&s, 2, 1, 2, 1, "", 0);
	assert_int_equal(s.status.last, 5);
	assert_null(s.output.write);
	close_server(&s);
}

static void a_suffix_that_matches_is_not_replaced(void **state)
{
	(void)state;
	open_log(&s, 3, 2, "1122");
	append(&s, 2, 2, 2, 1, "222", 0);
	/* Written is what was not there. */
	assert_int_equal(s.output.write->first, 5);
	assert_int_equal(s.output.write->n, 1);
	assert_memory_equal(raft_entry(s.raft, 4)->command, "x", 1);
	close_server(&s);
}

static void entries_that_contradict_are_replaced(void **state)
{
	(void)state;
	open_log(&s, 3, 3, "11233");
	append(&s, 2, 4, 3, 2, "4", 0);
	assert_int_equal(s.output.write->first, 4);
	assert_int_equal(s.output.write->n, 1);
	assert_int_equal(s.status.last, 4);
	assert_int_equal(term_at(&s, 4), 4);
	close_server(&s);
}

static void a_log_without_the_previous_entry_says_where_to_look(void **state)
{
	const struct raft_append_reply *reply =
		&s.last[RAFT_APPEND_REPLY][2].append_reply;

	(void)state;
	open_log(&s, 3, 3, "11222");
	append(&s, 2, 4, 9, 3, "4", 9);
	sync_all(&s);
	assert_false(reply->is_matching);
	assert_int_equal(reply->index, 5);
	assert_int_equal(reply->conflict_term, 0);
	append(&s, 2, 4, 5, 3, "4", 9);
	assert_false(reply->is_matching);
	assert_int_equal(reply->index, 3);
	assert_int_equal(reply->conflict_term, 2);
	/* Nothing was learnt from either. */
	assert_int_equal(s.status.last, 5);
	assert_int_equal(s.status.commit, 0);
	close_server(&s);
}

static void nothing_is_committed_beyond_what_the_leader_has_told(void **state)
{
	(void)state;
	open_log(&s, 3, 2, "1122");
	/* Ours of term 2 may be another's: the leader has told of 2 only. */
	append(&s, 2, 3, 2, 1, "", 9);
	assert_int_equal(s.status.commit, 2);
	assert_int_equal(s.output.n_apply, 2);
	append(&s, 2, 3, 2, 1, "3", 9);
	assert_int_equal(s.status.commit, 3);
	close_server(&s);
}

static void an_acknowledgement_waits_through_another_term(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "11", 0);
	/* Another leader replaces what is being written. */
	append(&s, 3, 2, 2, 1, "2", 0);
	sync_all(&s);
	/* It is of the term in which it was given, for who asked then. */
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 2)->term, 1);
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 3)->term, 2);
	assert_int_equal(must_say(&s, RAFT_APPEND_REPLY, 3)->append_reply.index,
			 3);
	assert_int_equal(s.status.durable, 3);
	close_server(&s);
}

static void a_write_that_was_replaced_makes_nothing_durable(void **state)
{
	uint64_t first;

	(void)state;
	open_log(&s, 3, 1, "11");
	append(&s, 2, 1, 2, 1, "111", 0);
	first = s.last_write;
	append(&s, 3, 2, 3, 1, "2", 0);
	raft_persisted(s.raft, first);
	step(&s);
	assert_int_equal(s.status.durable, 3);
	assert_null(said(&s, RAFT_APPEND_REPLY, 3));
	sync_all(&s);
	assert_int_equal(s.status.durable, 4);
	close_server(&s);
}

/* ---- reads ---- */

static void no_read_before_an_entry_of_the_term_is_committed(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	assert_int_equal(raft_read(s.raft, 18), 0);
	step(&s);
	wait_ns(&s, HEARTBEAT);
	/* Both others answer, of the round that there is. */
	acknowledge(&s, 2, 2);
	acknowledge(&s, 3, 2);
	assert_int_equal(s.output.n_reads, 0);
	wait_ns(&s, HEARTBEAT);
	acknowledge(&s, 2, 2);
	acknowledge(&s, 3, 2);
	assert_int_equal(s.output.n_reads, 0);
	acknowledge(&s, 2, 3);
	sync_all(&s);
	assert_int_equal(s.status.commit, 3);
	acknowledge(&s, 2, 3);
	assert_int_equal(s.output.n_reads, 1);
	assert_int_equal(s.output.reads[0].id, 18);
	assert_true(s.output.reads[0].is_confirmed);
	assert_int_equal(s.output.reads[0].index, 3);
	close_server(&s);
}

static void a_round_that_began_before_confirms_no_read(void **state)
{
	struct raft_message old;

	(void)state;
	lead(3);
	wait_ns(&s, HEARTBEAT);
	old = reply_of(&s, RAFT_APPEND, 2, 2);
	old.append_reply.is_matching = true;
	old.append_reply.index = 3;
	old.append_reply.round = s.last[RAFT_APPEND][2].append.round;
	assert_int_equal(raft_read(s.raft, 1), 0);
	step(&s);
	hear(&s, &old);
	assert_int_equal(s.output.n_reads, 0);
	/* It has begun the next. */
	assert_int_equal(must_say(&s, RAFT_APPEND, 2)->append.round,
			 old.append_reply.round + 1);
	acknowledge(&s, 3, 3);
	assert_int_equal(s.output.n_reads, 1);
	close_server(&s);
}

static void reads_share_a_round(void **state)
{
	(void)state;
	lead(5);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(raft_read(s.raft, i), 0);
	step(&s);
	assert_int_equal(s.n[RAFT_APPEND][2], 1);
	acknowledge(&s, 2, 3);
	assert_int_equal(s.output.n_reads, 0);
	acknowledge(&s, 2, 3);
	assert_int_equal(s.output.n_reads, 0);
	acknowledge(&s, 3, 3);
	assert_int_equal(s.output.n_reads, 10);
	close_server(&s);
}

static void a_read_has_what_was_committed_when_it_came(void **state)
{
	(void)state;
	lead(3);
	propose("a", 4);
	step(&s);
	sync_all(&s);
	acknowledge(&s, 2, 4);
	assert_int_equal(s.status.commit, 4);
	assert_int_equal(raft_read(s.raft, 1), 0);
	step(&s);
	acknowledge(&s, 2, 4);
	assert_int_equal(s.output.n_reads, 1);
	assert_int_equal(s.output.reads[0].index, 4);
	assert_int_equal(s.status.confirmed_index, 4);
	close_server(&s);
}

static void reads_fail_when_leadership_ends(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(raft_read(s.raft, 1), 0);
	append(&s, 2, 3, 3, 2, "", 0);
	assert_int_equal(s.output.n_reads, 1);
	assert_false(s.output.reads[0].is_confirmed);
	assert_int_equal(raft_read(s.raft, 2), -EREMOTE);
	close_server(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_server_that_hears_nobody_asks_before_it_campaigns),
		cmocka_unit_test(no_vote_is_told_before_it_is_durable),
		cmocka_unit_test(one_vote_a_term_and_that_as_often_as_asked),
		cmocka_unit_test(a_vote_outlasts_a_start),
		cmocka_unit_test(no_vote_for_a_log_that_has_less),
		cmocka_unit_test(to_say_that_it_would_vote_changes_nothing),
		cmocka_unit_test(who_hears_a_leader_gives_no_vote),
		cmocka_unit_test(a_candidate_asks_when_its_own_vote_is_durable),
		cmocka_unit_test(an_answer_to_an_earlier_campaign_is_no_vote),
		cmocka_unit_test(a_majority_of_five_is_three),
		cmocka_unit_test(one_server_alone_elects_itself),
		cmocka_unit_test(a_greater_term_ends_what_one_is),
		cmocka_unit_test(a_leader_whom_no_majority_answers_steps_down),
		cmocka_unit_test(
			a_leader_begins_with_an_entry_that_says_nothing),
		cmocka_unit_test(
			figure_8_an_old_term_is_not_committed_by_counting),
		cmocka_unit_test(a_leader_counts_itself_when_it_is_durable),
		cmocka_unit_test(what_is_proposed_together_is_sent_together),
		cmocka_unit_test(a_window_of_requests_is_in_flight),
		cmocka_unit_test(
			what_was_lost_is_sent_again_from_what_is_known),
		cmocka_unit_test(
			a_heartbeat_builds_on_what_is_known_for_an_election_timeout),
		cmocka_unit_test(the_place_where_logs_part_is_found_by_terms),
		cmocka_unit_test(a_term_that_both_have_is_not_gone_through),
		cmocka_unit_test(an_old_refusal_is_no_news),
		cmocka_unit_test(
			answers_to_an_earlier_leadership_are_passed_over),
		cmocka_unit_test(no_entry_is_acknowledged_before_it_is_durable),
		cmocka_unit_test(
			a_heartbeat_is_answered_whatever_the_disk_does),
		cmocka_unit_test(a_stale_request_does_not_shorten_the_log),
		cmocka_unit_test(a_suffix_that_matches_is_not_replaced),
		cmocka_unit_test(entries_that_contradict_are_replaced),
		cmocka_unit_test(
			a_log_without_the_previous_entry_says_where_to_look),
		cmocka_unit_test(
			nothing_is_committed_beyond_what_the_leader_has_told),
		cmocka_unit_test(an_acknowledgement_waits_through_another_term),
		cmocka_unit_test(
			a_write_that_was_replaced_makes_nothing_durable),
		cmocka_unit_test(
			no_read_before_an_entry_of_the_term_is_committed),
		cmocka_unit_test(a_round_that_began_before_confirms_no_read),
		cmocka_unit_test(reads_share_a_round),
		cmocka_unit_test(a_read_has_what_was_committed_when_it_came),
		cmocka_unit_test(reads_fail_when_leadership_ends),
	};

	return SUPPORT_MAIN(tests);
}
