/* The server or a client is struck wherever it is, here or in a PID namespace of
 * its own: all others have their next answer within a second, of the next server,
 * which is let in when the last one is dead and not before.
 * timeout: 900 */
#include "p02-fifo/client.h"
#include "p02-fifo/server.h"

#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/tick.h"
#include "tests/support/scratch.h"
#include "tests/support/survivors.h"

enum { CLIENTS = 3 };

static struct scratch scratch;
static char path[128];

/* ---- the server ------------------------------------------------------------------- */

struct serving {
	struct server *server;
	int timer; /* readable every few milliseconds: a step ends */
};

static int enter_server(struct survivors_actor *self)
{
	static struct serving serving;
	const struct server_options options = {.path = path, .mode = 0600};

	self->own = &serving;
	signal(SIGPIPE, SIG_IGN);
	serving.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (serving.timer < 0)
		return -errno;
	return server_create(&serving.server, &options);
}

static int serve(struct survivors_actor *self)
{
	const struct itimerspec when = {.it_value.tv_nsec = 5 * TICK_MS};
	struct serving *serving = self->own;

	if (timerfd_settime(serving->timer, 0, &when, NULL))
		return -errno;
	return server_run(serving->server, serving->timer);
}

static void leave_server(struct survivors_actor *self)
{
	struct serving *serving = self->own;

	server_remove(serving->server);
}

/* ---- clients ---------------------------------------------------------------------- */

static int enter_client(struct survivors_actor *self)
{
	static struct client *client;
	const struct client_options options = {
		.path = path, .owner = geteuid(), .mode = 0600, .stop_fd = -1};
	int error;

	signal(SIGPIPE, SIG_IGN);
	error = client_open(&client, &options);
	self->own = client;
	return error;
}

/* Of a server that ends meanwhile it is asked once more, of the next one. */
static int ask(struct survivors_actor *self)
{
	const int64_t deadline = tick_after(10 * TICK_S);
	const int a = (int)rng_below(&self->rng, 1000);
	enum expr_error wrong;
	char expression[32];
	int64_t value = 0;
	int error;

	snprintf(expression, sizeof(expression), "%d + %u", a,
		 survivors_self(self));
	do
		error = client_ask(self->own, expression, deadline, &wrong,
				   &value);
	while (error == -EPIPE);
	if (error)
		return error;
	return value == a + (int)survivors_self(self) ? 0 : -EBADE;
}

static void leave_client(struct survivors_actor *self)
{
	client_close(self->own);
}

/* ---- the play --------------------------------------------------------------------- */

static void prepare(void *stage)
{
	(void)stage;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "server"));
}

/* What killed clients left may still be there. */
static void clear(void *stage)
{
	(void)stage;
	assert_int_equal(access(path, F_OK), -1);
	scratch_remove(&scratch);
}

static void answers_come_within_a_second_of_a_death(void **state)
{
	static const struct survivors_play play = {
		.name = "P02 FIFO",
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
		.calls = {SYS_poll, SYS_ppoll, SYS_write},
		.prepare = prepare,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_within_a_second_of_a_death),
	};

	return SUPPORT_MAIN(tests);
}
