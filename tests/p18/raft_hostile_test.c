/* What no correct server sends is refused, and changes nothing; and a core
 * without memory fails the call, and can be asked again. */
#include "tests/p18/raft_fixture.h"

#include <errno.h>

/* ---- memory ---- */

static int left = -1; /* calls that succeed; negative: all */

static bool is_there_none(void)
{
	return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
	return is_there_none() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return is_there_none() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return is_there_none() ? NULL : __real_reallocarray(p, n, size);
}

/* ---- nonsense ---- */

/* A follower of server 2 in term 4, with two of four entries committed. */
static void follow(void)
{
	open_log(&s, 3, 4, "1134");
	append(&s, 2, 4, 4, 4, "", 2);
	assert_int_equal(s.status.commit, 2);
}

static void must_refuse(const struct raft_message *message)
{
	const struct raft_status before = s.status;

	assert_int_equal(raft_receive(s.raft, message), -EBADMSG);
	step(&s);
	assert_memory_equal(&before, &s.status, sizeof(before));
	assert_int_equal(s.output.n_messages, 0);
	assert_null(s.output.write);
}

static void what_nobody_may_be_or_say_is_refused(void **state)
{
	struct raft_message good;

	(void)state;
	follow();
	good = message_of(&s, RAFT_APPEND, 2, 4);
	good.append.previous_index = 4;
	good.append.previous_term = 4;
#define REFUSE(change)                          \
	do {                                    \
		struct raft_message bad = good; \
		bad.change;                     \
		must_refuse(&bad);              \
	} while (0)
	REFUSE(to = 2);
	REFUSE(from = 0);
	REFUSE(from = 1);
	REFUSE(from = 3); /* 2 leads this term */
	REFUSE(term = 0);
	REFUSE(term = UINT64_MAX);
	REFUSE(term = RAFT_NUMBER_MAX + 1);
	REFUSE(kind = 0);
	REFUSE(kind = 7);
	REFUSE(append.previous_index = UINT64_MAX);
	REFUSE(append.previous_term = 0);
	REFUSE(append.previous_index = 0);
	REFUSE(append.previous_term = 5);
	REFUSE(append.commit = UINT64_MAX);
	REFUSE(append.round = UINT64_MAX);
	REFUSE(append.n = 1); /* and no entries */
	good = message_of(&s, RAFT_VOTE, 3, 5);
	good.vote.last_index = 9;
	good.vote.last_term = 4;
	REFUSE(vote.last_term = 5);
	REFUSE(vote.last_term = 0);
	REFUSE(vote.last_index = 0);
	REFUSE(vote.last_index = UINT64_MAX);
	good = message_of(&s, RAFT_SNAPSHOT, 2, 4);
	good.snapshot = (struct raft_snapshot){9, 4, 100, 0, 10};
	REFUSE(snapshot.last_index = 0);
	REFUSE(snapshot.last_term = 5);
	REFUSE(snapshot.total = 0);
	REFUSE(snapshot.total = UINT64_MAX);
	REFUSE(snapshot.len = 0);
	REFUSE(snapshot.len = 101);
	REFUSE(snapshot.offset = 100);
	REFUSE(snapshot.offset = UINT64_MAX);
#undef REFUSE
	close_server(&s);
}

static void must_refuse_entry(struct raft_entry entry)
{
	struct raft_message message = message_of(&s, RAFT_APPEND, 2, 4);

	message.append = (struct raft_append){.previous_index = 4,
					      .previous_term = 4,
					      .entries = &entry,
					      .n = 1};
	must_refuse(&message);
}

static void entries_that_are_none_are_refused(void **state)
{
	struct raft_entry many[RAFT_ENTRIES_MAX + 1] = {0};
	struct raft_message message;

	(void)state;
	follow();
	must_refuse_entry((struct raft_entry){5, RAFT_CHANGE, 1, "x"});
	must_refuse_entry((struct raft_entry){3, RAFT_CHANGE, 1, "x"});
	must_refuse_entry((struct raft_entry){0, RAFT_CHANGE, 1, "x"});
	must_refuse_entry((struct raft_entry){4, RAFT_NOTHING, 1, "x"});
	must_refuse_entry((struct raft_entry){4, RAFT_MEMBERS, 1, "x"});
	must_refuse_entry((struct raft_entry){4, RAFT_MEMBERS, 4, "\0\0\0"});
	must_refuse_entry((struct raft_entry){4, 3, 1, "x"});
	must_refuse_entry((struct raft_entry){4, RAFT_CHANGE, 1, NULL});
	must_refuse_entry(
		(struct raft_entry){4, RAFT_CHANGE, RAFT_COMMAND_MAX + 1, "x"});
	for (size_t i = 0; i <= RAFT_ENTRIES_MAX; i++)
		many[i].term = 4;
	message = message_of(&s, RAFT_APPEND, 2, 4);
	message.append =
		(struct raft_append){4, 4, 0, 0, many, RAFT_ENTRIES_MAX + 1};
	must_refuse(&message);
	/* Terms go back. */
	many[1].term = 3;
	message.append.n = 2;
	must_refuse(&message);
	close_server(&s);
}

static void what_is_committed_is_not_replaced(void **state)
{
	struct raft_entry entry = {3, RAFT_CHANGE, 1, "x"};
	struct raft_message message;

	(void)state;
	follow();
	message = message_of(&s, RAFT_APPEND, 2, 4);
	message.append = (struct raft_append){1, 1, 0, 0, &entry, 1};
	must_refuse(&message);
	message.append = (struct raft_append){2, 3, 0, 0, NULL, 0};
	must_refuse(&message);
	close_server(&s);
}

static void answers_that_claim_too_much_are_refused(void **state)
{
	struct raft_message reply;

	(void)state;
	lead(3);
	reply = reply_of(&s, RAFT_APPEND, 2, 2);
	reply.append_reply.is_matching = true;
	reply.append_reply.index = 4; /* of three */
	must_refuse(&reply);
	reply.append_reply.index = UINT64_MAX;
	must_refuse(&reply);
	reply.append_reply.index = 3;
	reply.append_reply.conflict_term = UINT64_MAX;
	must_refuse(&reply);
	/* A round that was never begun confirms nothing. */
	reply.append_reply.conflict_term = 0;
	reply.append_reply.round = 1000;
	assert_int_equal(raft_read(s.raft, 1), 0);
	step(&s);
	hear(&s, &reply);
	assert_int_equal(s.output.n_reads, 0);
	acknowledge(&s, 2, 3);
	assert_int_equal(s.output.n_reads, 1);
	/* Answers of who is no member, and to what nobody has asked. */
	reply.from = 8;
	hear(&s, &reply);
	reply.kind = RAFT_VOTE_REPLY;
	reply.vote_reply.is_granted = true;
	hear(&s, &reply);
	reply.kind = RAFT_SNAPSHOT_REPLY;
	reply.from = 2;
	reply.snapshot_reply.offset = 7;
	hear(&s, &reply);
	assert_int_equal(s.status.progress[1].match, 3);
	close_server(&s);
}

static void options_that_make_no_sense_are_refused(void **state)
{
	const struct raft_stored stored = {0};
	struct raft *raft;

	(void)state;
#define REFUSE(change)                                                      \
	do {                                                                \
		struct raft_options bad = usual_options();                  \
		bad.change;                                                 \
		assert_int_equal(raft_open(&bad, &stored, &raft), -EINVAL); \
	} while (0)
	REFUSE(id = 0);
	REFUSE(heartbeat_ns = 0);
	REFUSE(heartbeat_ns = ELECTION);
	REFUSE(election_ns = -1);
	REFUSE(election_ns = INT64_MAX);
	REFUSE(window = 0);
	REFUSE(window = RAFT_WINDOW_MAX + 1);
#undef REFUSE
}

/* ---- no memory ---- */

/* All kinds of calls; one that has failed is made again, and all must end as if
 * none had. How many calls of the allocator may succeed first: n. */
static bool live_through(int n)
{
	struct raft_entry entries[2] = {{1, RAFT_CHANGE, 1, "a"},
					{1, RAFT_CHANGE, 1, "b"}};
	const struct raft_stored stored = {.term = 1,
					   .members = members_of(3),
					   .first = 1,
					   .entries = entries,
					   .n = 2};
	const struct raft_options options = usual_options();
	uint64_t index, term;
	int error, tries = 0;
	bool was_enough;

	s = (struct server){0};
	left = n;
#define AGAIN(call)                                                    \
	do {                                                           \
		error = (call);                                        \
		assert_true(!error || (error == -ENOMEM && !tries++)); \
	} while (error)
	AGAIN(raft_open(&options, &stored, &s.raft));
	step(&s);
	{
		struct raft_entry entry = {1, RAFT_CHANGE, 1, "c"};
		struct raft_message message = message_of(&s, RAFT_APPEND, 2, 1);

		message.append = (struct raft_append){2, 1, 2, 1, &entry, 1};
		AGAIN(raft_receive(s.raft, &message));
		step(&s);
		step(&s);
		sync_all(&s);
		message = message_of(&s, RAFT_SNAPSHOT, 2, 1);
		message.snapshot = (struct raft_snapshot){9, 1, 5, 0, 5};
		AGAIN(raft_receive(s.raft, &message));
		step(&s);
		AGAIN(raft_installed(s.raft, 9, 1, &stored.members));
		step(&s);
		step(&s);
		sync_all(&s);
	}
	for (int i = 0; s.status.role != RAFT_LEADER && i < 20; i++) {
		wait_ns(&s, 2 * ELECTION);
		if (said(&s, RAFT_VOTE, 2))
			grant(&s, 2);
		step(&s);
		sync_all(&s);
		if (said(&s, RAFT_VOTE, 2))
			grant(&s, 2);
	}
	assert_int_equal(s.status.role, RAFT_LEADER);
	AGAIN(raft_propose(s.raft, "d", 1, &index, &term));
	AGAIN(raft_read(s.raft, 1));
	step(&s);
	wait_ns(&s, HEARTBEAT);
	sync_all(&s);
	acknowledge(&s, 2, index);
	assert_int_equal(s.status.commit, index);
	AGAIN(raft_add(s.raft, 4, "address", &index, &term));
	step(&s);
	wait_ns(&s, HEARTBEAT);
	sync_all(&s);
	wait_ns(&s, HEARTBEAT);
	acknowledge(&s, 2, index);
	assert_int_equal(s.status.applied, index);
	assert_int_equal(s.n_answers, 1);
#undef AGAIN
	was_enough = left >= 0;
	left = -1;
	close_server(&s);
	return was_enough;
}

static void whatever_call_has_no_memory_can_be_made_again(void **state)
{
	int n = 0;

	(void)state;
	while (!live_through(n))
		n++;
	/* Else it was not tried. */
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_may_be_or_say_is_refused),
		cmocka_unit_test(entries_that_are_none_are_refused),
		cmocka_unit_test(what_is_committed_is_not_replaced),
		cmocka_unit_test(answers_that_claim_too_much_are_refused),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
		cmocka_unit_test(whatever_call_has_no_memory_can_be_made_again),
	};

	return SUPPORT_MAIN(tests);
}
