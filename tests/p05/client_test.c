/* A client whose queue is full, and whose server lies, or is somebody else's:
 * p05-sysv-mq/mqclient.h. The server is stopped where this process answers in
 * its place. */
#include "tests/p05/fixture.h"

enum { CREDITS = 1 }; /* its number in the set: see gate.c */

static int room_of(const struct fixture *f)
{
	return semctl(semget(f->options.key, 0, 0), CREDITS, GETVAL);
}

/* ---- a server that lies ---- */

/* Answer the request that lies there: n bytes, and whatever else is in head. */
static void answer_with(const struct fixture *f,
			void (*change)(struct letter_head *head), size_t n)
{
	struct letter *letter = letter_new(1000);
	const struct letter_place here = letter_place_here();

	assert_true(letter_receive(fixture_queue(f), LETTER_REQUEST, letter,
				   1000, IPC_NOWAIT) >= 0);
	letter->type = letter_type(&letter->head, here.pid);
	change(&letter->head);
	memset(letter->text, 'x', n);
	assert_int_equal(letter_send(fixture_queue(f), letter, n), 0);
	free(letter);
}

static ssize_t ask_a_liar(struct fixture *f,
			  void (*change)(struct letter_head *head), size_t n)
{
	struct mqclient *client;
	ssize_t answer;
	char reply[8];
	int room;

	fixture_start(f);
	fixture_stop(f);
	room = room_of(f);
	client = fixture_client(f);
	assert_int_equal(mqclient_send(client, "?", 1, sizeof(reply),
				       tick_after(20 * TICK_S)),
			 0);
	assert_true(room_of(f) < room);
	answer_with(f, change, n);
	answer = mqclient_wait(client, reply, sizeof(reply),
			       tick_after(20 * TICK_S));
	assert_int_equal(room_of(f), room);
	mqclient_close(client);
	assert_int_equal(room_of(f), room);
	return answer;
}

static void claim_more_units(struct letter_head *head)
{
	head->units = 30;
}

static void no_more_room_is_given_back_than_was_taken(void **state)
{
	assert_int_equal(ask_a_liar(*state, claim_more_units, 1), 1);
}

static void set_a_status_that_is_no_error(struct letter_head *head)
{
	head->status = 5;
}

static void status_that_is_no_error_is_no_reply(void **state)
{
	assert_int_equal(ask_a_liar(*state, set_a_status_that_is_no_error, 1),
			 -EBADMSG);
}

static void reply_that_does_not_fit_is_not_copied(void **state)
{
	assert_int_equal(ask_a_liar(*state, claim_more_units, 9), -EMSGSIZE);
}

/* Room is reserved by whole units, so the server may well send more. */
static void reply_longer_than_was_asked_for_is_emsgsize(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	char reply[4] = "123";

	fixture_start(f);
	client = fixture_client(f);
	assert_int_equal(mqclient_ask(client, "abc", 3, reply, 3,
				      tick_after(20 * TICK_S)),
			 -EMSGSIZE);
	assert_string_equal(reply, "123");
	mqclient_close(client);
}

/* ---- a full queue ---- */

/* What came too late for a client of this thread that has been closed. */
static void client_makes_room_of_what_came_too_late_for_another(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	fixture_fill(f, 0);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 5000), 0);
	mqclient_close(client);
}

static void request_that_could_not_be_sent_gives_its_room_back(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	int room;

	fixture_start(f);
	fixture_stop(f);
	room = room_of(f);
	client = fixture_client(f);
	fixture_fill(f, LETTER_REQUEST);
	assert_int_equal(
		mqclient_send(client, "?", 1, 8, tick_after(20 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(room_of(f), room);
	mqclient_close(client);
}

struct reserving {
	const struct fixture *f;
	int room;
};

static bool has_reserved(void *arg)
{
	const struct reserving *reserving = arg;

	return room_of(reserving->f) < reserving->room;
}

static void client_at_a_full_queue_learns_that_its_server_was_killed(
	void **state)
{
	struct fixture *f = *state;
	struct reserving reserving = {.f = f};
	pid_t pid;

	fixture_start(f);
	fixture_stop(f);
	fixture_fill(f, LETTER_REQUEST);
	reserving.room = room_of(f);
	assert_int_equal(child_fork(fixture_ask_once, f, &pid), 0);
	assert_true(support_wait_until(has_reserved, &reserving, 20000));
	support_kill(&f->server);
	assert_int_equal(fixture_end(pid), EPIPE);
}

static void closing_gives_back_the_room_of_what_was_given_up(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	int room;

	fixture_start(f);
	fixture_stop(f);
	room = room_of(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20), -ETIMEDOUT);
	assert_true(room_of(f) < room);
	mqclient_close(client);
	assert_int_equal(room_of(f), room);
}

/* ---- deadlines that are over ---- */

/* A doorbell for a moment that nobody waits for would lie in the queue. */
static void deadline_of_an_answered_request_rings_no_doorbell(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	int64_t deadline;
	int error, timeout_ms = 25;
	char reply[8];

	fixture_start(f);
	client = fixture_client(f);
	do { /* until it is answered in time */
		timeout_ms *= 2;
		deadline = tick_after(timeout_ms * TICK_MS);
		error = (int)mqclient_ask(client, "?", 1, reply, sizeof(reply),
					  deadline);
	} while (error == -ETIMEDOUT);
	assert_int_equal(error, 2);
	assert_false(
		support_wait_until(fixture_has_messages, f, timeout_ms + 50));
	assert_true(tick_is_over(deadline));
	mqclient_close(client);
}

/* ---- a queue that is somebody else's ---- */

static int make_queue_as_nobody(void *arg)
{
	const struct fixture *f = arg;

	return setgid(65534) || setuid(65534) ||
	       msgget(f->options.key, IPC_CREAT | IPC_EXCL | 0666) < 0;
}

static void queue_of_another_user_beside_our_set_is_refused(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;

	support_need_second_user();
	fixture_start(f);
	fixture_stop(f);
	assert_int_equal(msgctl(fixture_queue(f), IPC_RMID, NULL), 0);
	assert_int_equal(support_child_status(make_queue_as_nobody, f, 20000),
			 0);
	assert_int_equal(mqclient_open(&client, f->options.key, GATE_NO_FILE,
				       GATE_NO_OTHER),
			 -EPERM);
	assert_null(client);
	assert_int_equal(
		mqclient_open(&client, f->options.key, GATE_NO_FILE, 65534), 0);
	mqclient_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_more_room_is_given_back_than_was_taken),
		CASE(status_that_is_no_error_is_no_reply),
		CASE(reply_that_does_not_fit_is_not_copied),
		CASE(reply_longer_than_was_asked_for_is_emsgsize),
		CASE(client_makes_room_of_what_came_too_late_for_another),
		CASE(request_that_could_not_be_sent_gives_its_room_back),
		CASE(client_at_a_full_queue_learns_that_its_server_was_killed),
		CASE(closing_gives_back_the_room_of_what_was_given_up),
		CASE(deadline_of_an_answered_request_rings_no_doorbell),
		CASE(queue_of_another_user_beside_our_set_is_refused),
	};

	return SUPPORT_MAIN(tests);
}
