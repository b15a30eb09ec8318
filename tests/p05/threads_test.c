/* Server, workers and clients as threads of one process: what they share is
 * for the thread sanitizer to judge. */
#include <pthread.h>
#include <sys/eventfd.h>

#include "tests/p05/fixture.h"

enum { CLIENTS = 8, REQUESTS = 300 };

struct running {
	struct mqserver *server;
	int stop_fd, result;
};

static void *run_server(void *arg)
{
	struct running *running = arg;

	running->result = mqserver_run(running->server, running->stop_fd);
	return NULL;
}

static void *run_client(void *arg)
{
	const struct fixture *f = arg;
	struct mqclient *client;
	intptr_t rc = mqclient_open(&client, f->options.key, GATE_NO_FILE,
				    GATE_NO_OTHER);

	for (int i = 0; i < REQUESTS && rc == 0; i++)
		rc = fixture_ask(client, gettid(), i, 60000);
	mqclient_close(client);
	return (void *)rc; // NOLINT(performance-no-int-to-ptr)
}

static void start_server(struct fixture *f, struct running *running,
			 pthread_t *thread)
{
	struct mqserver_found found;

	f->options.workers = 4;
	f->options.sweep_ns = TICK_MS;
	assert_int_equal(mqserver_create(&running->server, &f->options, &found),
			 0);
	assert_false(found.was_there);
	running->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(thread, NULL, run_server, running), 0);
}

static void stop_server(struct running *running, pthread_t thread)
{
	const uint64_t one = 1;

	assert_int_equal(write(running->stop_fd, &one, sizeof(one)), 8);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(running->result, 0);
	mqserver_remove(running->server);
	close(running->stop_fd);
}

static void threads_ask_and_answer_in_one_process(void **state)
{
	struct fixture *f = *state;
	struct running running;
	pthread_t server, clients[CLIENTS];
	void *result;

	start_server(f, &running, &server);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(
			pthread_create(&clients[i], NULL, run_client, f), 0);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(pthread_join(clients[i], &result), 0);
		assert_null(result);
	}
	stop_server(&running, server);
	assert_int_equal(fixture_queue(f), -1);
	assert_int_equal(semget(f->options.key, 0, 0), -1);
}

/* A client may learn of the end at any moment, and in several ways: the queue
 * is gone, there is none, or the server is (seen by a doorbell that has no pidfd,
 * as under valgrind). */
static void server_may_stop_while_clients_ask(void **state)
{
	struct fixture *f = *state;
	struct running running;
	pthread_t server, clients[CLIENTS];
	intptr_t rc;
	void *result;

	for (int round = 0; round < 10; round++) {
		start_server(f, &running, &server);
		for (int i = 0; i < CLIENTS; i++)
			pthread_create(&clients[i], NULL, run_client, f);
		tick_sleep_until(tick_after(round * TICK_MS));
		stop_server(&running, server);
		for (int i = 0; i < CLIENTS; i++) {
			pthread_join(clients[i], &result);
			rc = (intptr_t)result;
			assert_true(rc == 0 || rc == -EIDRM || rc == -ENOENT ||
				    rc == -EPIPE);
		}
	}
}

/* However many thousand requests, no descriptor and no thread stays. */
static void opening_and_closing_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	struct running running;
	struct mqclient *client;
	pthread_t server;
	int fds;

	start_server(f, &running, &server);
	fds = support_count_fds();
	for (int i = 0; i < 300; i++) {
		client = fixture_client(f);
		if (i % 2)
			assert_int_equal(fixture_ask(client, i, 1, 20000), 0);
		mqclient_close(client);
	}
	assert_int_equal(support_count_fds(), fds);
	stop_server(&running, server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(threads_ask_and_answer_in_one_process),
		CASE(server_may_stop_while_clients_ask),
		CASE(opening_and_closing_leaks_nothing),
	};

	return SUPPORT_MAIN(tests);
}
