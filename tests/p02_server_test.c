/* Server and clients together: p02-fifo/server.h, client.h and fifo.h. */
#include "p02-fifo/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/frame.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p02-fifo/client.h"
#include "p02-fifo/fifo.h"
#include "p02-fifo/message.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

struct fixture {
	struct scratch scratch;
	char path[256];        /* of the server's FIFO */
	pid_t server;          /* 0: none runs */
	struct client *client; /* of tests that fork while it is open */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	scratch_make(&f->scratch);
	snprintf(f->path, sizeof(f->path), "%s",
		 scratch_path(&f->scratch, "calc_server"));
	*state = f;
	return 0;
}

static int run_server(void *arg)
{
	const struct server_options options = {.path = arg, .mode = 0600};
	struct server *server;

	if (server_create(&server, &options))
		return 1;
	return server_run(server, -1) ? 2 : 0;
}

static bool is_served(void *arg)
{
	int fd = fifo_open_writer(arg, geteuid());

	return fd >= 0 && close(fd) == 0;
}

static void start(struct fixture *f)
{
	assert_int_equal(child_fork(run_server, f->path, &f->server), 0);
	assert_true(support_wait_until(is_served, f->path, 5000));
}

static void kill_server(struct fixture *f)
{
	int status;

	if (!f->server)
		return;
	kill(f->server, SIGKILL);
	assert_int_equal(child_wait(f->server, TICK_NEVER, &status), 0);
	f->server = 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kill_server(f);
	client_close(f->client);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static struct client_options options_for(const struct fixture *f)
{
	return (struct client_options){
		.path = f->path,
		.owner = geteuid(),
		.mode = 0600,
		.stop_fd = -1,
	};
}

static struct client *open_client(const struct fixture *f)
{
	const struct client_options options = options_for(f);
	struct client *client;

	assert_int_equal(client_open(&client, &options), 0);
	return client;
}

/* "a+b" for this client and number, asked and checked. 0 or -errno. */
static int ask_sum(struct client *client, int a, int b, int timeout_ms)
{
	enum expr_error error;
	char text[64];
	int64_t value;
	int rc;

	snprintf(text, sizeof(text), "%d+%d", a, b);
	rc = client_ask(client, text, tick_after(timeout_ms * TICK_MS), &error,
			&value);
	if (rc)
		return rc;
	return error == EXPR_OK && value == a + b ? 0 : -EBADMSG;
}

static void client_gets_its_answers(void **state)
{
	struct fixture *f = *state;
	struct client *client;
	enum expr_error error;
	int64_t value;

	start(f);
	client = open_client(f);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask_sum(client, i, 1, 5000), 0);
	assert_int_equal(client_ask(client, "1/0", tick_after(5 * TICK_S),
				    &error, &value),
			 0);
	assert_int_equal(error, EXPR_DIVISION_BY_ZERO);
	client_close(client);
}

/* ---- many at once ---- */

enum { MANY = 50, EACH = 200 };

struct asker {
	const struct fixture *fixture;
	int index;
};

static int ask_many(void *arg)
{
	const struct asker *asker = arg;
	const struct client_options options = options_for(asker->fixture);
	struct client *client;

	if (client_open(&client, &options))
		return 1;
	for (int i = 0; i < EACH; i++)
		if (ask_sum(client, asker->index * EACH, i, 30000))
			return 2;
	client_close(client);
	return 0;
}

static void fifty_clients_at_once_get_their_own_answers(void **state)
{
	struct fixture *f = *state;
	struct asker askers[MANY];
	pid_t pids[MANY];
	int status;

	start(f);
	for (int i = 0; i < MANY; i++) {
		askers[i] = (struct asker){.fixture = f, .index = i};
		assert_int_equal(child_fork(ask_many, &askers[i], &pids[i]), 0);
	}
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(child_exit_code(status), 0);
	}
}

/* ---- requests with lies in them, put into the FIFO by hand ---- */

static void put_request(const struct fixture *f, pid_t pid, const char *text)
{
	const struct message_request request = {
		.head = {.nonce = 1, .number = 1},
		.pid = pid,
		.uid = geteuid(),
	};
	unsigned char payload[FRAME_ATOMIC_MAX];
	ssize_t n =
		message_pack_request(&request, text, payload, sizeof(payload));
	int fd = fifo_open_writer(f->path, geteuid());

	assert_true(fd >= 0);
	assert_int_equal(frame_send(fd, MESSAGE_REQUEST, payload, (size_t)n,
				    tick_after(5 * TICK_S)),
			 0);
	close(fd);
}

static void assert_still_serves(struct fixture *f)
{
	struct client *client = open_client(f);

	assert_int_equal(ask_sum(client, 20, 22, 5000), 0);
	client_close(client);
}

static void garbage_and_unknown_pids_do_not_stop_the_server(void **state)
{
	struct fixture *f = *state;
	unsigned char noise[3000];
	struct rng rng;
	int fd;

	start(f);
	rng_seed(&rng, 1);
	fd = fifo_open_writer(f->path, geteuid());
	for (int i = 0; i < 200; i++) {
		rng_fill(&rng, noise, sizeof(noise));
		assert_int_equal(fdio_write_until(fd, noise, sizeof(noise),
						  tick_after(5 * TICK_S)),
				 0);
		put_request(f, 1 + i, "1+1");
	}
	close(fd);
	assert_still_serves(f);
}

static void reply_path_that_is_no_fifo_of_ours_is_left_alone(void **state)
{
	struct fixture *f = *state;
	static const char *const files[] = {"precious", "calc_client_102"};
	char target[256], link[256];

	start(f);
	scratch_write(&f->scratch, "precious", "precious", 8);
	scratch_write(&f->scratch, "calc_client_102", "precious", 8);
	snprintf(target, sizeof(target), "%s",
		 scratch_path(&f->scratch, "precious"));
	snprintf(link, sizeof(link), "%s",
		 scratch_path(&f->scratch, "calc_client_101"));
	assert_int_equal(symlink(target, link), 0);
	put_request(f, 101, "1+1");
	put_request(f, 102, "1+1");
	assert_still_serves(f);
	for (int i = 0; i < 2; i++) {
		char text[16] = "";
		int fd = open(scratch_path(&f->scratch, files[i]),
			      O_RDONLY | O_CLOEXEC);

		assert_int_equal(fdio_read_full(fd, text, sizeof(text) - 1), 8);
		assert_string_equal(text, "precious");
		close(fd);
	}
	assert_int_equal(unlink(scratch_path(&f->scratch, "calc_client_102")),
			 0);
}

static void client_that_never_reads_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct fifo deaf = FIFO_CLOSED;
	char path[256];

	start(f);
	assert_int_equal(fifo_reply_path(path, sizeof(path), f->path, 103), 0);
	assert_int_equal(fifo_create(&deaf, path, 0600), 0);
	/* Many times what a FIFO holds of answers. */
	for (int i = 0; i < 5000; i++)
		put_request(f, 103, "1+1");
	assert_still_serves(f);
	fifo_remove(&deaf);
}

static bool is_gone(void *arg)
{
	return access(arg, F_OK) < 0;
}

static int open_and_hang(void *arg)
{
	const struct client_options options = options_for(arg);
	struct client *client;

	if (client_open(&client, &options) || ask_sum(client, 1, 2, 5000))
		return 1;
	raise(SIGKILL);
	return 2;
}

static void fifo_of_a_killed_client_is_removed(void **state)
{
	struct fixture *f = *state;
	char path[256];
	int status;
	pid_t pid;

	start(f);
	assert_int_equal(child_fork(open_and_hang, f, &pid), 0);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
	fifo_reply_path(path, sizeof(path), f->path, pid);
	assert_true(support_wait_until(is_gone, path, 5000));
}

static void next_server_sweeps_what_killed_clients_left(void **state)
{
	struct fixture *f = *state;
	char dead[256];

	snprintf(dead, sizeof(dead), "%s",
		 scratch_path(&f->scratch, "calc_client_99"));
	f->client = open_client(f);
	assert_int_equal(mkfifo(dead, 0600), 0);
	start(f);
	assert_true(support_wait_until(is_gone, dead, 5000));
	assert_int_equal(ask_sum(f->client, 1, 1, 5000), 0);
}

/* ---- the server's FIFO ---- */

static void second_server_is_refused_and_a_dead_ones_fifo_taken_over(
	void **state)
{
	struct fixture *f = *state;
	const struct server_options options = {.path = f->path, .mode = 0600};
	struct server *server;

	start(f);
	assert_int_equal(server_create(&server, &options), -EADDRINUSE);
	assert_null(server);
	assert_still_serves(f);
	kill_server(f);
	assert_int_equal(access(f->path, F_OK), 0);
	assert_int_equal(server_create(&server, &options), 0);
	server_remove(server);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void what_is_no_fifo_of_ours_is_not_taken_over(void **state)
{
	struct fixture *f = *state;
	const struct server_options options = {.path = f->path, .mode = 0600};
	struct server *server;
	struct stat st;

	scratch_write(&f->scratch, "calc_server", "text", 4);
	assert_int_equal(server_create(&server, &options), -ENOTUNIQ);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 4);
	unlink(f->path);
	scratch_write(&f->scratch, "file", "text", 4);
	assert_int_equal(symlink(scratch_path(&f->scratch, "file"), f->path),
			 0);
	assert_int_equal(server_create(&server, &options), -ENOTUNIQ);
	unlink(f->path);
	assert_int_equal(server_create(&server, &options), 0);
	assert_int_equal(fifo_open_writer(f->path, geteuid() + 1), -ENOTUNIQ);
	server_remove(server);
}

static void mode_is_exact_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	mode_t old = umask(077);
	struct stat st;

	assert_int_equal(fifo_create(&fifo, f->path, 0622), 0);
	umask(old);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0622);
	fifo_remove(&fifo);
}

static void name_that_was_taken_over_by_another_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;

	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	fifo_remove(&fifo);
	assert_int_equal(access(f->path, F_OK), 0);
}

/* ---- clients without a server ---- */

static void client_without_a_server_gives_up_at_its_deadline(void **state)
{
	struct client *client = open_client(*state);

	assert_int_equal(ask_sum(client, 1, 1, 50), -ENOENT);
	client_close(client);
}

static int ask_before_there_is_a_server(void *arg)
{
	const struct client_options options = options_for(arg);
	struct client *client;
	int rc;

	if (client_open(&client, &options))
		return 1;
	rc = ask_sum(client, 1, 1, 10000);
	client_close(client);
	return rc ? 2 : 0;
}

static bool is_asking(void *arg)
{
	return access(arg, F_OK) == 0;
}

static void client_started_first_waits_for_the_server(void **state)
{
	struct fixture *f = *state;
	char path[256];
	int status;
	pid_t pid;

	for (int is_stale = 0; is_stale < 2; is_stale++) {
		assert_int_equal(
			child_fork(ask_before_there_is_a_server, f, &pid), 0);
		fifo_reply_path(path, sizeof(path), f->path, pid);
		assert_true(support_wait_until(is_asking, path, 5000));
		/* The second time the dead server's FIFO is there. */
		start(f);
		assert_int_equal(
			child_wait(pid, tick_after(15 * TICK_S), &status), 0);
		assert_int_equal(child_exit_code(status), 0);
		kill_server(f);
	}
}

static void server_that_does_not_answer_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	struct client *client = open_client(f);
	struct fifo deaf = FIFO_CLOSED;

	assert_int_equal(fifo_create(&deaf, f->path, 0600), 0);
	assert_int_equal(ask_sum(client, 1, 1, 50), -ETIMEDOUT);
	fifo_remove(&deaf);
	client_close(client);
}

struct fake {
	struct fixture *fixture;
	struct fifo fifo;
};

/* Takes one request, answers a wrong number, and dies. */
static int answer_wrongly(void *arg)
{
	const struct fake *fake = arg;
	struct message_request request;
	char payload[FRAME_ATOMIC_MAX], path[256];
	struct message_reply reply = {.value = 666};
	uint32_t type;
	int fd;

	if (frame_recv(fake->fifo.read_fd, &type, payload, sizeof(payload),
		       tick_after(5 * TICK_S)) < 0)
		return 1;
	memcpy(&request, payload, sizeof(request));
	fifo_reply_path(path, sizeof(path), fake->fixture->path, request.pid);
	fd = fifo_open_writer(path, geteuid());
	reply.head = request.head;
	reply.head.number++;
	message_seal_reply(&reply);
	frame_send(fd, MESSAGE_REPLY, &reply, sizeof(reply), TICK_NEVER);
	reply.head.number--;
	reply.head.nonce++;
	message_seal_reply(&reply);
	frame_send(fd, MESSAGE_REPLY, &reply, sizeof(reply), TICK_NEVER);
	return 0;
}

static void server_that_dies_before_the_answer_is_noticed_at_once(void **state)
{
	struct fixture *f = *state;
	struct fake fake = {.fixture = f, .fifo = FIFO_CLOSED};
	int status;
	pid_t pid;

	f->client = open_client(f);
	assert_int_equal(fifo_create(&fake.fifo, f->path, 0600), 0);
	assert_int_equal(child_fork(answer_wrongly, &fake, &pid), 0);
	fdio_close(&fake.fifo.read_fd);
	fdio_close(&fake.fifo.write_fd);
	/* Answers to other questions are not ours. */
	assert_int_equal(ask_sum(f->client, 1, 1, 60000), -EPIPE);
	assert_int_equal(child_wait(pid, tick_after(5 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	start(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 5000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(client_gets_its_answers, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			fifty_clients_at_once_get_their_own_answers, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			garbage_and_unknown_pids_do_not_stop_the_server, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			reply_path_that_is_no_fifo_of_ours_is_left_alone,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			client_that_never_reads_holds_up_nobody, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			fifo_of_a_killed_client_is_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			next_server_sweeps_what_killed_clients_left, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			second_server_is_refused_and_a_dead_ones_fifo_taken_over,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_no_fifo_of_ours_is_not_taken_over, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			mode_is_exact_whatever_the_umask, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			name_that_was_taken_over_by_another_is_not_removed,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			client_without_a_server_gives_up_at_its_deadline,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			client_started_first_waits_for_the_server, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			server_that_does_not_answer_is_a_timeout, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			server_that_dies_before_the_answer_is_noticed_at_once,
			set_up, tear_down),
	};

	return SUPPORT_MAIN(tests);
}
