/* One server and a few clients: p05-sysv-mq/mqserver.h and mqclient.h. What is
 * left when one of them is killed is in death_test.c. */
#include "tests/p05/fixture.h"

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
	assert_int_equal(mqclient_ask(client, NULL, 0, reply, 1,
				      tick_after(20 * TICK_S)),
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
	assert_int_equal(mqclient_open(&client, f->options.key, GATE_NO_FILE,
				       GATE_NO_OTHER),
			 -ENOENT);
	assert_int_equal(fixture_queue(f), queue);
	assert_int_equal(msgctl(queue, IPC_RMID, NULL), 0);
	assert_int_equal(semget(f->options.key, 0, 0), -1);
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
	assert_true(support_wait_until(fixture_has_no_messages, f, 20000));
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
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE,
			       GATE_NO_OTHER);

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
	return rc ? 2 : FIXTURE_ASKED;
}

static void interrupted_client_can_go_on(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status;

	fixture_start(f);
	fixture_stop(f);
	assert_int_equal(child_fork(ask_and_be_interrupted, f, &pid), 0);
	assert_true(support_wait_until(fixture_has_messages, f, 20000));
	/* Until it is in msgrcv(2), the handler may run in vain. */
	while (child_wait(pid, tick_after(20 * TICK_MS), &status) == -ETIMEDOUT)
		kill(pid, SIGUSR1);
	assert_int_equal(child_exit_code(status), FIXTURE_ASKED);
}

/* ---- lies ---- */

static void message_too_big_for_a_client_does_not_block_it(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;
	struct {
		long type;
		char bytes[8192];
	} message = {.type = gettid()};

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
	assert_true(support_wait_until(fixture_has_no_messages, f, 20000));
}

/* ---- another user ---- */

static int ask_as_nobody(void *arg)
{
	return setgid(65534) || setuid(65534) ? 1 : fixture_ask_once(arg);
}

static void another_user_needs_a_wider_mode(void **state)
{
	struct fixture *f = *state;

	support_need_second_user();
	fixture_start(f);
	assert_int_equal(support_child_status(ask_as_nobody, f, 30000), EACCES);
	support_kill(&f->server);
	f->options.mode = 0666;
	fixture_start(f);
	assert_int_equal(support_child_status(ask_as_nobody, f, 30000),
			 FIXTURE_ASKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_gets_its_answers),
		CASE(empty_and_longest_messages_are_answered),
		CASE(second_server_is_refused_even_if_the_first_is_stopped),
		CASE(queue_of_another_program_is_left_alone),
		CASE(late_reply_is_dropped_and_the_next_one_is_right),
		CASE(deadlines_may_come_earlier_than_the_last),
		CASE(interrupted_client_can_go_on),
		CASE(message_too_big_for_a_client_does_not_block_it),
		CASE(garbage_of_any_length_does_not_stop_the_server),
		CASE(another_user_needs_a_wider_mode),
	};

	return SUPPORT_MAIN(tests);
}
