/* Members: who counts, and how that changes (chapter 4 of the Raft thesis); and
 * lists of them as bytes. */
#include "tests/p18/raft_fixture.h"

#include <errno.h>

static int add(uint64_t id)
{
	uint64_t index, term;
	const int error = raft_add(s.raft, id, "address", &index, &term);

	step(&s);
	return error;
}

static int take_away(uint64_t id)
{
	uint64_t index, term;
	const int error = raft_remove(s.raft, id, &index, &term);

	step(&s);
	return error;
}

static bool is_learner(uint64_t id)
{
	const int at = members_find(&s.status.members, id);

	assert_true(at >= 0);
	return s.status.members.member[at].is_learner;
}

/* ---- changing ---- */

static void a_new_member_learns_before_it_counts(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(add(4), 0);
	assert_int_equal(s.status.last, 4);
	assert_true(is_learner(4));
	/* It is sent the log at once, and no majority waits for it: 2 of 3. */
	assert_non_null(said(&s, RAFT_APPEND, 4));
	sync_all(&s);
	acknowledge(&s, 4, 4);
	assert_int_equal(s.status.commit, 3);
	acknowledge(&s, 2, 4);
	assert_int_equal(s.status.commit, 4);
	/* It has all: it becomes a voter, by an entry. */
	acknowledge(&s, 4, 4);
	assert_int_equal(s.status.last, 5);
	assert_false(is_learner(4));
	sync_all(&s);
	acknowledge(&s, 2, 5);
	assert_int_equal(s.status.commit, 4); /* 3 of 4 now */
	acknowledge(&s, 4, 5);
	assert_int_equal(s.status.commit, 5);
	close_server(&s);
}

static void a_learner_that_lacks_the_entry_that_names_it_is_not_promoted(
	void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(add(4), 0);
	sync_all(&s);
	acknowledge(&s, 2, 4);
	acknowledge(&s, 4, 3);
	assert_true(is_learner(4));
	/* Nor one that is far behind. */
	for (uint64_t i = 5; i < 50; i++)
		propose("x", i);
	step(&s);
	sync_all(&s);
	acknowledge(&s, 2, 49);
	acknowledge(&s, 4, 10);
	assert_true(is_learner(4));
	acknowledge(&s, 4, 48);
	assert_false(is_learner(4));
	close_server(&s);
}

/* It was removed, lost its folder, and was added again; what it had
 * acknowledged before comes late. */
static void an_answer_from_before_it_was_added_is_of_another_log(void **state)
{
	struct raft_message old;

	(void)state;
	lead(3);
	wait_ns(&s, HEARTBEAT);
	old = reply_of(&s, RAFT_APPEND, 3, 2);
	old.append_reply.is_matching = true;
	old.append_reply.index = 3;
	assert_int_equal(take_away(3), 0);
	sync_all(&s);
	acknowledge(&s, 2, 4);
	assert_int_equal(add(3), 0);
	hear(&s, &old);
	assert_int_equal(s.status.progress[2].match, 0);
	close_server(&s);
	/* Though it was to the last request of all. */
	lead(2);
	wait_ns(&s, HEARTBEAT);
	old = reply_of(&s, RAFT_APPEND, 2, 2);
	old.append_reply.is_matching = true;
	old.append_reply.index = 3;
	assert_int_equal(take_away(2), 0);
	sync_all(&s);
	assert_int_equal(add(2), 0);
	hear(&s, &old);
	assert_int_equal(s.status.progress[1].match, 0);
	close_server(&s);
}

static void one_change_at_a_time(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(take_away(3), 0);
	assert_int_equal(add(4), -EBUSY);
	assert_int_equal(take_away(2), -EBUSY);
	sync_all(&s);
	acknowledge(&s, 2, 4);
	assert_int_equal(take_away(7), -ENOENT);
	assert_int_equal(add(2), -EEXIST);
	assert_int_equal(add(0), -EINVAL);
	assert_int_equal(add(4), 0);
	close_server(&s);
}

/* Ongaro's correction of 2015: two leaders could each have begun, in turn, from
 * a list that the other does not know. */
static void no_change_before_an_entry_of_the_term_is_committed(void **state)
{
	(void)state;
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	assert_int_equal(add(4), -EBUSY);
	sync_all(&s);
	assert_int_equal(add(4), -EBUSY);
	acknowledge(&s, 2, 3);
	assert_int_equal(add(4), 0);
	close_server(&s);
}

static void a_list_counts_when_it_is_in_the_log(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(take_away(3), 0);
	assert_int_equal(s.status.members.n, 2);
	/* Of the two that are left both must have it. */
	sync_all(&s);
	assert_int_equal(s.status.commit, 3);
	acknowledge(&s, 2, 4);
	assert_int_equal(s.status.commit, 4);
	close_server(&s);
}

static void a_list_that_is_replaced_counts_no_more(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(take_away(3), 0);
	assert_int_equal(s.status.members.n, 2);
	append(&s, 2, 3, 3, 2, "3", 3);
	assert_int_equal(s.status.last, 4);
	assert_int_equal(s.status.members.n, 3);
	close_server(&s);
}

static void a_leader_that_is_removed_leads_until_that_is_committed(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(take_away(1), 0);
	assert_int_equal(s.status.role, RAFT_LEADER);
	sync_all(&s);
	/* It does not count itself: both others must have it. */
	acknowledge(&s, 2, 4);
	assert_int_equal(s.status.commit, 3);
	assert_int_equal(s.status.role, RAFT_LEADER);
	acknowledge(&s, 3, 4);
	assert_int_equal(s.status.commit, 4);
	assert_int_equal(s.output.n_apply, 1);
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	/* And campaigns no more. */
	wait_ns(&s, 2 * ELECTION);
	assert_null(said(&s, RAFT_VOTE, 2));
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	close_server(&s);
}

static void who_is_being_removed_may_still_be_needed(void **state)
{
	(void)state;
	lead(3);
	assert_int_equal(take_away(1), 0);
	sync_all(&s);
	/* It may be the only one that has this entry (thesis, 4.2.2). */
	wait_ns(&s, 2 * ELECTION);
	wait_ns(&s, 2 * ELECTION);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	assert_int_equal(must_say(&s, RAFT_VOTE, 2)->vote.last_index, 4);
	/* Its own vote is none of the two that are needed. */
	grant(&s, 2);
	assert_true(s.last[RAFT_VOTE][2].vote.is_pre);
	grant(&s, 3);
	sync_all(&s);
	grant(&s, 2);
	assert_int_equal(s.status.role, RAFT_CANDIDATE);
	grant(&s, 3);
	assert_int_equal(s.status.role, RAFT_LEADER);
	close_server(&s);
}

static void the_last_voter_cannot_be_removed(void **state)
{
	(void)state;
	open_log(&s, 1, 1, "1");
	wait_ns(&s, 2 * ELECTION);
	sync_all(&s);
	sync_all(&s);
	assert_int_equal(s.status.commit, 2);
	assert_int_equal(take_away(1), -EINVAL);
	assert_int_equal(add(2), 0);
	sync_all(&s);
	assert_int_equal(take_away(1), -EINVAL); /* 2 is a learner */
	close_server(&s);
}

static void a_learner_is_asked_for_no_vote(void **state)
{
	(void)state;
	open_log(&s, 1, 1, "1");
	wait_ns(&s, 2 * ELECTION);
	sync_all(&s);
	sync_all(&s);
	for (uint64_t id = 2; id <= MEMBERS_MAX; id++) {
		assert_int_equal(add(id), 0);
		sync_all(&s);
	}
	/* Another's term ends ours, and with all those learners it elects
	 * itself anew. */
	append(&s, 2, 9, 1, 1, "", 0);
	wait_ns(&s, 2 * ELECTION);
	sync_all(&s);
	for (uint64_t id = 2; id <= MEMBERS_MAX; id++)
		assert_int_equal(s.last[RAFT_VOTE][id].token, 0);
	assert_int_equal(s.status.role, RAFT_LEADER);
	assert_int_equal(s.status.term, 10);
	close_server(&s);
}

/* ---- a server with an empty folder ---- */

static void append_list(uint64_t index, unsigned int n, bool has_us)
{
	char bytes[MEMBERS_BYTES_MAX];
	struct members members = members_of(n);
	struct raft_message message = message_of(&s, RAFT_APPEND, 2, 1);
	struct raft_entry entry = {.term = 1, .kind = RAFT_MEMBERS};

	if (!has_us)
		assert_int_equal(members_remove(&members, 1), 0);
	entry.command = bytes;
	entry.len = members_encode(&members, bytes);
	message.append = (struct raft_append){.previous_index = index - 1,
					      .previous_term = index > 1,
					      .entries = &entry,
					      .n = 1};
	hear(&s, &message);
}

static bool would_vote(void)
{
	wait_ns(&s, 2 * ELECTION);
	ask_vote(&s, 3, 9, 50, 8, true);
	return must_say(&s, RAFT_VOTE_REPLY, 3)->vote_reply.is_granted;
}

static void who_has_nothing_votes_for_nobody(void **state)
{
	const struct raft_stored stored = {0};

	(void)state;
	open_stored(&s, &stored);
	assert_false(would_vote());
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	append_list(1, 3, false);
	sync_all(&s);
	assert_false(would_vote());
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	append_list(2, 4, true);
	sync_all(&s);
	assert_true(would_vote());
	close_server(&s);
}

static void a_list_from_before_it_joined_is_about_another(void **state)
{
	const struct raft_stored stored = {0};
	struct raft_options options = usual_options();

	(void)state;
	options.since = 2;
	s = (struct server){0};
	assert_int_equal(raft_open(&options, &stored, &s.raft), 0);
	step(&s);
	append_list(1, 3, true);
	append_list(2, 3, true);
	sync_all(&s);
	assert_false(would_vote());
	assert_int_equal(s.status.role, RAFT_FOLLOWER);
	append_list(3, 3, true);
	sync_all(&s);
	assert_true(would_vote());
	close_server(&s);
}

/* ---- lists ---- */

static void lists_are_the_same_by_all_that_is_in_them(void **state)
{
	const struct members one = members_of(3);
	struct members other = one;

	(void)state;
	assert_true(members_are_same(&one, &other));
	other.n = 2;
	assert_false(members_are_same(&one, &other));
	other = one;
	other.member[1].id = 7;
	assert_false(members_are_same(&one, &other));
	other = one;
	other.member[2].is_learner = true;
	assert_false(members_are_same(&one, &other));
	other = one;
	other.member[0].address[0] = 'x';
	assert_false(members_are_same(&one, &other));
}

static void a_list_as_bytes_is_the_same_list(void **state)
{
	struct members members = members_of(MEMBERS_MAX), other = {0};
	char bytes[MEMBERS_BYTES_MAX];
	size_t len;

	(void)state;
	members.member[3].is_learner = true;
	len = members_encode(&members, bytes);
	assert_int_equal(members_decode(bytes, len, &other), 0);
	assert_memory_equal(&members, &other, sizeof(members));
	for (size_t i = 0; i < len; i++)
		assert_int_equal(members_decode(bytes, i, &other), -EBADMSG);
	assert_int_equal(members_decode(bytes, len + 1, &other), -EBADMSG);
	assert_memory_equal(&members, &other, sizeof(members));
	/* Two of one id. */
	memcpy(&bytes[4 + 16 + 7], &bytes[4], 8);
	assert_int_equal(members_decode(bytes, len, &other), -EBADMSG);
	assert_int_equal(members_majority(&members), 5);
	assert_int_equal(members_add(&members, 10, "address"), -ENOSPC);
}

static void no_list_has_learners_alone(void **state)
{
	struct members members = members_of(1), other;
	char bytes[MEMBERS_BYTES_MAX];

	(void)state;
	members.member[0].is_learner = true;
	assert_int_equal(
		members_decode(bytes, members_encode(&members, bytes), &other),
		-EBADMSG);
	/* An empty one is that of who has not heard of one. */
	members.n = 0;
	assert_int_equal(
		members_decode(bytes, members_encode(&members, bytes), &other),
		0);
	assert_int_equal(other.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_member_learns_before_it_counts),
		cmocka_unit_test(
			a_learner_that_lacks_the_entry_that_names_it_is_not_promoted),
		cmocka_unit_test(
			an_answer_from_before_it_was_added_is_of_another_log),
		cmocka_unit_test(one_change_at_a_time),
		cmocka_unit_test(
			no_change_before_an_entry_of_the_term_is_committed),
		cmocka_unit_test(a_list_counts_when_it_is_in_the_log),
		cmocka_unit_test(a_list_that_is_replaced_counts_no_more),
		cmocka_unit_test(
			a_leader_that_is_removed_leads_until_that_is_committed),
		cmocka_unit_test(who_is_being_removed_may_still_be_needed),
		cmocka_unit_test(the_last_voter_cannot_be_removed),
		cmocka_unit_test(a_learner_is_asked_for_no_vote),
		cmocka_unit_test(who_has_nothing_votes_for_nobody),
		cmocka_unit_test(a_list_from_before_it_joined_is_about_another),
		cmocka_unit_test(lists_are_the_same_by_all_that_is_in_them),
		cmocka_unit_test(a_list_as_bytes_is_the_same_list),
		cmocka_unit_test(no_list_has_learners_alone),
	};

	return SUPPORT_MAIN(tests);
}
