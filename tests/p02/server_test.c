/* Server and clients together: p02-fifo/server.h and client.h. Whose the FIFO
 * is, is asked in fifo_test.c, and what becomes of clients without a server
 * in client_test.c. */
#include "tests/p02/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/fdio.h"
#include "lib/frame.h"
#include "lib/rng.h"
#include "p02-fifo/message.h"
#include "tests/support/hasty.h"
#include "tests/support/interrupt.h"

static void client_gets_its_answers(void **state)
{
	struct fixture *f = *state;
	struct client *client;
	enum expr_error error;
	int64_t value;

	start(f);
	client = open_client(f);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask_sum(client, i, 1, 20000), 0);
	assert_int_equal(client_ask(client, "1/0", tick_after(20 * TICK_S),
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

static void put_request_of(const struct fixture *f, pid_t pid, uint64_t nonce,
			   const char *text)
{
	const struct message_request request = {
		.head = {.nonce = nonce, .number = 1},
		.pid = pid,
		.uid = geteuid(),
	};
	unsigned char payload[FRAME_ATOMIC_MAX];
	ssize_t n =
		message_pack_request(&request, text, payload, sizeof(payload));
	int fd = fifo_open_writer(f->path, geteuid());

	assert_true(fd >= 0);
	assert_int_equal(frame_send(fd, MESSAGE_REQUEST, payload, (size_t)n,
				    tick_after(20 * TICK_S)),
			 0);
	close(fd);
}

static void put_request(const struct fixture *f, pid_t pid, const char *text)
{
	put_request_of(f, pid, 1, text);
}

/* Each request takes long, and brings the next one; the first one, the stop. */
struct slow {
	const struct fixture *fixture;
	int stop, served;
};

static void be_slow(const struct server_event *event, void *arg)
{
	struct slow *slow = arg;
	const uint64_t one = 1;

	if (event->kind != SERVER_RECEIVED)
		return;
	if (slow->served++ == 0)
		assert_int_equal(write(slow->stop, &one, sizeof(one)), 8);
	tick_sleep_until(tick_after(5 * TICK_MS));
	if (slow->served < 100)
		put_request(slow->fixture, getpid(), "1+1");
}

static void stop_is_heeded_however_long_requests_take(void **state)
{
	struct fixture *f = *state;
	struct slow slow = {.fixture = f, .stop = eventfd(0, EFD_CLOEXEC)};
	const struct server_options options = {
		.path = f->path,
		.mode = 0600,
		.on_event = be_slow,
		.arg = &slow,
	};
	struct server *server;

	assert_int_equal(server_create(&server, &options), 0);
	put_request(f, getpid(), "1+1");
	assert_int_equal(server_run(server, slow.stop), 0);
	assert_in_range(slow.served, 1, 8);
	server_remove(server);
	close(slow.stop);
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
						  tick_after(20 * TICK_S)),
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

static bool has_answer(const struct fifo *fifo)
{
	return fdio_wait(fifo->read_fd, POLLIN, tick_after(20 * TICK_S)) > 0;
}

/* The pid is the same, and the first one's FIFO open still. */
static void another_client_of_one_pid_is_answered_in_its_own_fifo(void **state)
{
	struct fixture *f = *state;
	struct fifo first = FIFO_CLOSED, second = FIFO_CLOSED;
	char path[256];

	start(f);
	assert_int_equal(fifo_reply_path(path, sizeof(path), f->path, 104), 0);
	assert_int_equal(fifo_create(&first, path, 0600), 0);
	put_request_of(f, 104, 1, "1+1");
	assert_true(has_answer(&first));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fifo_create(&second, path, 0600), 0);
	put_request_of(f, 104, 2, "1+1");
	assert_true(has_answer(&second));
	fifo_remove(&first);
	fifo_remove(&second);
}

static int run_interrupted(void *arg)
{
	interrupt_start();
	return run_server(arg);
}

static void signal_that_is_no_stop_does_not_end_the_server(void **state)
{
	struct fixture *f = *state;

	f->server = support_start(run_interrupted, f, &f->ready, 20000);
	/* Some waits of it have been interrupted by then. */
	tick_sleep_until(tick_after(10 * TICK_MS));
	assert_still_serves(f);
	assert_false(support_has_ended(&f->server));
}

/* ---- garbage, and how much of it ---- */

struct noise {
	const struct fixture *fixture;
	int stop, times;
	uint64_t skipped[8];
};

static void put_garbage(const struct fixture *f, const char *text)
{
	int fd = fifo_open_writer(f->path, geteuid());

	assert_int_equal(fdio_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

/* Garbage twice, a FIFO that is made anew, and a request there. */
static void make_noise(const struct server_event *event, void *arg)
{
	struct noise *noise = arg;
	const uint64_t one = 1;

	if (event->kind == SERVER_GARBAGE) {
		assert_in_range(noise->times, 0, 7);
		noise->skipped[noise->times++] = event->skipped;
		if (noise->times == 1)
			put_garbage(noise->fixture, "12345");
		if (noise->times == 2)
			unlink(noise->fixture->path);
	}
	if (event->kind == SERVER_RENEWED)
		put_request(noise->fixture, 105, "1+1");
	if (event->kind == SERVER_DROPPED)
		assert_int_equal(write(noise->stop, &one, sizeof(one)), 8);
}

static void garbage_is_told_once_and_counted(void **state)
{
	struct fixture *f = *state;
	struct noise noise = {.fixture = f, .stop = eventfd(0, EFD_CLOEXEC)};
	const struct server_options options = {
		.path = f->path,
		.mode = 0600,
		.on_event = make_noise,
		.arg = &noise,
	};
	struct server *server;

	assert_int_equal(server_create(&server, &options), 0);
	put_garbage(f, "1234567");
	is_hasty = true;
	assert_int_equal(server_run(server, noise.stop), 0);
	is_hasty = false;
	assert_int_equal(noise.times, 2);
	assert_int_equal(noise.skipped[0], 7);
	assert_int_equal(noise.skipped[1], 5);
	server_remove(server);
	close(noise.stop);
}

static bool is_gone(void *arg)
{
	return access(arg, F_OK) < 0;
}

static int open_and_hang(void *arg)
{
	const struct client_options options = options_for(arg);
	struct client *client;

	if (client_open(&client, &options) || ask_sum(client, 1, 2, 20000))
		return 1;
	raise(SIGKILL);
	return 2;
}

static int open_and_stop(void *arg)
{
	const struct client_options options = options_for(arg);
	struct client *client;

	if (client_open(&client, &options) || ask_sum(client, 1, 2, 20000))
		return 1;
	raise(SIGSTOP);
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
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
	fifo_reply_path(path, sizeof(path), f->path, pid);
	assert_true(support_wait_until(is_gone, path, 20000));
}

static void fifo_that_has_only_a_clients_name_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char other[256];

	snprintf(other, sizeof(other), "%s",
		 scratch_path(&f->scratch, "calc_client_99"));
	assert_int_equal(mkfifo(other, 0600), 0);
	start(f);
	put_request(f, 99, "1+1"); /* nobody reads there */
	assert_still_serves(f);
	assert_int_equal(access(other, F_OK), 0);
}

/* The client's FIFO has been removed, and another lies there. */
static void fifo_in_the_place_of_a_killed_clients_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[256];
	int status;
	pid_t pid;

	start(f);
	assert_int_equal(child_fork(open_and_stop, f, &pid), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	fifo_reply_path(path, sizeof(path), f->path, pid);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	support_kill(&pid);
	assert_still_serves(f);
	assert_still_serves(f);
	assert_int_equal(access(path, F_OK), 0);
}

/* ---- its own name ---- */

static void start_hasty(struct fixture *f)
{
	is_hasty = true;
	start(f);
	is_hasty = false;
}

static bool is_served(void *arg)
{
	int fd = fifo_open_writer(arg, geteuid());

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void fifo_that_is_removed_under_the_server_is_made_anew(void **state)
{
	struct fixture *f = *state;

	start_hasty(f);
	f->client = open_client(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	assert_int_equal(unlink(f->path), 0);
	/* Who has it open is answered on, and then finds the new one. */
	assert_int_equal(ask_sum(f->client, 2, 2, 20000), 0);
	support_wait_promised(is_served, f->path, TICK_S);
	assert_int_equal(ask_sum(f->client, 3, 3, 20000), 0);
	assert_still_serves(f);
}

int __real_fifo_create_new(struct fifo *fifo, const char *path, mode_t mode);
int __wrap_fifo_create_new(struct fifo *fifo, const char *path, mode_t mode);

/* Where the server says that it has found its name gone, and waits. */
static int renewing[2] = {-1, -1}, go_on[2] = {-1, -1};

int __wrap_fifo_create_new(struct fifo *fifo, const char *path, mode_t mode)
{
	char byte = 0;

	if (renewing[1] >= 0 &&
	    (fdio_write_full(renewing[1], &byte, 1) ||
	     fdio_read_until(go_on[0], &byte, 1, tick_after(20 * TICK_S)) != 1))
		return -EIO;
	return __real_fifo_create_new(fifo, path, mode);
}

static int ask_once(void *arg)
{
	return -ask_sum(arg, 1, 1, 20000);
}

static bool holds_a_request(void *arg)
{
	int bytes = 0;

	return ioctl(*(const int *)arg, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* The server has looked already, and reads the old FIFO no more. */
static void last_request_to_a_fifo_that_was_removed_is_answered(void **state)
{
	struct fixture *f = *state;
	int status, old;
	char byte;
	pid_t pid;

	assert_int_equal(fdio_pipe(renewing), 0);
	assert_int_equal(fdio_pipe(go_on), 0);
	start_hasty(f);
	f->client = open_client(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	old = fifo_open_writer(f->path, geteuid());
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(
		fdio_read_until(renewing[0], &byte, 1, tick_after(20 * TICK_S)),
		1);
	assert_int_equal(child_fork(ask_once, f->client, &pid), 0);
	assert_true(support_wait_until(holds_a_request, &old, 20000));
	assert_int_equal(fdio_write_full(go_on[1], "", 1), 0);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	close(old);
	for (int i = 0; i < 2; i++) {
		fdio_close(&renewing[i]);
		fdio_close(&go_on[i]);
	}
}

static void server_ends_when_another_has_its_name(void **state)
{
	struct fixture *f = *state;
	struct stat st, after;
	char other[256];
	int status;

	start_hasty(f);
	snprintf(other, sizeof(other), "%s",
		 scratch_path(&f->scratch, "other"));
	assert_int_equal(mkfifo(other, 0640), 0);
	assert_int_equal(rename(other, f->path), 0);
	assert_int_equal(lstat(f->path, &st), 0);
	support_wait_promised(support_has_ended, &f->server, TICK_S);
	assert_int_equal(waitpid(f->server, &status, 0), f->server);
	f->server = 0;
	assert_int_equal(child_exit_code(status), 2);
	assert_int_equal(lstat(f->path, &after), 0);
	assert_int_equal(after.st_ino, st.st_ino);
	assert_int_equal(after.st_mode, st.st_mode);
}

/* ---- few places ---- */

enum { PLACES = 256 }; /* in the table of server.c */

static void clients_that_are_more_than_the_table_holds_are_all_answered(
	void **state)
{
	struct fixture *f = *state;
	struct client *client[PLACES + 4];

	start(f);
	for (int i = 0; i < PLACES + 4; i++) {
		client[i] = open_client(f);
		assert_int_equal(ask_sum(client[i], i, 1, 20000), 0);
	}
	/* Who had to go comes back. */
	for (int i = 0; i < PLACES + 4; i++) {
		assert_int_equal(ask_sum(client[i], i, 2, 20000), 0);
		client_close(client[i]);
	}
	assert_still_serves(f);
}

/* ---- few descriptors ---- */

enum { FEW = 7 }; /* for two clients, and to look at the name */

static int run_with_few_descriptors(void *arg)
{
	struct rlimit few;

	if (getrlimit(RLIMIT_NOFILE, &few))
		return 5;
	few.rlim_cur = (rlim_t)support_count_fds() + FEW;
	return setrlimit(RLIMIT_NOFILE, &few) ? 4 : run_server(arg);
}

static void start_with_few_descriptors(struct fixture *f)
{
	is_hasty = true;
	f->server =
		support_start(run_with_few_descriptors, f, &f->ready, 20000);
	is_hasty = false;
}

static void idle_clients_keep_nobody_out(void **state)
{
	struct fixture *f = *state;
	struct client *client[2 * FEW];

	start_with_few_descriptors(f);
	for (int i = 0; i < 2 * FEW; i++) {
		client[i] = open_client(f);
		assert_int_equal(ask_sum(client[i], i, 1, 20000), 0);
	}
	/* Who had to go comes back. */
	for (int i = 0; i < 2 * FEW; i++)
		assert_int_equal(ask_sum(client[i], i, 2, 20000), 0);
	/* It goes on looking for its name, and finds it gone. */
	tick_sleep_until(__real_tick_after(50 * TICK_MS));
	assert_false(support_has_ended(&f->server));
	assert_int_equal(unlink(f->path), 0);
	support_wait_promised(is_served, f->path, TICK_S);
	for (int i = 0; i < 2 * FEW; i++) {
		int error;

		do /* A question to the old FIFO is asked again. */
			error = ask_sum(client[i], i, 3, 20000);
		while (error == -EPIPE);
		assert_int_equal(error, 0);
		client_close(client[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_gets_its_answers),
		CASE(fifty_clients_at_once_get_their_own_answers),
		CASE(stop_is_heeded_however_long_requests_take),
		CASE(garbage_and_unknown_pids_do_not_stop_the_server),
		CASE(reply_path_that_is_no_fifo_of_ours_is_left_alone),
		CASE(client_that_never_reads_holds_up_nobody),
		CASE(another_client_of_one_pid_is_answered_in_its_own_fifo),
		CASE(signal_that_is_no_stop_does_not_end_the_server),
		CASE(garbage_is_told_once_and_counted),
		CASE(fifo_of_a_killed_client_is_removed),
		CASE(fifo_that_has_only_a_clients_name_is_left_alone),
		CASE(fifo_in_the_place_of_a_killed_clients_is_left_alone),
		CASE(fifo_that_is_removed_under_the_server_is_made_anew),
		CASE(last_request_to_a_fifo_that_was_removed_is_answered),
		CASE(server_ends_when_another_has_its_name),
		CASE(clients_that_are_more_than_the_table_holds_are_all_answered),
		CASE(idle_clients_keep_nobody_out),
	};

	return SUPPORT_MAIN(tests);
}
