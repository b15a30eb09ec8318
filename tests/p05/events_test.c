/* What a server does with requests that are none, come too late or lie, what it
 * tells of that, and how it ends: p05-sysv-mq/mqserver.h. */
#include "tests/p05/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Written by the server's process, read by ours. */
struct seen {
	_Atomic unsigned int
		events[MQSERVER_COLLECTED + 1]; /* by kind, their n */
	_Atomic int client;                     /* of the last that has one */
	_Atomic unsigned int asked;             /* calls of the answer */
	_Atomic size_t reply_max;               /* the largest */
	atomic_bool is_interruptible;
};

static struct seen *seen;

static void note(enum mqserver_event event, pid_t client, unsigned int n,
		 void *arg)
{
	(void)arg;
	if (client)
		atomic_store(&seen->client, client);
	atomic_fetch_add(&seen->events[event], n);
}

static ssize_t note_and_answer(const char *text, size_t text_bytes, char *reply,
			       size_t reply_max, void *arg)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (!sigismember(&blocked, SIGTERM))
		atomic_store(&seen->is_interruptible, true);
	if (reply_max > atomic_load(&seen->reply_max))
		atomic_store(&seen->reply_max, reply_max);
	atomic_fetch_add(&seen->asked, 1);
	return fixture_answer(text, text_bytes, reply, reply_max, arg);
}

static int set_up(void **state)
{
	struct fixture *f;
	int error = fixture_set_up(state);

	f = *state;
	f->options.on_event = note;
	f->options.answer = note_and_answer;
	f->options.sweep_ns = TICK_NEVER / 4;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return error || seen == MAP_FAILED;
}

static int tear_down(void **state)
{
	munmap(seen, sizeof(*seen));
	return fixture_tear_down(state);
}

static bool is_told(void *arg)
{
	return atomic_load(&seen->events[*(enum mqserver_event *)arg]) > 0;
}

static void expect_told(enum mqserver_event event, unsigned int n)
{
	assert_true(support_wait_until(is_told, &event, 20000));
	for (int i = 0; i <= MQSERVER_COLLECTED; i++)
		assert_int_equal(atomic_load(&seen->events[i]),
				 i == (int)event ? n : 0);
}

/* A request of ours, with room reserved for a reply of so many units, it says. */
static void put_request(const struct fixture *f, uint32_t units)
{
	struct letter *letter = fixture_letter(LETTER_REQUEST, 1);

	letter->head.units = units;
	assert_int_equal(letter_send(fixture_queue(f), letter, 1), 0);
	free(letter);
}

static ssize_t take_reply(const struct fixture *f, int flags)
{
	struct letter *letter = letter_new(5000);
	ssize_t n =
		letter_receive(fixture_queue(f), gettid(), letter, 5000, flags);

	free(letter);
	return n;
}

/* ---- what is told ---- */

static void what_is_no_request_is_told(void **state)
{
	struct fixture *f = *state;
	const struct {
		long type;
		char bytes[8];
	} garbage = {.type = LETTER_REQUEST};

	fixture_start(f);
	assert_int_equal(msgsnd(fixture_queue(f), &garbage, 8, 0), 0);
	expect_told(MQSERVER_GARBAGE, 1);
	assert_int_equal(atomic_load(&seen->asked), 0);
}

static void request_that_was_given_up_is_told_and_not_answered(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;

	fixture_start(f);
	fixture_stop(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20), -ETIMEDOUT);
	kill(f->server, SIGCONT);
	expect_told(MQSERVER_EXPIRED, 1);
	assert_int_equal(atomic_load(&seen->client), gettid());
	assert_int_equal(atomic_load(&seen->asked), 0);
	mqclient_close(client);
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

/* Of one that has not ended they are waited for. */
static void doorbells_for_the_dead_are_collected_and_told(void **state)
{
	struct fixture *f = *state;
	pid_t dead;
	int status;

	f->options.sweep_ns = 20 * TICK_MS;
	fixture_start(f);
	fixture_stop(f);
	assert_int_equal(child_fork(end_at_once, NULL, &dead), 0);
	assert_int_equal(child_wait(dead, tick_after(20 * TICK_S), &status), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(letter_ring(fixture_queue(f), dead), 0);
	assert_int_equal(letter_ring(fixture_queue(f), gettid()), 0);
	kill(f->server, SIGCONT);
	expect_told(MQSERVER_COLLECTED, 3);
	assert_int_equal(take_reply(f, 0), -ENODATA);
}

/* ---- what is believed ---- */

static void no_reply_is_longer_than_a_letter_can_be(void **state)
{
	struct fixture *f = *state;

	fixture_start(f);
	put_request(f, UINT32_MAX / 2);
	assert_int_equal(take_reply(f, 0), 2);
	assert_int_equal(atomic_load(&seen->reply_max),
			 letter_text_max(fixture_queue(f)));
	put_request(f, 1);
	assert_int_equal(take_reply(f, 0), 2);
}

static void no_signal_interrupts_an_answer(void **state)
{
	struct fixture *f = *state;
	struct mqclient *client;

	fixture_start(f);
	client = fixture_client(f);
	assert_int_equal(fixture_ask(client, 1, 1, 20000), 0);
	assert_false(atomic_load(&seen->is_interruptible));
	mqclient_close(client);
}

/* ---- a reply that found no room ---- */

enum { BIG = 1500 };

static ssize_t answer_big(const char *text, size_t text_bytes, char *reply,
			  size_t reply_max, void *arg)
{
	(void)text;
	(void)text_bytes;
	(void)arg;
	atomic_fetch_add(&seen->asked, 1);
	memset(reply, 'x', BIG);
	return reply_max < BIG ? -EMSGSIZE : BIG;
}

static bool is_asked(void *arg)
{
	(void)arg;
	return atomic_load(&seen->asked) > 0;
}

static bool is_answered(void *arg)
{
	return take_reply(arg, IPC_NOWAIT) == BIG;
}

/* And no other request comes that would make its worker look again. */
static void reply_that_found_no_room_is_sent_when_there_is_some(void **state)
{
	struct fixture *f = *state;

	f->options.answer = answer_big;
	fixture_start(f);
	fixture_stop(f);
	put_request(f, letter_units(BIG));
	fixture_fill(f, 0); /* for us, who live: so it stays */
	kill(f->server, SIGCONT);
	assert_true(support_wait_until(is_asked, NULL, 20000));
	/* For it to come to where it waits; there it sees the room, too. */
	tick_sleep_until(tick_after(50 * TICK_MS));
	assert_true(support_wait_until(is_answered, f, 20000));
}

/* ---- the end ---- */

static int serve_until_told(void *arg)
{
	struct fixture *f = arg;
	struct mqserver_found found;
	struct mqserver *server;
	int rc = mqserver_create(&server, &f->options, &found);

	if (rc || fdio_write_full(f->ready, "", 1))
		return 1;
	rc = mqserver_run(server, f->go[0]);
	mqserver_remove(server);
	return rc ? 2 : 0;
}

/* Of empty messages, which alone can leave no room for the one that ends a wait. */
static void full_queue_does_not_keep_a_server_from_its_end(void **state)
{
	struct fixture *f = *state;
	struct msqid_ds status;

	f->options.workers = 3;
	assert_int_equal(fdio_pipe(f->go), 0);
	f->server = support_start(serve_until_told, f, &f->ready, 20000);
	assert_int_equal(msgctl(fixture_queue(f), IPC_STAT, &status), 0);
	status.msg_qbytes = 2;
	assert_int_equal(msgctl(fixture_queue(f), IPC_SET, &status), 0);
	while (letter_ring(fixture_queue(f), gettid()) == 0)
		;
	assert_int_equal(fdio_write_full(f->go[1], "", 1), 0);
	assert_int_equal(fixture_end(f->server), 0);
	f->server = 0;
	fdio_close(&f->go[0]);
	fdio_close(&f->go[1]);
}

/* ---- what is another user's ---- */

static int leave_a_set_as_nobody(void *arg)
{
	const struct fixture *f = arg;
	bool is_new;

	return setgid(65534) || setuid(65534) ||
	       gate_take(f->options.key, GATE_NO_FILE, 0666,
			 tick_after(20 * TICK_S), &is_new) < 0;
}

/* Which error, or 0. */
static int serve_as_nobody(void *arg)
{
	const struct fixture *f = arg;
	struct mqserver_found found;
	struct mqserver *server;
	int rc;

	if (setgid(65534) || setuid(65534))
		return 1;
	rc = mqserver_create(&server, &f->options, &found);
	mqserver_remove(server);
	return -rc;
}

static void queue_of_another_user_is_not_emptied(void **state)
{
	struct fixture *f = *state;
	int queue, set;

	support_need_second_user();
	assert_int_equal(support_child_status(leave_a_set_as_nobody, f, 20000),
			 0);
	queue = msgget(f->options.key, IPC_CREAT | IPC_EXCL | 0666);
	assert_int_equal(letter_ring(queue, 77), 0);
	assert_int_equal(support_child_status(serve_as_nobody, f, 20000),
			 EPERM);
	assert_int_equal(fixture_queue(f), queue);
	assert_int_equal(fixture_status(f).msg_qnum, 1);
	set = semget(f->options.key, 0, 0);
	assert_int_equal(gate_remove(set), 0);
	msgctl(queue, IPC_RMID, NULL);
}

#undef CASE
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_no_request_is_told),
		CASE(request_that_was_given_up_is_told_and_not_answered),
		CASE(doorbells_for_the_dead_are_collected_and_told),
		CASE(no_reply_is_longer_than_a_letter_can_be),
		CASE(no_signal_interrupts_an_answer),
		CASE(reply_that_found_no_room_is_sent_when_there_is_some),
		CASE(full_queue_does_not_keep_a_server_from_its_end),
		CASE(queue_of_another_user_is_not_emptied),
	};

	return SUPPORT_MAIN(tests);
}
