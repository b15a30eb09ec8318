/* A server in a child, and clients, for the tests of chapter 5. */
#ifndef UNIXIPC_TESTS_P05_FIXTURE_H
#define UNIXIPC_TESTS_P05_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/identity.h"
#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqclient.h"
#include "p05-sysv-mq/mqserver.h"
#include "tests/support/support.h"

struct fixture {
	struct mqserver_options options;
	pid_t server; /* 0: none runs */
	int ready;    /* where a server says that it can be used; 0: nowhere */
	int go[2];    /* where a prepared one waits until it is to start */
};

/* The default service: the text comes back with '!' behind it. */
static ssize_t fixture_answer(const char *text, size_t text_bytes, char *reply,
			      size_t reply_max, void *arg)
{
	(void)arg;
	if (text_bytes + 1 > reply_max)
		return -EMSGSIZE;
	memcpy(reply, text, text_bytes);
	reply[text_bytes] = '!';
	return (ssize_t)text_bytes + 1;
}

static int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->options = (struct mqserver_options){
		.key = (key_t)(0x05000000 | getpid()),
		.mode = 0600,
		.workers = 1,
		.sweep_ns = 50 * TICK_MS,
		.answer = fixture_answer,
	};
	*state = f;
	return 0;
}

/* A child's body: serve until killed; 10 + errno if it could not start. */
static inline int fixture_serve(void *arg)
{
	const struct fixture *f = arg;
	struct mqserver_found found;
	struct mqserver *server;
	int rc = mqserver_create(&server, &f->options, &found);

	if (rc)
		return rc == -EADDRINUSE ? 98 : 1;
	if (f->ready > 0 && fdio_write_full(f->ready, "", 1))
		return 3;
	rc = mqserver_run(server, -1);
	mqserver_remove(server);
	return rc == -EIDRM ? 43 : 2;
}

static inline int fixture_queue(const struct fixture *f)
{
	return msgget(f->options.key, 0);
}

/* It says so itself: what it takes over from a killed one looks as if it were
 * served, until that has been removed. */
static inline void fixture_start(struct fixture *f)
{
	f->server = support_start(fixture_serve, f, &f->ready, 20000);
}

/* It waits before it takes anything. */
static inline int fixture_serve_later(void *arg)
{
	struct fixture *f = arg;
	char byte;

	if (fdio_read_full(f->go[0], &byte, 1) != 1)
		return 4;
	return fixture_serve(f);
}

/* A server to be started when there are clients. Each has a thread, and a child
 * that is forked beside a thread has for ever what locks that one held at this
 * moment: those of the sanitizers, too, without which it starts no thread of its
 * own. fixture_start_prepared() waits until it can be used. */
static inline pid_t fixture_prepare(struct fixture *f, int ready[2])
{
	pid_t pid;

	assert_int_equal(fdio_pipe(ready), 0);
	assert_int_equal(fdio_pipe(f->go), 0);
	f->ready = ready[1];
	assert_int_equal(child_fork(fixture_serve_later, f, &pid), 0);
	f->ready = 0;
	fdio_close(&ready[1]);
	fdio_close(&f->go[0]);
	return pid;
}

static inline void fixture_start_prepared(struct fixture *f, pid_t pid,
					  int ready[2])
{
	char byte;

	f->server = pid;
	assert_int_equal(fdio_write_full(f->go[1], "", 1), 0);
	fdio_close(&f->go[1]);
	assert_int_equal(
		fdio_read_until(ready[0], &byte, 1, tick_after(20 * TICK_S)),
		1);
	fdio_close(&ready[0]);
}

/* All of its threads: kill(2) alone returns before that. */
static inline void fixture_stop(const struct fixture *f)
{
	int status;

	kill(f->server, SIGSTOP);
	assert_int_equal(waitpid(f->server, &status, WUNTRACED), f->server);
	assert_true(WIFSTOPPED(status));
}

/* What a killed server left is taken over, and removed. */
static int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	struct mqserver_found found;
	struct mqserver *server;
	int rc;

	support_kill(&f->server);
	rc = mqserver_create(&server, &f->options, &found);
	mqserver_remove(server);
	free(f);
	return rc;
}

static inline struct mqclient *fixture_client(const struct fixture *f)
{
	struct mqclient *client;

	assert_int_equal(mqclient_open(&client, f->options.key, GATE_NO_FILE,
				       GATE_NO_OTHER),
			 0);
	return client;
}

/* Ask with a number in the text, and check what came. 0 or -errno. */
static inline int fixture_ask(struct mqclient *client, int a, int b,
			      int timeout_ms)
{
	char text[64], reply[64];
	int len = snprintf(text, sizeof(text), "%d+%d", a, b);
	ssize_t n =
		mqclient_ask(client, text, (size_t)len, reply, sizeof(reply),
			     tick_after(timeout_ms * TICK_MS));

	if (n < 0)
		return (int)n;
	return n == len + 1 && memcmp(text, reply, (size_t)len) == 0 &&
			       reply[len] == '!'
		       ? 0
		       : -EBADMSG;
}

enum { FIXTURE_ASKED = 60 }; /* the status of a client that was answered */

/* A client that asks once, patiently. Its status is the errno. */
static inline int fixture_ask_once(void *arg)
{
	const struct fixture *f = arg;
	struct mqclient *client;
	int rc = mqclient_open(&client, f->options.key, GATE_NO_FILE,
			       GATE_NO_OTHER);

	if (rc == 0)
		rc = fixture_ask(client, 20, 22, 60000);
	mqclient_close(client);
	return rc ? -rc : FIXTURE_ASKED;
}

static inline struct msqid_ds fixture_status(const struct fixture *f)
{
	struct msqid_ds status = {0};

	msgctl(fixture_queue(f), IPC_STAT, &status);
	return status;
}

static inline bool fixture_has_messages(void *arg)
{
	return fixture_status(arg).msg_qnum > 0;
}

static inline bool fixture_has_no_messages(void *arg)
{
	return fixture_queue(arg) >= 0 && fixture_status(arg).msg_qnum == 0;
}

/* The server is stopped, so the request stays. */
static inline pid_t fixture_start_waiting(struct fixture *f)
{
	pid_t pid;

	assert_int_equal(child_fork(fixture_ask_once, f, &pid), 0);
	assert_true(support_wait_until(fixture_has_messages, f, 20000));
	return pid;
}

/* A letter of this thread, for which no exchange has reserved room. type 0: a
 * reply to it. */
static inline struct letter *fixture_letter(long type, size_t len)
{
	struct letter *letter = letter_new(len);

	memset(letter->text, 'x', len);
	letter->head = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = gettid(),
		.units = letter_units(len),
		.place = letter_place_here(),
		.start = identity_start_time(gettid()),
		.deadline = TICK_NEVER,
	};
	letter->type =
		type ? type
		     : letter_type(&letter->head, letter->head.place.pid);
	return letter;
}

/* Until not a byte more goes in, with letters of 4000 bytes, 2000 and so on. */
static inline void fixture_fill(const struct fixture *f, long type)
{
	for (size_t len = 4000; len; len /= 2) {
		struct letter *letter = fixture_letter(type, len);

		while (letter_send(fixture_queue(f), letter, len) == 0)
			;
		free(letter);
	}
}

static inline int fixture_end(pid_t pid)
{
	int status;

	assert_int_equal(child_wait(pid, tick_after(30 * TICK_S), &status), 0);
	return child_exit_code(status);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
