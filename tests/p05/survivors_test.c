/* The server or a client is struck wherever it is, here or in a PID namespace of
 * its own: all others have their next reply within a second, of the next server,
 * who is let in when the last one is dead and not before.
 * timeout: 900 */
#include "p05-sysv-mq/mqclient.h"
#include "p05-sysv-mq/mqserver.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "tests/support/survivors.h"

enum { CLIENTS = 3 };

static struct mqserver_options options;

/* The text comes back with '!' behind it. */
static ssize_t answer(const char *text, size_t text_bytes, char *reply,
		      size_t reply_max, void *arg)
{
	(void)arg;
	if (text_bytes + 1 > reply_max)
		return -EMSGSIZE;
	memcpy(reply, text, text_bytes);
	reply[text_bytes] = '!';
	return (ssize_t)text_bytes + 1;
}

/* ---- the server ------------------------------------------------------------------- */

static int stop_fd; /* readable when it is to end */

static int enter_server(struct survivors_actor *self)
{
	static struct mqserver *server;
	struct mqserver_found found;
	int error = mqserver_create(&server, &options, &found);

	self->own = server;
	return error;
}

static int serve(struct survivors_actor *self)
{
	return mqserver_run(self->own, stop_fd);
}

static void leave_server(struct survivors_actor *self)
{
	mqserver_remove(self->own);
}

/* ---- clients ---------------------------------------------------------------------- */

static int enter_client(struct survivors_actor *self)
{
	self->own = NULL;
	return 0;
}

static int ask_once(struct survivors_actor *self, int64_t deadline)
{
	struct mqclient *client = self->own;
	char text[64], reply[64];
	ssize_t len = snprintf(text, sizeof(text), "%u of %u",
			       (unsigned int)self->steps, survivors_self(self));
	int error = client ? 0
			   : mqclient_open(&client, options.key, GATE_NO_FILE,
					   GATE_NO_OTHER);

	self->own = client;
	if (error)
		return error;
	error = (int)mqclient_ask(client, text, (size_t)len, reply,
				  sizeof(reply), deadline);
	if (error < 0)
		return error;
	return error == len + 1 && memcmp(reply, text, (size_t)len) == 0
		       ? 0
		       : -EBADE;
}

/* Its server has ended, or the next one has not come yet. */
static bool is_to_be_asked_again(int error)
{
	return error == -EPIPE || error == -EIDRM || error == -ENOENT;
}

static int ask(struct survivors_actor *self)
{
	const int64_t deadline = tick_after(10 * TICK_S);
	int error;

	for (;;) {
		error = ask_once(self, deadline);
		if (!is_to_be_asked_again(error) || tick_is_over(deadline))
			return error;
		mqclient_close(self->own);
		self->own = NULL;
		tick_sleep_until(tick_after(TICK_MS));
	}
}

static void leave_client(struct survivors_actor *self)
{
	mqclient_close(self->own);
}

/* ---- the play --------------------------------------------------------------------- */

static void prepare(void *stage)
{
	(void)stage;
	options = (struct mqserver_options){
		.key = (key_t)(0x05000000 | getpid()),
		.mode = 0600,
		.workers = 1,
		.sweep_ns = 50 * TICK_MS,
		.answer = answer,
	};
	stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(stop_fd >= 0);
}

static void finish(void *stage)
{
	(void)stage;
	assert_int_equal(eventfd_write(stop_fd, 1), 0);
}

static void clear(void *stage)
{
	(void)stage;
	close(stop_fd);
	assert_int_equal(msgget(options.key, 0), -1);
}

static void replies_come_within_a_second_of_a_death(void **state)
{
	static const struct survivors_play play = {
		.name = "P05 queue",
		.role = {{.name = "server",
			  .count = 1,
			  .enter = enter_server,
			  .step = serve,
			  .leave = leave_server,
			  .refusal = -EADDRINUSE,
			  .stays = true},
			 {.name = "client",
			  .count = CLIENTS,
			  .enter = enter_client,
			  .step = ask,
			  .leave = leave_client,
			  .is_stopped_harmlessly = true}},
		.promise_ns = TICK_S,
		.calls = {SYS_msgsnd, SYS_msgrcv, SYS_semtimedop},
		.prepare = prepare,
		.finish = finish,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_come_within_a_second_of_a_death),
	};

	return SUPPORT_MAIN(tests);
}
