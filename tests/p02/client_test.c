/* A client whose server is not there yet, says nothing, or dies. What it does
 * when the time has come is led through here (--wrap). */
#include "tests/p02/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/fdio.h"
#include "lib/frame.h"
#include "p02-fifo/inbox.h"
#include "p02-fifo/message.h"
#include "tests/support/interrupt.h"

/* ---- the clock ---- */

#define LOOK_AGAIN_NS (50 * TICK_MS) /* as client.c has them */
#define GENERATION_IS_NEW_NS TICK_MS

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

static int64_t endless; /* of these waits none comes to its end; 0: all do */

int64_t __wrap_tick_after(int64_t timeout_ns)
{
	return endless && timeout_ns == endless ? TICK_NEVER
						: __real_tick_after(timeout_ns);
}

/* ---- a server that is slow ---- */

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
	rc = ask_sum(client, 1, 1, 20000);
	client_close(client);
	return rc ? 2 : 0;
}

/* Asleep, or on its way to that: it has seen that there is no server. */
static bool is_watching(void *arg)
{
	char link[64], target[64];
	ssize_t n;

	for (int fd = 0; fd < 32; fd++) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d",
			 (int)*(const pid_t *)arg, fd);
		n = readlink(link, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (strstr(target, "inotify"))
			return true;
	}
	return false;
}

/* It is woken, and does not look again by itself. */
static void client_started_first_waits_for_the_server(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	for (int is_stale = 0; is_stale < 2; is_stale++) {
		endless = LOOK_AGAIN_NS;
		assert_int_equal(
			child_fork(ask_before_there_is_a_server, f, &pid), 0);
		endless = 0;
		assert_true(support_wait_until(is_watching, &pid, 20000));
		/* The second time the dead server's FIFO is there. */
		start(f);
		assert_int_equal(
			child_wait(pid, tick_after(20 * TICK_S), &status), 0);
		assert_int_equal(child_exit_code(status), 0);
		support_kill(&f->server);
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

static void signal_that_is_no_stop_ends_no_wait_for_an_answer(void **state)
{
	struct fixture *f = *state;
	struct client *client = open_client(f);
	struct fifo deaf = FIFO_CLOSED;

	assert_int_equal(fifo_create(&deaf, f->path, 0600), 0);
	interrupt_start();
	/* Several times LOOK_AGAIN_NS. */
	assert_int_equal(ask_sum(client, 1, 1, 300), -ETIMEDOUT);
	interrupt_stop();
	fifo_remove(&deaf);
	client_close(client);
}

/* Until write(2) finds no room. */
static void fill(int fd, const void *bytes, size_t n)
{
	while (write(fd, bytes, n) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void server_that_takes_no_request_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	struct client *client = open_client(f);
	struct fifo deaf = FIFO_CLOSED;

	assert_int_equal(fifo_create(&deaf, f->path, 0600), 0);
	fill(deaf.write_fd, "x", 1);
	assert_int_equal(ask_sum(client, 1, 1, 50), -ETIMEDOUT);
	fifo_remove(&deaf);
	client_close(client);
}

/* Whatever it waits for: a server, an answer, or room for its request. A signal
 * that comes right before a wait interrupts none. */
static void stop_that_has_come_before_ends_each_wait(void **state)
{
	struct fixture *f = *state;
	struct client_options options = options_for(f);
	struct fifo deaf = FIFO_CLOSED;

	options.stop_fd = eventfd(1, EFD_CLOEXEC);
	assert_int_equal(client_open(&f->client, &options), 0);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), -EINTR);
	assert_int_equal(fifo_create(&deaf, f->path, 0600), 0);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), -EINTR);
	fill(deaf.write_fd, "x", 1);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), -EINTR);
	fifo_remove(&deaf);
	close(options.stop_fd);
}

/* The answer to a request that it finds in this FIFO, to all of whose head but
 * the value it fits. */
static void answer(const struct fixture *f, const struct fifo *server,
		   int64_t value)
{
	struct message_reply reply = {.value = value};
	char payload[FRAME_ATOMIC_MAX], path[256];
	struct message_request request;
	uint32_t type;
	int fd;

	assert_true(frame_recv(server->read_fd, &type, payload, sizeof(payload),
			       tick_after(20 * TICK_S)) > 0);
	memcpy(&request, payload, sizeof(request));
	fifo_reply_path(path, sizeof(path), f->path, request.pid);
	fd = fifo_open_writer(path, geteuid());
	reply.head = request.head;
	message_seal_reply(&reply);
	assert_int_equal(frame_send(fd, MESSAGE_REPLY, &reply, sizeof(reply),
				    TICK_NEVER),
			 0);
	close(fd);
}

static void answer_that_comes_too_late_is_not_the_next_ones(void **state)
{
	struct fixture *f = *state;
	struct fifo slow = FIFO_CLOSED;

	f->client = open_client(f);
	assert_int_equal(fifo_create(&slow, f->path, 0600), 0);
	assert_int_equal(ask_sum(f->client, 1, 1, 1), -ETIMEDOUT);
	answer(f, &slow, 2);
	assert_int_equal(ask_sum(f->client, 1, 1, 50), -ETIMEDOUT);
	fifo_remove(&slow);
}

/* ---- a server that ends ---- */

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
		       tick_after(20 * TICK_S)) < 0)
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
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	start(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
}

/* ---- a server in the place of another ---- */

struct asked {
	struct client *client;
	struct fifo server; /* in the test's process: here, it is another's */
	int timeout_ms;
};

/* Ends with what client_ask() returned. */
static int ask_another(void *arg)
{
	struct asked *asked = arg;

	fifo_close(&asked->server);
	return -ask_sum(asked->client, 1, 1, asked->timeout_ms);
}

static bool has_request(void *arg)
{
	const struct asked *asked = arg;

	return fdio_wait(asked->server.read_fd, POLLIN, tick_now()) > 0;
}

/* The client does not run between the end of the one and the start of the next,
 * and so poll(2) has nothing to tell it. */
static void server_that_dies_is_noticed_when_the_next_was_quicker(void **state)
{
	struct fixture *f = *state;
	struct asked asked = {.timeout_ms = 3600 * 1000};
	char request[FRAME_ATOMIC_MAX];
	int status;
	pid_t pid;

	asked.client = f->client = open_client(f);
	assert_int_equal(fifo_create(&asked.server, f->path, 0600), 0);
	assert_int_equal(child_fork(ask_another, &asked, &pid), 0);
	assert_true(support_wait_until(has_request, &asked, 20000));
	assert_true(fdio_read(asked.server.read_fd, request, sizeof(request)) >
		    0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	fifo_close(&asked.server);
	assert_int_equal(fifo_create(&asked.server, f->path, 0600), 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), EPIPE);
	fifo_remove(&asked.server);
}

/* It had no request of ours in hand: the next one, which is slow, has. */
static void server_that_died_before_we_asked_is_no_matter(void **state)
{
	struct fixture *f = *state;
	struct fifo server = FIFO_CLOSED;

	start(f);
	f->client = open_client(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	support_kill(&f->server);
	assert_int_equal(fifo_create(&server, f->path, 0600), 0);
	tick_sleep_until(
		tick_after(2 * TICK_MS)); /* client.c, GENERATION_IS_NEW_NS */
	assert_int_equal(ask_sum(f->client, 1, 1, 200), -ETIMEDOUT);
	fifo_remove(&server);
}

/* Nor has the next one, which it finds as soon as its request has nowhere to go:
 * what it knew of the first is not to be told of this. */
static void server_that_ended_before_we_asked_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct fifo next = FIFO_CLOSED;

	start(f);
	f->client = open_client(f);
	endless = GENERATION_IS_NEW_NS;
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	endless = 0;
	support_kill(&f->server);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(fifo_create(&next, f->path, 0600), 0);
	assert_int_equal(ask_sum(f->client, 1, 1, 200), -ETIMEDOUT);
	fifo_remove(&next);
}

/* Its FIFO is open, and its generation not marked yet; the client that has asked
 * is *pid. */
static void ask_who_has_just_begun(struct fixture *f, struct asked *asked,
				   pid_t *pid)
{
	struct fifo *server = &asked->server;

	assert_int_equal(mkfifo(f->path, 0600), 0);
	server->read_fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	server->write_fd = fifo_open_writer(f->path, geteuid());
	assert_int_equal(fifo_reader_generation(server->write_fd), 0);
	asked->client = f->client = open_client(f);
	assert_int_equal(child_fork(ask_another, asked, pid), 0);
	assert_true(support_wait_until(has_request, asked, 20000));
}

static void server_that_dies_when_it_has_just_begun_is_noticed(void **state)
{
	struct asked asked = {.server = FIFO_CLOSED, .timeout_ms = 3600 * 1000};
	int status;
	pid_t pid;

	ask_who_has_just_begun(*state, &asked, &pid);
	fifo_close(&asked.server);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), EPIPE);
}

static void server_that_has_just_begun_is_waited_for(void **state)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = 7, .l_len = 1};
	struct asked asked = {.server = FIFO_CLOSED, .timeout_ms = 300};
	struct fifo *server = &asked.server;
	int status;
	pid_t pid;

	ask_who_has_just_begun(*state, &asked, &pid);
	assert_int_equal(fcntl(server->write_fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), ETIMEDOUT);
	fifo_close(server);
}

int __real_inbox_fill(struct inbox *inbox);
int __wrap_inbox_fill(struct inbox *inbox);

/* Answers when the client has found nothing, and ends. */
static struct fake *at_the_last_moment;

static int flood = -1; /* a write end of what the client reads, or none */

int __wrap_inbox_fill(struct inbox *inbox)
{
	struct fake *fake = at_the_last_moment;
	int rc;

	if (flood >= 0)
		assert_int_equal(write(flood, "garbage", 7), 7);
	rc = __real_inbox_fill(inbox);

	at_the_last_moment = NULL;
	if (fake) {
		assert_int_equal(rc, 0);
		answer(fake->fixture, &fake->fifo, 2);
		fifo_remove(&fake->fifo);
	}
	return rc;
}

static void last_answer_of_a_server_that_ends_is_taken(void **state)
{
	struct fixture *f = *state;
	struct fake fake = {.fixture = f, .fifo = FIFO_CLOSED};

	f->client = open_client(f);
	assert_int_equal(fifo_create(&fake.fifo, f->path, 0600), 0);
	at_the_last_moment = &fake;
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	assert_null(at_the_last_moment);
}

/* ---- not the only one ---- */

static void two_clients_of_one_process_get_their_own_answers(void **state)
{
	struct fixture *f = *state;
	struct client *second;

	start(f);
	f->client = open_client(f);
	second = open_client(f);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(ask_sum(f->client, i, 1, 20000), 0);
		assert_int_equal(ask_sum(second, i, 2, 20000), 0);
	}
	client_close(second);
	assert_int_equal(ask_sum(f->client, 3, 3, 20000), 0);
}

/* As somebody whom its mode lets write. */
static int open_reply_fifo(const struct client *client)
{
	int fd = open(client_reply_path(client),
		      O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void ask_with_a_full_fifo(struct fixture *f, const void *bytes, size_t n)
{
	int fd;

	start(f);
	f->client = open_client(f);
	assert_int_equal(ask_sum(f->client, 1, 1, 20000), 0);
	fd = open_reply_fifo(f->client);
	for (int i = 0; i < 3; i++) {
		fill(fd, bytes, n);
		assert_int_equal(ask_sum(f->client, i, 2, 20000), 0);
	}
	close(fd);
}

static void client_whose_fifo_others_fill_asks_again(void **state)
{
	const char garbage[4096] = "";

	ask_with_a_full_fifo(*state, garbage, sizeof(garbage));
}

static void client_whose_fifo_answers_to_others_fill_asks_again(void **state)
{
	struct {
		struct frame_header header;
		struct message_reply reply;
	} frame = {
		.header = frame_header_make(MESSAGE_REPLY, sizeof(frame.reply)),
	};

	message_seal_reply(&frame.reply);
	ask_with_a_full_fifo(*state, &frame, sizeof(frame));
}

/* There is something to read, whenever it looks. */
static void client_that_others_flood_gives_up_at_its_deadline(void **state)
{
	struct fixture *f = *state;
	struct fifo deaf = FIFO_CLOSED;

	f->client = open_client(f);
	assert_int_equal(fifo_create(&deaf, f->path, 0600), 0);
	flood = open_reply_fifo(f->client);
	assert_int_equal(ask_sum(f->client, 1, 1, 50), -ETIMEDOUT);
	fdio_close(&flood);
	fifo_remove(&deaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(client_without_a_server_gives_up_at_its_deadline),
		CASE(client_started_first_waits_for_the_server),
		CASE(server_that_does_not_answer_is_a_timeout),
		CASE(signal_that_is_no_stop_ends_no_wait_for_an_answer),
		CASE(server_that_takes_no_request_is_a_timeout),
		CASE(stop_that_has_come_before_ends_each_wait),
		CASE(answer_that_comes_too_late_is_not_the_next_ones),
		CASE(server_that_dies_before_the_answer_is_noticed_at_once),
		CASE(server_that_dies_is_noticed_when_the_next_was_quicker),
		CASE(server_that_died_before_we_asked_is_no_matter),
		CASE(server_that_ended_before_we_asked_is_forgotten),
		CASE(server_that_dies_when_it_has_just_begun_is_noticed),
		CASE(server_that_has_just_begun_is_waited_for),
		CASE(last_answer_of_a_server_that_ends_is_taken),
		CASE(two_clients_of_one_process_get_their_own_answers),
		CASE(client_whose_fifo_others_fill_asks_again),
		CASE(client_whose_fifo_answers_to_others_fill_asks_again),
		CASE(client_that_others_flood_gives_up_at_its_deadline),
	};

	return SUPPORT_MAIN(tests);
}
