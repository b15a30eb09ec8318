/* What a killed server leaves its clients, and a killed client its server; and
 * ids that others had before. */
#include "tests/p05/fixture.h"

#include "lib/identity.h"
#include "tests/support/hasty.h"

/* So many messages less are there than msgctl(2) says: others have taken them. */
static int taken_meanwhile;

int __real_msgctl(int queue, int command, struct msqid_ds *status);
int __wrap_msgctl(int queue, int command, struct msqid_ds *status);

int __wrap_msgctl(int queue, int command, struct msqid_ds *status)
{
	int rc = __real_msgctl(queue, command, status);

	if (rc == 0 && command == IPC_STAT)
		status->msg_qnum += (msgqnum_t)taken_meanwhile;
	return rc;
}

/* ---- the end of a server ---- */

static void client_learns_at_once_that_its_server_was_killed(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	fixture_stop(f);
	pid = fixture_start_waiting(f);
	support_kill(&f->server);
	assert_int_equal(fixture_end(pid), EPIPE);
}

static bool waits_for_room(void *arg)
{
	return semctl(*(const int *)arg, 1, GETNCNT) > 0;
}

static void client_without_room_learns_that_its_server_was_killed(void **state)
{
	struct fixture *f = *state;
	struct gate_server server;
	pid_t pid;
	int gate;

	fixture_start(f);
	gate = gate_find(f->options.key, GATE_NO_FILE, GATE_NO_OTHER, &server);
	assert_int_equal(gate_reserve(gate, (uint32_t)semctl(gate, 1, GETVAL),
				      tick_after(20 * TICK_S)),
			 0);
	assert_int_equal(child_fork(fixture_ask_once, f, &pid), 0);
	assert_true(support_wait_until(waits_for_room, &gate, 20000));
	support_kill(&f->server);
	assert_int_equal(fixture_end(pid), EPIPE);
}

static void removal_of_the_queue_is_eidrm_on_both_sides(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	fixture_stop(f);
	pid = fixture_start_waiting(f);
	msgctl(fixture_queue(f), IPC_RMID, NULL);
	assert_int_equal(fixture_end(pid), EIDRM);
	kill(f->server, SIGCONT);
	assert_int_equal(fixture_end(f->server), EIDRM);
	f->server = 0;
}

static void dead_servers_queue_is_purged_and_taken_over(void **state)
{
	struct fixture *f = *state;
	struct mqserver_found found;
	struct mqserver *server;
	pid_t pids[3];
	int queue, gate;

	fixture_start(f);
	fixture_stop(f);
	queue = fixture_queue(f);
	gate = semget(f->options.key, 0, 0);
	for (int i = 0; i < 3; i++)
		pids[i] = fixture_start_waiting(f);
	while (fixture_status(f).msg_qnum < 3)
		tick_sleep_until(tick_after(TICK_MS));
	letter_ring(queue, 77);
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		fixture_end(pids[i]);
	}
	support_kill(&f->server);
	assert_int_equal(mqserver_create(&server, &f->options, &found), 0);
	assert_true(found.was_there);
	assert_int_equal(found.queue, queue);
	assert_int_equal(found.gate, gate);
	assert_int_equal(found.purged.requests, 3);
	assert_int_equal(found.purged.replies, 0);
	assert_int_equal(found.purged.others, 1);
	assert_true(mqserver_queue(server) != queue);
	mqserver_remove(server);
	assert_int_equal(fixture_queue(f), -1);
}

static void client_of_a_dead_server_is_told_to_open_another(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	int ready[2], rc;
	pid_t next = fixture_prepare(f, ready);

	fixture_start(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	support_kill(&f->server);
	fixture_start_prepared(f, next, ready);
	rc = fixture_ask(client, 1, 1, 60000);
	assert_true(rc == -EPIPE || rc == -EIDRM);
	mqclient_close(client);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	mqclient_close(client);
}

/* ---- the dead, and those who have their ids ---- */

static void reply_to_a_killed_client_is_collected(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	for (int i = 0; i < 5; i++) {
		fixture_stop(f);
		pid = fixture_start_waiting(f);
		kill(pid, SIGKILL);
		fixture_end(pid);
		kill(f->server, SIGCONT);
		assert_true(
			support_wait_until(fixture_has_no_messages, f, 10000));
	}
}

/* As our client would be answered, in these places. */
static void put_reply_to(const struct fixture *f, struct letter_head head,
			 size_t len)
{
	struct letter *letter = letter_new(len);

	memset(letter->text, '?', len);
	head.magic = LETTER_MAGIC;
	head.client = gettid();
	head.units = letter_units(len);
	letter->head = head;
	letter->type = letter_type(&head, letter_place_here().pid);
	assert_int_equal(letter_send(fixture_queue(f), letter, len), 0);
	free(letter);
}

static void put_reply(const struct fixture *f, uint64_t nonce, uint64_t start,
		      size_t len)
{
	put_reply_to(f,
		     (struct letter_head){.place = letter_place_here(),
					  .start = start,
					  .nonce = nonce,
					  .number = 1,
					  .deadline = TICK_NEVER},
		     len);
}

static void old_reply_to_a_recycled_id_is_not_taken_for_ours(void **state)
{
	struct fixture *f = *state;
	uint64_t mine = identity_start_time(gettid());
	struct mqclient *client;

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	put_reply(f, 1, mine, 4); /* there before we come */
	client = fixture_client(f);
	put_reply(f, 2, mine, 4); /* and while we are here */
	put_reply(f, 3, mine, 4);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	mqclient_close(client);
	assert_true(support_wait_until(fixture_has_no_messages, f, 20000));
}

static void reply_of_an_earlier_thread_of_our_id_is_collected(void **state)
{
	struct fixture *f = *state;

	fixture_start(f);
	put_reply(f, 1, identity_start_time(gettid()) - 1, 4);
	assert_true(support_wait_until(fixture_has_no_messages, f, 20000));
}

/* The living do not lose theirs to the sweep. */
static void reply_to_a_living_thread_is_kept(void **state)
{
	struct fixture *f = *state;
	const struct letter_place here = letter_place_here();
	struct sweep_counts counts;
	struct letter *letter = letter_new(64);

	fixture_start(f);
	put_reply(f, 1, identity_start_time(gettid()), 4);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sweep_dead(fixture_queue(f), &here, &counts),
				 0);
		assert_int_equal(counts.replies + counts.others, 0);
	}
	/* Perhaps the server's sweep has it in hand just now. */
	assert_int_equal(
		letter_receive(fixture_queue(f), gettid(), letter, 64, 0), 4);
	free(letter);
}

/* Whose number has another here: its start time says nothing to us, until it has
 * given up for long. */
static void reply_to_another_namespace_is_kept_while_it_may_be_fetched(
	void **state)
{
	struct fixture *f = *state;
	struct letter_head head = {.place = letter_place_here(),
				   .start = identity_start_time(gettid()) - 1,
				   .deadline = tick_after(0)};
	const struct letter_place here = letter_place_here();
	struct sweep_counts counts;

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	head.place.pid++;
	put_reply_to(f, head, 4);
	letter_ring(fixture_queue(f), letter_type(&head, head.place.pid - 1));
	assert_int_equal(sweep_dead(fixture_queue(f), &here, &counts), 0);
	assert_int_equal(counts.replies + counts.others, 0);
	assert_int_equal(fixture_status(f).msg_qnum, 2);

	head.deadline = tick_now() - SWEEP_UNKNOWN_NS;
	put_reply_to(f, head, 4);
	head.place.time++; /* by another clock */
	put_reply_to(f, head, 4);
	assert_int_equal(sweep_dead(fixture_queue(f), &here, &counts), 0);
	assert_int_equal(counts.replies, 1);
	assert_int_equal(fixture_status(f).msg_qnum, 3);

	head = (struct letter_head){.place = letter_place_here(),
				    .deadline = TICK_NEVER};
	head.place.pid++;
	put_reply_to(f, head, 4);
	assert_int_equal(sweep_dead(fixture_queue(f), &here, &counts), 0);
	assert_int_equal(counts.replies, 0);
	assert_int_equal(fixture_status(f).msg_qnum, 4);
}

/* Workers take out requests all the time, and clients their replies. */
static void sweep_may_find_less_than_there_was(void **state)
{
	struct fixture *f = *state;
	const struct letter_place here = letter_place_here();
	struct sweep_counts counts;
	int rc[2];

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	put_reply(f, 1, 1, 4); /* to an earlier thread of our id */
	taken_meanwhile = 2;
	rc[0] = sweep_dead(fixture_queue(f), &here, &counts);
	rc[1] = sweep_purge(fixture_queue(f), &(struct sweep_counts){0});
	taken_meanwhile = 0;
	assert_int_equal(rc[0], 0);
	assert_int_equal(counts.replies, 1);
	assert_int_equal(rc[1], 0);
}

/* ---- what is removed under a living server ---- */

static void start_hasty(struct fixture *f)
{
	is_hasty = true;
	fixture_start(f);
	is_hasty = false;
}

static void server_without_its_set_ends_and_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct gate_server server;
	int gate;

	start_hasty(f);
	gate = gate_find(f->options.key, GATE_NO_FILE, GATE_NO_OTHER, &server);
	assert_true(gate >= 0);
	assert_int_equal(gate_remove(gate), 0);
	support_wait_promised(support_has_ended, &f->server, TICK_S);
	assert_int_equal(fixture_end(f->server), EIDRM);
	f->server = 0;
	assert_int_equal(fixture_queue(f), -1);
}

static void server_whose_semaphore_was_reset_leaves_the_set_alone(void **state)
{
	struct fixture *f = *state;
	struct gate_server server;
	int gate;

	start_hasty(f);
	gate = gate_find(f->options.key, GATE_NO_FILE, GATE_NO_OTHER, &server);
	assert_int_equal(semctl(gate, 0, SETVAL, 0), 0);
	support_wait_promised(support_has_ended, &f->server, TICK_S);
	assert_int_equal(fixture_end(f->server), EIDRM);
	f->server = 0;
	assert_int_equal(gate_remove(gate),
			 0); /* another's, for all it knows */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_learns_at_once_that_its_server_was_killed),
		CASE(client_without_room_learns_that_its_server_was_killed),
		CASE(removal_of_the_queue_is_eidrm_on_both_sides),
		CASE(dead_servers_queue_is_purged_and_taken_over),
		CASE(client_of_a_dead_server_is_told_to_open_another),
		CASE(reply_to_a_killed_client_is_collected),
		CASE(old_reply_to_a_recycled_id_is_not_taken_for_ours),
		CASE(reply_of_an_earlier_thread_of_our_id_is_collected),
		CASE(reply_to_a_living_thread_is_kept),
		CASE(reply_to_another_namespace_is_kept_while_it_may_be_fetched),
		CASE(sweep_may_find_less_than_there_was),
		CASE(server_without_its_set_ends_and_leaves_nothing),
		CASE(server_whose_semaphore_was_reset_leaves_the_set_alone),
	};

	return SUPPORT_MAIN(tests);
}
