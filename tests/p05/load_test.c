/* Fifty clients at once, with one and with four workers. */
#include "tests/p05/fixture.h"

enum { CLIENTS = 50, REQUESTS = 200 };

struct asker {
	const struct fixture *fixture;
	int index;
};

static int ask_many(void *arg)
{
	const struct asker *asker = arg;
	struct mqclient *client;
	int rc = mqclient_open(&client, asker->fixture->options.key,
			       GATE_NO_FILE, GATE_NO_OTHER);

	for (int i = 0; i < REQUESTS && rc == 0; i++)
		rc = fixture_ask(client, asker->index * REQUESTS, i, 60000);
	mqclient_close(client);
	return -rc;
}

static void run_fifty_clients(struct fixture *f, int workers)
{
	struct asker askers[CLIENTS];
	pid_t pids[CLIENTS];
	struct msqid_ds status;
	int end;

	f->options.workers = workers;
	fixture_start(f);
	for (int i = 0; i < CLIENTS; i++) {
		askers[i] = (struct asker){.fixture = f, .index = i};
		assert_int_equal(child_fork(ask_many, &askers[i], &pids[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &end), 0);
		assert_int_equal(child_exit_code(end), 0);
	}
	assert_int_equal(msgctl(fixture_queue(f), IPC_STAT, &status), 0);
	assert_int_equal(status.msg_qnum, 0);
	/* All room is back: 1 is its semaphore. */
	assert_int_equal(semctl(semget(f->options.key, 0, 0), 1, GETVAL),
			 status.msg_qbytes / LETTER_UNIT);
}

static void fifty_clients_get_their_own_answers_from_one_worker(void **state)
{
	run_fifty_clients(*state, 1);
}

static void fifty_clients_get_their_own_answers_from_four_workers(void **state)
{
	run_fifty_clients(*state, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(fifty_clients_get_their_own_answers_from_one_worker),
		CASE(fifty_clients_get_their_own_answers_from_four_workers),
	};

	return SUPPORT_MAIN(tests);
}
