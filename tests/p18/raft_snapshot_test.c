/* Snapshots: when one is sent, how it comes in, and what becomes of the log
 * (section 7 of the Raft paper). */
#include "tests/p18/raft_fixture.h"

#include <errno.h>

/* ---- sending ---- */

/* A leader of term 2 that has forgotten what is before entry 5, with a snapshot
 * of three parts; server 3 has answered nothing yet. */
static void lead_with_snapshot(void)
{
	open_log(&s, 3, 1, "11");
	become_leader(&s);
	propose("a", 4);
	propose("b", 5);
	step(&s);
	sync_all(&s);
	acknowledge(&s, 2, 5);
	assert_int_equal(s.status.applied, 5);
	assert_int_equal(raft_compacted(s.raft, 5, 2 * RAFT_CHUNK_MAX + 1), 0);
	step(&s);
	assert_int_equal(s.status.first, 6);
}

static void answer_chunk(uint64_t from, uint64_t offset)
{
	struct raft_message reply =
		reply_of(&s, RAFT_SNAPSHOT, from, s.status.term);

	reply.snapshot_reply.offset = offset;
	hear(&s, &reply);
}

static void who_lacks_what_is_forgotten_is_sent_a_snapshot(void **state)
{
	const struct raft_snapshot *part = &s.last[RAFT_SNAPSHOT][3].snapshot;

	(void)state;
	lead_with_snapshot();
	assert_non_null(said(&s, RAFT_SNAPSHOT, 3));
	assert_int_equal(part->last_index, 5);
	assert_int_equal(part->last_term, 2);
	assert_int_equal(part->total, 2 * RAFT_CHUNK_MAX + 1);
	assert_int_equal(part->offset, 0);
	assert_int_equal(part->len, RAFT_CHUNK_MAX);
	assert_true(s.status.progress[2].is_snapshot);
	/* One part at a time, and heartbeats that all logs match. */
	propose("c", 6);
	wait_ns(&s, HEARTBEAT);
	assert_null(said(&s, RAFT_SNAPSHOT, 3));
	assert_int_equal(must_say(&s, RAFT_APPEND, 3)->append.previous_index,
			 0);
	assert_int_equal(must_say(&s, RAFT_APPEND, 3)->append.n, 0);
	acknowledge(&s, 3, 0);
	assert_null(said(&s, RAFT_SNAPSHOT, 3));
	answer_chunk(3, RAFT_CHUNK_MAX);
	assert_int_equal(part->offset, RAFT_CHUNK_MAX);
	answer_chunk(3, 2 * RAFT_CHUNK_MAX);
	assert_int_equal(part->len, 1);
	answer_chunk(3, 2 * RAFT_CHUNK_MAX + 1);
	assert_false(s.status.progress[2].is_snapshot);
	assert_int_equal(s.status.progress[2].match, 5);
	assert_int_equal(must_say(&s, RAFT_APPEND, 3)->append.previous_index,
			 5);
	assert_int_equal(must_say(&s, RAFT_APPEND, 3)->append.n, 1);
	close_server(&s);
}

static void a_part_that_was_lost_is_sent_again_when_the_peer_speaks(
	void **state)
{
	const struct raft_snapshot *part = &s.last[RAFT_SNAPSHOT][3].snapshot;

	(void)state;
	lead_with_snapshot();
	answer_chunk(3, RAFT_CHUNK_MAX);
	raft_lost(s.raft, 3, s.last[RAFT_SNAPSHOT][3].token);
	step(&s);
	assert_null(said(&s, RAFT_SNAPSHOT, 3));
	wait_ns(&s, HEARTBEAT);
	assert_null(said(&s, RAFT_SNAPSHOT, 3));
	acknowledge(&s, 3, 0);
	assert_non_null(said(&s, RAFT_SNAPSHOT, 3));
	assert_int_equal(part->offset, RAFT_CHUNK_MAX);
	/* A peer that has begun anew is not sent the same in a loop. */
	answer_chunk(3, 0);
	assert_null(said(&s, RAFT_SNAPSHOT, 3));
	wait_ns(&s, HEARTBEAT);
	acknowledge(&s, 3, 0);
	assert_non_null(said(&s, RAFT_SNAPSHOT, 3));
	assert_int_equal(part->offset, 0);
	close_server(&s);
}

static void what_nobody_answers_is_sent_again_in_the_end(void **state)
{
	const struct raft_snapshot *part = &s.last[RAFT_SNAPSHOT][3].snapshot;

	(void)state;
	lead_with_snapshot();
	answer_chunk(3, RAFT_CHUNK_MAX);
	/* Meanwhile there is a newer one. */
	propose("c", 6);
	step(&s);
	sync_all(&s);
	acknowledge(&s, 2, 6);
	assert_int_equal(raft_compacted(s.raft, 6, 100), 0);
	step(&s);
	for (int i = 0; i < 250 && !said(&s, RAFT_SNAPSHOT, 3); i++) {
		acknowledge(&s, 2, 6);
		wait_ns(&s, ELECTION / 10);
	}
	assert_non_null(said(&s, RAFT_SNAPSHOT, 3));
	assert_int_equal(part->last_index, 6);
	assert_int_equal(part->offset, 0);
	assert_int_equal(s.status.role, RAFT_LEADER);
	close_server(&s);
}

static void a_snapshot_that_is_gone_is_replaced_by_the_newest(void **state)
{
	const struct raft_snapshot *part = &s.last[RAFT_SNAPSHOT][3].snapshot;

	(void)state;
	lead_with_snapshot();
	answer_chunk(3, RAFT_CHUNK_MAX);
	propose("c", 6);
	step(&s);
	sync_all(&s);
	acknowledge(&s, 2, 6);
	assert_int_equal(raft_compacted(s.raft, 6, 100), 0);
	step(&s);
	raft_lost(s.raft, 3, s.last[RAFT_SNAPSHOT][3].token);
	wait_ns(&s, HEARTBEAT);
	acknowledge(&s, 3, 0);
	assert_int_equal(part->last_index, 6);
	assert_int_equal(part->offset, 0);
	assert_int_equal(part->total, 100);
	close_server(&s);
}

/* ---- taking ---- */

static uint64_t chunk_of(uint64_t from, uint64_t term, uint64_t index,
			 uint64_t last_term, uint64_t offset, uint64_t len,
			 uint64_t total)
{
	struct raft_message message = message_of(&s, RAFT_SNAPSHOT, from, term);

	message.snapshot =
		(struct raft_snapshot){index, last_term, total, offset, len};
	hear(&s, &message);
	return message.token;
}

static const struct raft_snapshot_reply *answer(uint64_t to)
{
	return &must_say(&s, RAFT_SNAPSHOT_REPLY, to)->snapshot_reply;
}

static void parts_are_taken_in_order_and_the_last_answered_when_durable(
	void **state)
{
	const struct members members = members_of(3);
	uint64_t token;

	(void)state;
	open_log(&s, 3, 3, "11");
	token = chunk_of(2, 3, 9, 3, 0, 10, 25);
	assert_int_equal(s.output.n_chunks, 1);
	assert_int_equal(s.output.chunks[0].token, token);
	assert_int_equal(answer(2)->offset, 10);
	chunk_of(2, 3, 9, 3, 20, 5, 25); /* not the next */
	assert_int_equal(s.output.n_chunks, 0);
	assert_int_equal(answer(2)->offset, 10);
	chunk_of(2, 3, 9, 3, 10, 10, 25);
	assert_int_equal(answer(2)->offset, 20);
	token = chunk_of(2, 3, 9, 3, 20, 5, 25);
	assert_int_equal(s.output.n_chunks, 1);
	assert_null(said(&s, RAFT_SNAPSHOT_REPLY, 2));
	assert_int_equal(s.status.commit, 0);
	assert_int_equal(raft_installed(s.raft, 9, 3, &members), 0);
	step(&s);
	assert_int_equal(answer(2)->offset, 25);
	assert_int_equal(s.last[RAFT_SNAPSHOT_REPLY][2].token, token);
	/* The log begins behind it, on the disk as well. */
	assert_true(s.output.write->is_reset);
	assert_int_equal(s.output.write->first, 10);
	assert_int_equal(s.status.applied, 9);
	assert_int_equal(s.status.last, 9);
	assert_int_equal(s.status.last_term, 3);
	assert_int_equal(s.status.snapshot, 9);
	append(&s, 2, 3, 9, 3, "3", 10);
	assert_int_equal(s.output.n_apply, 1);
	assert_int_equal(s.output.apply_first, 10);
	close_server(&s);
}

static void take_whole(uint64_t index, uint64_t term)
{
	chunk_of(2, 4, index, term, 0, 5, 5);
	assert_int_equal(s.output.n_chunks, 1);
}

static void entries_behind_a_snapshot_that_the_log_has_stay(void **state)
{
	const struct members members = members_of(3);

	(void)state;
	open_log(&s, 3, 3, "112233");
	take_whole(4, 2);
	assert_int_equal(raft_installed(s.raft, 4, 2, &members), 0);
	step(&s);
	assert_int_equal(s.status.last, 6);
	assert_int_equal(s.status.applied, 4);
	assert_true(!s.output.write || !s.output.write->is_reset);
	close_server(&s);
}

static void entries_that_a_snapshot_contradicts_go(void **state)
{
	const struct members members = members_of(3);

	(void)state;
	open_log(&s, 3, 3, "112233");
	take_whole(4, 3);
	assert_int_equal(raft_installed(s.raft, 4, 3, &members), 0);
	step(&s);
	assert_int_equal(s.status.last, 4);
	assert_true(s.output.write->is_reset);
	assert_int_equal(s.output.write->n, 0);
	close_server(&s);
}

static void what_is_there_already_is_not_taken(void **state)
{
	const struct members members = members_of(3);

	(void)state;
	open_log(&s, 3, 3, "1122");
	append(&s, 2, 4, 4, 2, "", 0);
	sync_all(&s);
	append(&s, 2, 4, 4, 2, "4", 5);
	/* Committed, and not durable here: it is said when it is. */
	chunk_of(2, 4, 5, 4, 0, 5, 5);
	assert_int_equal(s.output.n_chunks, 0);
	assert_null(said(&s, RAFT_SNAPSHOT_REPLY, 2));
	sync_all(&s);
	assert_int_equal(answer(2)->offset, 5);
	/* What comes in while it is being made durable. */
	chunk_of(2, 4, 7, 4, 0, 5, 5);
	append(&s, 2, 4, 5, 4, "444", 8);
	assert_int_equal(raft_installed(s.raft, 7, 4, &members), -ESTALE);
	step(&s);
	sync_all(&s);
	assert_int_equal(s.status.applied, 8);
	assert_int_equal(s.status.snapshot, 0);
	assert_int_equal(s.last[RAFT_SNAPSHOT_REPLY][2].snapshot_reply.offset,
			 5);
	close_server(&s);
}

static void parts_of_two_servers_are_not_mixed(void **state)
{
	(void)state;
	open_log(&s, 3, 3, "11");
	chunk_of(2, 3, 9, 3, 0, 10, 25);
	chunk_of(3, 4, 9, 3, 10, 10, 25);
	assert_int_equal(s.output.n_chunks, 0);
	sync_all(&s);
	assert_int_equal(answer(3)->offset, 0);
	chunk_of(3, 4, 9, 3, 0, 25, 25);
	assert_int_equal(s.output.n_chunks, 1);
	/* While one is made durable no other begins. */
	chunk_of(3, 4, 10, 3, 0, 10, 25);
	assert_int_equal(s.output.n_chunks, 0);
	assert_int_equal(answer(3)->offset, 0);
	close_server(&s);
}

static void a_snapshot_that_is_none_is_asked_for_again(void **state)
{
	const struct members members = members_of(3);

	(void)state;
	open_log(&s, 3, 4, "11");
	take_whole(9, 3);
	raft_install_failed(s.raft);
	step(&s);
	assert_int_equal(answer(2)->offset, 0);
	assert_int_equal(raft_installed(s.raft, 9, 3, &members), -ESTALE);
	take_whole(9, 3);
	assert_int_equal(raft_installed(s.raft, 9, 3, &members), 0);
	close_server(&s);
}

static void the_last_part_again_has_one_answer_for_each_request(void **state)
{
	const struct members members = members_of(3);
	uint64_t first, second;

	(void)state;
	open_log(&s, 3, 4, "11");
	first = chunk_of(2, 4, 9, 3, 0, 5, 5);
	second = chunk_of(2, 4, 9, 3, 0, 5, 5);
	assert_int_equal(s.output.n_chunks, 0);
	assert_int_equal(s.last[RAFT_SNAPSHOT_REPLY][2].token, first);
	assert_int_equal(raft_installed(s.raft, 9, 3, &members), 0);
	step(&s);
	assert_int_equal(s.last[RAFT_SNAPSHOT_REPLY][2].token, second);
	assert_int_equal(answer(2)->offset, 5);
	close_server(&s);
}

/* ---- our own ---- */

static void only_what_was_applied_can_be_forgotten(void **state)
{
	(void)state;
	lead(3);
	propose("a", 4);
	step(&s);
	assert_int_equal(raft_compacted(s.raft, 4, 1), -EINVAL);
	assert_int_equal(raft_compacted(s.raft, 3, 0), -EINVAL);
	assert_int_equal(raft_compacted(s.raft, 3, 1), 0);
	assert_int_equal(raft_compacted(s.raft, 3, 1), -EINVAL);
	step(&s);
	assert_int_equal(s.status.first, 4);
	assert_int_equal(s.status.last, 4);
	assert_int_equal(term_at(&s, 4), 2);
	close_server(&s);
}

/* ---- what is found at a start ---- */

static int open_with(uint64_t first, const char *terms, uint64_t index,
		     uint64_t term)
{
	const struct raft_options options = usual_options();
	struct raft_entry entries[16] = {0};
	const struct raft_stored stored = {
		.term = 5,
		.snapshot_index = index,
		.snapshot_term = term,
		.snapshot_bytes = index != 0,
		.members = members_of(3),
		.first = first,
		.entries = entries,
		.n = strlen(terms),
	};
	int error;

	for (size_t i = 0; i < stored.n; i++)
		entries[i] = (struct raft_entry){(uint64_t)(terms[i] - '0'),
						 RAFT_CHANGE, 1, "z"};
	s = (struct server){0};
	error = raft_open(&options, &stored, &s.raft);
	if (!error)
		step(&s);
	return error;
}

static void a_log_goes_on_from_its_snapshot(void **state)
{
	(void)state;
	assert_int_equal(open_with(8, "333", 7, 3), 0);
	assert_int_equal(s.status.last, 10);
	assert_int_equal(s.status.commit, 7);
	assert_int_equal(s.status.durable, 10);
	assert_null(s.output.write);
	close_server(&s);
	/* Or holds it. */
	assert_int_equal(open_with(5, "233344", 7, 3), 0);
	assert_int_equal(s.status.last, 10);
	assert_int_equal(s.status.first, 6);
	assert_int_equal(s.status.commit, 7);
	assert_null(s.output.write);
	close_server(&s);
}

static void a_log_that_a_crash_left_behind_begins_anew(void **state)
{
	(void)state;
	/* It ends before the snapshot. */
	assert_int_equal(open_with(2, "233", 7, 3), 0);
	assert_int_equal(s.status.last, 7);
	assert_int_equal(s.status.last_term, 3);
	assert_true(s.output.write->is_reset);
	assert_int_equal(s.output.write->first, 8);
	close_server(&s);
	/* It has another entry there. */
	assert_int_equal(open_with(5, "222244", 7, 3), 0);
	assert_int_equal(s.status.last, 7);
	assert_true(s.output.write->is_reset);
	close_server(&s);
}

static void a_snapshot_that_overtook_the_term_brings_it(void **state)
{
	(void)state;
	assert_int_equal(open_with(2, "233", 7, 6), 0);
	assert_int_equal(s.status.term, 6);
	assert_int_equal(s.status.last, 7);
	/* Written before anything else of that term is. */
	assert_true(s.output.write->has_vote);
	assert_int_equal(s.output.write->term, 6);
	assert_int_equal(s.output.write->vote, 0);
	close_server(&s);
	assert_int_equal(open_with(8, "", 7, 5), 0);
	assert_null(s.output.write);
	close_server(&s);
}

static void what_never_was_a_log_is_refused(void **state)
{
	(void)state;
	assert_int_equal(open_with(9, "333", 7, 3), -EBADMSG); /* a gap */
	assert_int_equal(open_with(2, "333", 0, 0), -EBADMSG);
	assert_int_equal(open_with(8, "343", 7, 3), -EBADMSG);
	assert_int_equal(open_with(8, "346", 7, 3), -EBADMSG); /* term is 5 */
	assert_int_equal(open_with(0, "333", 7, 3), -EBADMSG);
	assert_int_equal(open_with(8, "033", 7, 3), -EBADMSG);
	assert_int_equal(open_with(8, "", 7, 0), -EBADMSG);
	assert_int_equal(open_with(UINT64_MAX, "11", 7, 3), -EBADMSG);
	assert_int_equal(open_with(8, "2", 7, 3), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			who_lacks_what_is_forgotten_is_sent_a_snapshot),
		cmocka_unit_test(
			a_part_that_was_lost_is_sent_again_when_the_peer_speaks),
		cmocka_unit_test(what_nobody_answers_is_sent_again_in_the_end),
		cmocka_unit_test(
			a_snapshot_that_is_gone_is_replaced_by_the_newest),
		cmocka_unit_test(
			parts_are_taken_in_order_and_the_last_answered_when_durable),
		cmocka_unit_test(
			entries_behind_a_snapshot_that_the_log_has_stay),
		cmocka_unit_test(entries_that_a_snapshot_contradicts_go),
		cmocka_unit_test(what_is_there_already_is_not_taken),
		cmocka_unit_test(parts_of_two_servers_are_not_mixed),
		cmocka_unit_test(a_snapshot_that_is_none_is_asked_for_again),
		cmocka_unit_test(
			the_last_part_again_has_one_answer_for_each_request),
		cmocka_unit_test(only_what_was_applied_can_be_forgotten),
		cmocka_unit_test(a_log_goes_on_from_its_snapshot),
		cmocka_unit_test(a_log_that_a_crash_left_behind_begins_anew),
		cmocka_unit_test(a_snapshot_that_overtook_the_term_brings_it),
		cmocka_unit_test(what_never_was_a_log_is_refused),
	};

	return SUPPORT_MAIN(tests);
}
