/* The server is killed at random points and started again, under clients that
 * ask all the time: each request ends in its answer or in an error that says
 * what happened, in time. STRESS=1: many more rounds. */
#include "lib/rng.h"
#include "tests/p05/fixture.h"

/* Ample, for busy machines: nobody waits so long for a server that was killed. */
enum { CLIENTS = 10, TIMEOUT_MS = 20000, SLACK_MS = 10000 };

struct asker {
	const struct fixture *fixture;
	int64_t until;
};

/* Ask until the time is over; 0, or what went wrong. */
static int ask_through_crashes(void *arg)
{
	const struct asker *asker = arg;
	struct mqclient *client = NULL;
	int answers = 0, rc;

	for (int i = 0; !tick_is_over(asker->until) || !answers; i++) {
		int64_t latest = tick_after((TIMEOUT_MS + SLACK_MS) * TICK_MS);

		rc = client ? 0
			    : mqclient_open(&client,
					    asker->fixture->options.key,
					    GATE_NO_FILE, GATE_NO_OTHER);
		if (rc == 0)
			rc = fixture_ask(client, getpid(), i, TIMEOUT_MS);
		if (tick_is_over(latest))
			return 1; /* hung past its timeout */
		answers += rc == 0;
		if (rc == 0)
			continue;
		if (rc != -ENOENT && rc != -EPIPE && rc != -EIDRM)
			return -rc;
		mqclient_close(client);
		client = NULL;
		tick_sleep_until(tick_after(TICK_MS));
	}
	mqclient_close(client);
	return 0;
}

static void killed_server_costs_no_client_more_than_an_error(void **state)
{
	struct fixture *f = *state;
	const int64_t seconds = support_is_stress() ? 120 : 2;
	struct asker asker = {.fixture = f,
			      .until = tick_after(seconds * TICK_S)};
	pid_t pids[CLIENTS];
	struct rng rng;
	int status, kills = 0;

	rng_seed(&rng, 5);
	f->options.workers = 2;
	fixture_start(f);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(
			child_fork(ask_through_crashes, &asker, &pids[i]), 0);
	while (!tick_is_over(asker.until)) {
		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 20 * TICK_MS)));
		support_kill(&f->server);
		fixture_start(f);
		kills++;
	}
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(child_exit_code(status), 0);
	}
	print_message("%d kills\n", kills);
}

/* The same for the start: killed at any moment while it takes over. */
static void server_killed_while_it_starts_is_taken_over(void **state)
{
	struct fixture *f = *state;
	const int rounds = support_is_stress()      ? 20000
			   : support_is_sanitized() ? 150
						    : 500;
	struct rng rng;
	int status;

	rng_seed(&rng, 6);
	for (int i = 0; i < rounds; i++) {
		assert_int_equal(child_fork(fixture_serve, f, &f->server), 0);
		tick_sleep_until(tick_after((int64_t)rng_below(&rng, TICK_MS)));
		kill(f->server, SIGKILL);
		assert_int_equal(child_wait(f->server, TICK_NEVER, &status), 0);
		assert_int_equal(child_exit_code(status), 128 + SIGKILL);
	}
	fixture_start(f);
}

/* Clients are killed at random points: nothing of theirs stays. */
static int ask_for_ever(void *arg)
{
	const struct fixture *f = arg;
	struct mqclient *client;
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE,
			       GATE_NO_OTHER);

	for (int i = 0; rc == 0; i++)
		rc = fixture_ask(client, getpid(), i, 60000);
	return -rc;
}

static bool is_clean(void *arg)
{
	const struct fixture *f = arg;
	struct msqid_ds status;

	return msgctl(fixture_queue(f), IPC_STAT, &status) == 0 &&
	       status.msg_qnum == 0 &&
	       semctl(semget(f->options.key, 0, 0), 1, GETVAL) ==
		       (int)(status.msg_qbytes / LETTER_UNIT);
}

static void killed_clients_leave_neither_messages_nor_room(void **state)
{
	struct fixture *f = *state;
	const int rounds = support_is_stress()      ? 5000
			   : support_is_sanitized() ? 60
						    : 200;
	struct rng rng;
	int status;
	pid_t pids[4];

	rng_seed(&rng, 7);
	fixture_start(f);
	for (int i = 0; i < rounds; i++) {
		for (int j = 0; j < 4; j++)
			assert_int_equal(child_fork(ask_for_ever, f, &pids[j]),
					 0);
		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 5 * TICK_MS)));
		for (int j = 0; j < 4; j++) {
			kill(pids[j], SIGKILL);
			child_wait(pids[j], TICK_NEVER, &status);
			assert_int_equal(child_exit_code(status),
					 128 + SIGKILL);
		}
	}
	assert_true(support_wait_until(is_clean, f, 10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(killed_server_costs_no_client_more_than_an_error),
		CASE(server_killed_while_it_starts_is_taken_over),
		CASE(killed_clients_leave_neither_messages_nor_room),
	};

	return SUPPORT_MAIN(tests);
}
