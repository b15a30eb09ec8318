/* One server and a few clients: p05-sysv-mq/mqserver.h and mqclient.h. */
#include "tests/p05_fixture.h"

static void client_gets_its_answers(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;

	fixture_start(f);
	client = fixture_client(f);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(fixture_ask(client, i, 1, 20000), 0);
	mqclient_close(client);
}

static void empty_and_longest_messages_are_answered(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	char text[20000], reply[20000];
	size_t most;

	fixture_start(f);
	client = fixture_client(f);
	most = mqclient_text_max(client);
	assert_in_range(most, 1000, sizeof(text));
	memset(text, 'x', sizeof(text));
	assert_int_equal(
		mqclient_ask(client, "", 0, reply, 1, tick_after(20 * TICK_S)),
		1);
	assert_int_equal(mqclient_ask(client, text, most - 1, reply, most,
				      tick_after(20 * TICK_S)),
			 most);
	assert_int_equal(reply[most - 2], 'x');
	/* What does not fit is an error at once, or of the server. */
	assert_int_equal(
		mqclient_ask(client, text, most + 1, reply, 1, TICK_NEVER),
		-EMSGSIZE);
	assert_int_equal(mqclient_ask(client, text, 200, reply, 200,
				      tick_after(20 * TICK_S)),
			 -EMSGSIZE);
	mqclient_close(client);
}

static void second_server_is_refused_even_if_the_first_is_stopped(void **state)
{
	struct fixture *f = *state;

	fixture_start(f);
	assert_int_equal(support_child_status(fixture_serve, f, 30000), 98);
	fixture_stop(f);
	assert_int_equal(support_child_status(fixture_serve, f, 30000), 98);
}

static void queue_of_another_program_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct mqserver_found found;
	struct mqserver *server;
	struct mqclient *client;
	int queue = msgget(f->options.key, IPC_CREAT | IPC_EXCL | 0600);

	assert_int_equal(letter_ring(queue, 5), 0);
	assert_int_equal(mqserver_create(&server, &f->options, &found),
			 -ENOTUNIQ);
	assert_int_equal(mqclient_open(&client, f->options.key, GATE_NO_FILE),
			 -ENOENT);
	assert_int_equal(fixture_queue(f), queue);
	assert_int_equal(msgctl(queue, IPC_RMID, NULL), 0);
	assert_int_equal(semget(f->options.key, 0, 0), -1);
}

/* ---- the end of a server ---- */

enum { ASK_STATUS_OK = 60 };

/* A client that asks once, patiently. Its status is the errno. */
static int ask_once(void *arg)
{
	const struct fixture *f = arg;
	struct mqclient *client;
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE);

	if (rc == 0)
		rc = fixture_ask(client, 20, 22, 60000);
	mqclient_close(client);
	return rc ? -rc : ASK_STATUS_OK;
}

static struct msqid_ds status_of(const struct fixture *f)
{
	struct msqid_ds status = {0};

	msgctl(fixture_queue(f), IPC_STAT, &status);
	return status;
}

static bool has_messages(void *arg)
{
	return status_of(arg).msg_qnum > 0;
}

static bool has_no_messages(void *arg)
{
	return fixture_queue(arg) >= 0 && status_of(arg).msg_qnum == 0;
}

/* The server is stopped, so the request stays. */
static pid_t start_waiting_client(struct fixture *f)
{
	pid_t pid;

	assert_int_equal(child_fork(ask_once, f, &pid), 0);
	assert_true(support_wait_until(has_messages, f, 20000));
	return pid;
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(child_wait(pid, tick_after(30 * TICK_S), &status), 0);
	return child_exit_code(status);
}

static void client_learns_at_once_that_its_server_was_killed(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	fixture_stop(f);
	pid = start_waiting_client(f);
	fixture_kill(f);
	assert_int_equal(end_of(pid), EPIPE);
}

static bool waits_for_room(void *arg)
{
	return semctl(*(const int *)arg, 1, GETNCNT) > 0;
}

static void client_without_room_learns_that_its_server_was_killed(void **state)
{
	struct fixture *f = *state;
	pid_t server, pid;
	int gate;

	fixture_start(f);
	gate = gate_find(f->options.key, GATE_NO_FILE, &server);
	assert_int_equal(gate_reserve(gate, (uint32_t)semctl(gate, 1, GETVAL),
				      tick_after(20 * TICK_S)),
			 0);
	assert_int_equal(child_fork(ask_once, f, &pid), 0);
	assert_true(support_wait_until(waits_for_room, &gate, 20000));
	fixture_kill(f);
	assert_int_equal(end_of(pid), EPIPE);
}

static void removal_of_the_queue_is_eidrm_on_both_sides(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	fixture_stop(f);
	pid = start_waiting_client(f);
	msgctl(fixture_queue(f), IPC_RMID, NULL);
	assert_int_equal(end_of(pid), EIDRM);
	kill(f->server, SIGCONT);
	assert_int_equal(end_of(f->server), EIDRM);
	f->server = 0;
}

static void dead_servers_queue_is_purged_and_taken_over(void **state)
{
	struct fixture *f = *state;
	struct mqserver_found found;
	struct mqserver *server;
	pid_t pids[3];
	int queue;

	fixture_start(f);
	fixture_stop(f);
	queue = fixture_queue(f);
	for (int i = 0; i < 3; i++)
		pids[i] = start_waiting_client(f);
	while (status_of(f).msg_qnum < 3)
		tick_sleep_until(tick_after(TICK_MS));
	letter_ring(queue, 77);
	for (int i = 0; i < 3; i++) {
		kill(pids[i], SIGKILL);
		end_of(pids[i]);
	}
	fixture_kill(f);
	assert_int_equal(mqserver_create(&server, &f->options, &found), 0);
	assert_true(found.was_there);
	assert_int_equal(found.queue, queue);
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
	int rc;

	fixture_start(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	fixture_kill(f);
	fixture_start(f);
	rc = fixture_ask(client, 1, 1, 60000);
	assert_true(rc == -EPIPE || rc == -EIDRM);
	mqclient_close(client);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	mqclient_close(client);
}

/* ---- deadlines and late replies ---- */

static void late_reply_is_dropped_and_the_next_one_is_right(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	char reply[8];

	fixture_start(f);
	client = fixture_client(f);
	fixture_stop(f);
	/* Patient for the server, so that it does answer. */
	assert_int_equal(mqclient_send(client, "1", 1, sizeof(reply),
				       tick_after(60 * TICK_S)),
			 0);
	assert_int_equal(mqclient_wait(client, reply, sizeof(reply),
				       tick_after(30 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(fixture_ask(client, 2, 2, 30), -ETIMEDOUT);
	kill(f->server, SIGCONT);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fixture_ask(client, 3, i, 20000), 0);
	mqclient_close(client);
	assert_true(support_wait_until(has_no_messages, f, 20000));
}

static void deadlines_may_come_earlier_than_the_last(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	int64_t begun;

	fixture_start(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 60000), 0);
	fixture_stop(f);
	begun = tick_now();
	for (int i = 0; i < 10; i++)
		assert_int_equal(fixture_ask(client, 1, i, 10 - i), -ETIMEDOUT);
	assert_true(tick_now() - begun < 20 * TICK_S);
	mqclient_close(client);
}

static void do_nothing(int number)
{
	(void)number;
}

static int ask_and_be_interrupted(void *arg)
{
	const struct sigaction action = {.sa_handler = do_nothing};
	const struct fixture *f = arg;
	struct mqclient *client;
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE);

	sigaction(SIGUSR1, &action, NULL);
	if (rc == 0)
		rc = fixture_ask(client, 1, 1, 60000);
	if (rc != -EINTR)
		return 1;
	/* More of them may be on their way. */
	signal(SIGUSR1, SIG_IGN);
	kill(f->server, SIGCONT);
	rc = fixture_ask(client, 1, 2, 60000);
	mqclient_close(client);
	return rc ? 2 : ASK_STATUS_OK;
}

static void interrupted_client_can_go_on(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status;

	fixture_start(f);
	fixture_stop(f);
	assert_int_equal(child_fork(ask_and_be_interrupted, f, &pid), 0);
	assert_true(support_wait_until(has_messages, f, 20000));
	/* Until it is in msgrcv(2), the handler may run in vain. */
	while (child_wait(pid, tick_after(20 * TICK_MS), &status) == -ETIMEDOUT)
		kill(pid, SIGUSR1);
	assert_int_equal(child_exit_code(status), ASK_STATUS_OK);
}

/* ---- the dead, and those who have their ids ---- */

static void reply_to_a_killed_client_is_collected(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	fixture_start(f);
	for (int i = 0; i < 5; i++) {
		fixture_stop(f);
		pid = start_waiting_client(f);
		kill(pid, SIGKILL);
		end_of(pid);
		kill(f->server, SIGCONT);
		assert_true(support_wait_until(has_no_messages, f, 10000));
	}
}

static void put_reply(const struct fixture *f, uint64_t nonce, uint64_t start,
		      size_t len)
{
	struct letter *letter = letter_new(len);

	memset(letter->text, '?', len);
	letter->type = letter_type(gettid());
	letter->head = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = gettid(),
		.units = letter_units(len),
		.start = start,
		.nonce = nonce,
		.number = 1,
		.deadline = TICK_NEVER,
	};
	assert_int_equal(letter_send(fixture_queue(f), letter, len), 0);
	free(letter);
}

static void old_reply_to_a_recycled_id_is_not_taken_for_ours(void **state)
{
	struct fixture *f = *state;
	uint64_t mine = child_start_time(gettid());
	struct mqclient *client;

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	put_reply(f, 1, mine, 4); /* there before we come */
	client = fixture_client(f);
	put_reply(f, 2, mine, 4); /* and while we are here */
	put_reply(f, 3, mine, 4);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	mqclient_close(client);
	assert_true(support_wait_until(has_no_messages, f, 20000));
}

static void reply_of_an_earlier_thread_of_our_id_is_collected(void **state)
{
	struct fixture *f = *state;

	fixture_start(f);
	put_reply(f, 1, child_start_time(gettid()) - 1, 4);
	assert_true(support_wait_until(has_no_messages, f, 20000));
}

/* The living do not lose theirs to the sweep. */
static void reply_to_a_living_thread_is_kept(void **state)
{
	struct fixture *f = *state;
	struct sweep_counts counts;
	struct letter *letter = letter_new(64);

	fixture_start(f);
	put_reply(f, 1, child_start_time(gettid()), 4);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sweep_dead(fixture_queue(f), &counts), 0);
		assert_int_equal(counts.replies + counts.others, 0);
	}
	/* Perhaps the server's sweep has it in hand just now. */
	assert_int_equal(
		letter_receive(fixture_queue(f), gettid(), letter, 64, 0), 4);
	free(letter);
}

/* ---- lies ---- */

static void message_too_big_for_a_client_does_not_block_it(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	struct {
		long type;
		char bytes[8192];
	} message = {.type = letter_type(gettid())};

	f->options.sweep_ns = TICK_NEVER / 4;
	fixture_start(f);
	client = fixture_client(f);
	memset(message.bytes, 'x', sizeof(message.bytes));
	assert_int_equal(msgsnd(fixture_queue(f), &message,
				sizeof(message.bytes), IPC_NOWAIT),
			 0);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	mqclient_close(client);
}

static void garbage_of_any_length_does_not_stop_the_server(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	struct {
		long type;
		char bytes[1000];
	} message = {.type = LETTER_REQUEST};

	fixture_start(f);
	client = fixture_client(f);
	for (size_t len = 0; len < sizeof(message.bytes); len += 7) {
		memset(message.bytes, (int)len, sizeof(message.bytes));
		while (msgsnd(fixture_queue(f), &message, len, IPC_NOWAIT) < 0)
			assert_int_equal(errno, EAGAIN);
		message.type = message.type == 1 ? 999 : 1;
		assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	}
	mqclient_close(client);
	assert_true(support_wait_until(has_no_messages, f, 20000));
}

/* ---- another user ---- */

static int ask_as_nobody(void *arg)
{
	return setgid(65534) || setuid(65534) ? 1 : ask_once(arg);
}

static void another_user_needs_a_wider_mode(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	fixture_start(f);
	assert_int_equal(support_child_status(ask_as_nobody, f, 30000), EACCES);
	fixture_kill(f);
	f->options.mode = 0666;
	fixture_start(f);
	assert_int_equal(support_child_status(ask_as_nobody, f, 30000),
			 ASK_STATUS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_gets_its_answers),
		CASE(empty_and_longest_messages_are_answered),
		CASE(second_server_is_refused_even_if_the_first_is_stopped),
		CASE(queue_of_another_program_is_left_alone),
		CASE(client_learns_at_once_that_its_server_was_killed),
		CASE(client_without_room_learns_that_its_server_was_killed),
		CASE(removal_of_the_queue_is_eidrm_on_both_sides),
		CASE(dead_servers_queue_is_purged_and_taken_over),
		CASE(client_of_a_dead_server_is_told_to_open_another),
		CASE(late_reply_is_dropped_and_the_next_one_is_right),
		CASE(deadlines_may_come_earlier_than_the_last),
		CASE(interrupted_client_can_go_on),
		CASE(reply_to_a_killed_client_is_collected),
		CASE(old_reply_to_a_recycled_id_is_not_taken_for_ours),
		CASE(reply_of_an_earlier_thread_of_our_id_is_collected),
		CASE(reply_to_a_living_thread_is_kept),
		CASE(message_too_big_for_a_client_does_not_block_it),
		CASE(garbage_of_any_length_does_not_stop_the_server),
		CASE(another_user_needs_a_wider_mode),
	};

	return SUPPORT_MAIN(tests);
}
