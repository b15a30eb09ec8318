/* The queue is never so full of requests that a reply finds no room. */
#include "p05-sysv-mq/outbox.h"
#include "tests/p05/fixture.h"

/* ---- the trap itself, without anything of ours ---- */

enum { BARE_BYTES = 4000, BARE_CLIENTS = 8 };

struct bare {
	long type;
	char bytes[BARE_BYTES];
};

/* What everybody writes first: send, then wait for the reply. */
static int bare_client(void *arg)
{
	struct bare message = {.type = 1};
	int queue = *(int *)arg;

	return msgsnd(queue, &message, BARE_BYTES, 0) < 0 ||
	       msgrcv(queue, &message, BARE_BYTES, getpid(), 0) < 0;
}

static bool is_full(void *arg)
{
	struct msqid_ds status;

	return msgctl(*(int *)arg, IPC_STAT, &status) == 0 &&
	       status.__msg_cbytes + BARE_BYTES > status.msg_qbytes;
}

static void bare_queue_deadlocks(void **state)
{
	int queue = msgget(IPC_PRIVATE, 0600), status;
	struct bare message;
	pid_t pids[BARE_CLIENTS];

	(void)state;
	for (int i = 0; i < BARE_CLIENTS; i++)
		assert_int_equal(child_fork(bare_client, &queue, &pids[i]), 0);
	assert_true(support_wait_until(is_full, &queue, 20000));
	/* The server takes one request, and a client that waits to send takes
	 * the room. */
	assert_int_equal(msgrcv(queue, &message, BARE_BYTES, 1, 0), BARE_BYTES);
	assert_true(support_wait_until(is_full, &queue, 20000));
	message.type = pids[0];
	assert_int_equal(msgsnd(queue, &message, BARE_BYTES, IPC_NOWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	/* A server that waits here waits for ever: nobody else takes anything
	 * out. Only the removal ends it. */
	for (int i = 0; i < BARE_CLIENTS; i++)
		assert_int_equal(child_wait(pids[i], tick_after(0), &status),
				 -ETIMEDOUT);
	msgctl(queue, IPC_RMID, NULL);
	for (int i = 0; i < BARE_CLIENTS; i++)
		child_end(pids[i], 0, &status);
}

/* ---- the same load on ours ---- */

enum { CLIENTS = 20, BIG = 4000, ROUNDS = 20 };

static int ask_big(void *arg)
{
	const struct fixture *f = arg;
	char text[BIG], reply[BIG + 1];
	struct mqclient *client;
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE,
			       GATE_NO_OTHER);

	memset(text, getpid() % 256, sizeof(text));
	for (int i = 0; i < ROUNDS && rc == 0; i++) {
		ssize_t n =
			mqclient_ask(client, text, sizeof(text), reply,
				     sizeof(reply), tick_after(60 * TICK_S));

		if (n != sizeof(reply) ||
		    memcmp(text, reply, sizeof(text)) != 0)
			rc = n < 0 ? (int)-n : 1;
	}
	mqclient_close(client);
	return rc;
}

/* The first answer waits until the clients have had their chance to fill the
 * queue, and fails if they have used it. */
static ssize_t answer_if_there_is_room(const char *text, size_t text_bytes,
				       char *reply, size_t reply_max, void *arg)
{
	static bool is_first = true; /* in the server's process */
	const struct fixture *f = arg;
	struct gate_server server;
	int gate =
		gate_find(f->options.key, GATE_NO_FILE, GATE_NO_OTHER, &server);
	int64_t deadline = tick_after(10 * TICK_S);
	struct msqid_ds status;

	/* 1 is the semaphore of the room. */
	while (is_first && semctl(gate, 1, GETNCNT) == 0 &&
	       (msgctl(fixture_queue(f), IPC_STAT, &status) < 0 ||
		status.msg_qbytes - status.__msg_cbytes > BIG)) {
		if (tick_is_over(deadline))
			return -ETIME;
		tick_sleep_until(tick_after(TICK_MS));
	}
	is_first = false;
	if (msgctl(fixture_queue(f), IPC_STAT, &status) < 0 ||
	    status.msg_qbytes - status.__msg_cbytes <
		    sizeof(struct letter_head) + reply_max)
		return -ENOBUFS;
	return fixture_answer(text, text_bytes, reply, reply_max, NULL);
}

static int ask_big_once(void *arg)
{
	const struct fixture *f = arg;
	char text[BIG] = "", reply[BIG + 1];
	struct mqclient *client;
	ssize_t n = mqclient_open(&client, f->options.key, GATE_NO_FILE,
				  GATE_NO_OTHER);

	if (n == 0)
		n = mqclient_ask(client, text, sizeof(text), reply,
				 sizeof(reply), tick_after(60 * TICK_S));
	mqclient_close(client);
	return n == sizeof(reply) ? 0 : (int)-n;
}

static void run_clients(struct fixture *f, int (*body)(void *), int clients)
{
	pid_t pids[CLIENTS];
	int status;

	for (int i = 0; i < clients; i++)
		assert_int_equal(child_fork(body, f, &pids[i]), 0);
	for (int i = 0; i < clients; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(child_exit_code(status), 0);
	}
}

static void requests_leave_room_for_the_replies(void **state)
{
	struct fixture *f = *state;

	f->options.answer = answer_if_there_is_room;
	f->options.arg = f;
	fixture_start(f);
	run_clients(f, ask_big_once, 12);
}

static void load_that_deadlocks_a_bare_queue_is_served(void **state)
{
	struct fixture *f = *state;

	f->options.workers = 2;
	fixture_start(f);
	run_clients(f, ask_big, CLIENTS);
}

/* ---- requests of the dead ---- */

/* Fill the queue as fast as it empties, with requests nobody waits for: as if
 * client after client were killed right after sending. */
static int flood(void *arg)
{
	const struct fixture *f = arg;
	struct letter *letter = letter_new(BIG);
	int queue = fixture_queue(f);

	letter->type = LETTER_REQUEST;
	letter->head = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = getpid(),
		.place = letter_place_here(),
		.start = 1, /* an earlier process with this id */
		.units = letter_units(BIG + 1),
		.deadline = TICK_NEVER,
	};
	memset(letter->text, 'x', BIG);
	for (int i = 0; i < 500; i++)
		while (msgsnd(queue, letter, sizeof(letter->head) + BIG, 0) < 0)
			if (errno != EINTR)
				return 1;
	free(letter);
	return 0;
}

static void requests_of_the_dead_hold_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	pid_t pid;
	int status;

	fixture_start(f);
	assert_int_equal(child_fork(flood, f, &pid), 0);
	client = fixture_client(f);
	for (int i = 0; i < 50; i++)
		assert_int_equal(fixture_ask(client, i, 1, 20000), 0);
	assert_int_equal(child_wait(pid, tick_after(60 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(fixture_ask(client, i, 1, 20000), 0);
	mqclient_close(client);
}

/* ---- the outbox ---- */

static void outbox_keeps_order_and_forgets_the_late(void **state)
{
	struct outbox outbox = OUTBOX_EMPTY;
	struct letter *letter = letter_new(BIG);
	int queue = msgget(IPC_PRIVATE, 0600), filler = 0;
	const struct letter_place here = letter_place_here();
	unsigned int expired = 0;

	(void)state;
	memset(letter->text, 'x', BIG);
	letter->type = 2;
	letter->head = (struct letter_head){.magic = LETTER_MAGIC,
					    .client = 2,
					    .place = here,
					    .units = letter_units(BIG),
					    .deadline = TICK_NEVER};
	while (letter_send(queue, letter, BIG) == 0)
		filler++;
	for (uint64_t i = 0; i < OUTBOX_MAX; i++) {
		letter->type = 3;
		letter->head.number = i;
		letter->head.deadline = i % 2 ? TICK_NEVER : tick_after(0);
		memset(letter->text, 'a' + (char)i, BIG);
		assert_int_equal(outbox_add(&outbox, letter, BIG), 0);
	}
	assert_int_equal(outbox_add(&outbox, letter, BIG), -ENOBUFS);
	assert_int_equal(outbox_flush(&outbox, queue, &here, &expired),
			 -EAGAIN);
	assert_int_equal(expired, OUTBOX_MAX / 2);
	while (filler--)
		assert_int_equal(
			letter_receive(queue, 2, letter, BIG, IPC_NOWAIT), BIG);
	for (uint64_t i = 1; i < OUTBOX_MAX; i += 2) {
		outbox_flush(&outbox, queue, &here, &expired);
		memset(letter->text, 0, BIG);
		assert_int_equal(
			letter_receive(queue, 3, letter, BIG, IPC_NOWAIT), BIG);
		assert_int_equal(letter->head.number, i);
		assert_int_equal(letter->text[0], 'a' + (char)i);
		assert_int_equal(letter->text[BIG - 1], 'a' + (char)i);
	}
	assert_int_equal(outbox_flush(&outbox, queue, &here, &expired), 0);
	assert_int_equal(outbox.n, 0);
	assert_int_equal(outbox_add(&outbox, letter, BIG), 0);
	outbox_clear(&outbox);
	free(letter);
	msgctl(queue, IPC_RMID, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare_queue_deadlocks),
		CASE(requests_leave_room_for_the_replies),
		CASE(load_that_deadlocks_a_bare_queue_is_served),
		CASE(requests_of_the_dead_hold_up_nobody),
		cmocka_unit_test(outbox_keeps_order_and_forgets_the_late),
	};

	return SUPPORT_MAIN(tests);
}
