/* fixture.h - a server in a child, at a FIFO in a folder of its own, and
 * clients of it. */
#ifndef UNIXIPC_TESTS_P02_FIXTURE_H
#define UNIXIPC_TESTS_P02_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p02-fifo/client.h"
#include "p02-fifo/fifo.h"
#include "p02-fifo/server.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

struct fixture {
	struct scratch scratch;
	char path[256];        /* of the server's FIFO */
	pid_t server;          /* 0: none runs */
	int ready;             /* where it says that it can be used */
	struct client *client; /* of tests that fork while it is open */
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	signal(SIGPIPE, SIG_IGN);
	scratch_make(&f->scratch);
	snprintf(f->path, sizeof(f->path), "%s",
		 scratch_path(&f->scratch, "calc_server"));
	*state = f;
	return 0;
}

static inline int run_server(void *arg)
{
	const struct fixture *f = arg;
	const struct server_options options = {.path = f->path, .mode = 0600};
	struct server *server;
	int rc;

	if (server_create(&server, &options))
		return 1;
	if (fdio_write_full(f->ready, "", 1))
		return 3;
	rc = server_run(server, -1);
	server_remove(server);
	return rc ? 2 : 0;
}

/* It says so itself: its FIFO is there a moment before it is locked, and
 * another server could be quicker. */
static inline void start(struct fixture *f)
{
	f->server = support_start(run_server, f, &f->ready, 20000);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	support_kill(&f->server);
	client_close(f->client);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static inline struct client_options options_for(const struct fixture *f)
{
	return (struct client_options){
		.path = f->path,
		.owner = geteuid(),
		.mode = 0600,
		.stop_fd = -1,
	};
}

static inline struct client *open_client(const struct fixture *f)
{
	const struct client_options options = options_for(f);
	struct client *client;

	assert_int_equal(client_open(&client, &options), 0);
	return client;
}

/* "a+b" for this client and number, asked and checked. 0 or -errno. */
static inline int ask_sum(struct client *client, int a, int b, int timeout_ms)
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

static inline void assert_still_serves(struct fixture *f)
{
	struct client *client = open_client(f);

	assert_int_equal(ask_sum(client, 20, 22, 20000), 0);
	client_close(client);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
