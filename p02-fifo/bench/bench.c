/* bench.c - requests a second through our server, beside bare FIFOs: the same
 * bytes both ways, and nothing but read(2) and write(2) on either side. Rounds
 * alternate, and the figure is the median of the ratios round by round. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/fdio.h"
#include "lib/frame.h"
#include "lib/measure/rig.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p02-fifo/client.h"
#include "p02-fifo/message.h"
#include "p02-fifo/server.h"

enum { ROUNDS = 11, REQUESTS = 8000, CLIENTS_MAX = 8 };

static const char EXPRESSION[] = "12345 + 54321";
enum { ANSWER = 66666 };

/* What one request and one reply are on the wire. */
enum {
	REQUEST_BYTES = sizeof(struct frame_header) +
			sizeof(struct message_request) + sizeof(EXPRESSION) - 1,
	REPLY_BYTES =
		sizeof(struct frame_header) + sizeof(struct message_reply),
};

struct setup {
	char server[64]; /* the FIFO that requests go to */
	int clients;
	int reply[CLIENTS_MAX][2]; /* of the bare one; opened beforehand */
	int request[2];
};

/* ---- ours ---- */

static int serve(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	const struct server_options options = {
		.path = setup->server,
		.mode = 0600,
	};
	struct server *server;

	int error = server_create(&server, &options);

	if (!error)
		error = rig_serve(gate);
	return error ? error : server_run(server, -1);
}

static int ask(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	const struct client_options options = {
		.path = setup->server,
		.owner = geteuid(),
		.mode = 0600,
		.stop_fd = -1,
	};
	struct client *client;
	int rc = client_open(&client, &options);

	if (!rc)
		rc = rig_meet(gate);
	for (int i = 0; i < REQUESTS / setup->clients && !rc; i++) {
		enum expr_error error;
		int64_t value;

		rc = client_ask(client, EXPRESSION, tick_after(10 * TICK_S),
				&error, &value);
		if (!rc && (error || value != ANSWER))
			rc = -EBADMSG;
	}
	rig_finish(gate);
	client_close(client);
	return rc;
}

/* ---- bare ---- */

/* The first byte of a request says who asks, the last is its check. */
static int echo(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	unsigned char buf[REQUEST_BYTES], reply[REPLY_BYTES] = {0};

	if (rig_serve(gate))
		return -EPIPE;
	for (;;) {
		if (fdio_read_full(setup->request[0], buf, sizeof(buf)) !=
		    sizeof(buf))
			return -EPIPE;
		reply[0] = buf[0];
		reply[REPLY_BYTES - 1] = buf[REQUEST_BYTES - 1];
		if (write(setup->reply[buf[0]][1], reply, sizeof(reply)) !=
		    sizeof(reply))
			return -EPIPE;
	}
}

static int call(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	const size_t number = rig_number(gate);
	unsigned char buf[REQUEST_BYTES] = {0}, reply[REPLY_BYTES];

	if (rig_meet(gate))
		return -ECANCELED;
	buf[0] = (unsigned char)number;
	for (int i = 0; i < REQUESTS / setup->clients; i++) {
		buf[REQUEST_BYTES - 1] = (unsigned char)i;
		if (write(setup->request[1], buf, sizeof(buf)) != sizeof(buf) ||
		    fdio_read_full(setup->reply[number][0], reply,
				   sizeof(reply)) != sizeof(reply) ||
		    reply[0] != number ||
		    reply[REPLY_BYTES - 1] != (unsigned char)i)
			return -EBADMSG;
	}
	return 0;
}

/* ---- rounds ---- */

/* Requests a second of all clients together. */
static double run_round(rig_body *server, rig_body *client, struct setup *setup)
{
	int64_t ns = rig_run_clients(server, client, (size_t)setup->clients,
				     setup, tick_after(60 * TICK_S));

	if (ns < 0)
		die_errno((int)ns, "a client did not get its answers");
	return REQUESTS / ((double)ns / 1e9);
}

static void make_fifo(const char *directory, const char *name, int ends[2])
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (mkfifo(path, 0600) < 0)
		die_errno(errno, "cannot make %s", path);
	ends[0] = open(path, O_RDWR | O_CLOEXEC);
	ends[1] = ends[0];
	unlink(path);
	if (ends[0] < 0)
		die_errno(errno, "cannot open %s", path);
}

static void compare(struct out_table *table, struct setup *setup, int clients)
{
	double ours[ROUNDS], bare[ROUNDS], ratio[ROUNDS];

	setup->clients = clients;
	for (int i = -1; i < ROUNDS; i++) {
		double a = run_round(serve, ask, setup);
		double b = run_round(echo, call, setup);

		if (i < 0) /* the first one warms up */
			continue;
		ours[i] = a;
		bare[i] = b;
		ratio[i] = a / b;
	}
	out_table_row(table);
	out_table_cell(table, "%d", clients);
	out_table_cell(table, "%.0f", stats_median(ours, ROUNDS));
	out_table_cell(table, "%.0f", stats_median(bare, ROUNDS));
	out_table_cell(table, "%.2f", stats_median(ratio, ROUNDS));
	out_table_cell(table, clients == 1 ? "0.90" : "");
}

int main(void)
{
	static const struct out_column columns[] = {
		{"Clients", OUT_RIGHT},
		{"calc_server, req/s", OUT_RIGHT},
		{"bare FIFOs, req/s", OUT_RIGHT},
		{"ratio", OUT_RIGHT},
		{"goal, at least", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char directory[] = "/tmp/p02-bench.XXXXXX";
	struct setup setup = {0};

	out_check_at_exit();
	signal(SIGPIPE, SIG_IGN);
	if (!table || !mkdtemp(directory))
		die_errno(errno, "cannot make a directory in /tmp");
	snprintf(setup.server, sizeof(setup.server), "%s/server", directory);
	make_fifo(directory, "request", setup.request);
	for (int i = 0; i < CLIENTS_MAX; i++)
		make_fifo(directory, "reply", setup.reply[i]);
	printf("Requests of %d bytes, answers of %d, persistent clients: %d "
	       "rounds of %d requests, medians\n",
	       REQUEST_BYTES, REPLY_BYTES, ROUNDS, REQUESTS);
	compare(table, &setup, 1);
	compare(table, &setup, CLIENTS_MAX);
	out_table_print(table, stdout);
	out_table_free(table);
	unlink(setup.server); /* its server was killed */
	rmdir(directory);
	return EXIT_SUCCESS;
}
