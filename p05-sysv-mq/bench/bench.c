/* bench.c - our path and our server beside bare msgsnd(2) and msgrcv(2), with
 * the same bytes in the same kind of queue. Rounds alternate, and the figure
 * is the median of the ratios round by round. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqclient.h"
#include "p05-sysv-mq/mqserver.h"

enum { ROUNDS = 31, REQUESTS = 8000, CLIENTS_MAX = 8 };
enum { SLICES = 20, MESSAGES = 1000 };
enum { TEXT_MAX = 2048, WINDOW = 4 };

struct setup {
	int queue;
	key_t key;
	size_t text_bytes;
	int clients;
};

struct rates {
	double ours[ROUNDS], bare[ROUNDS], ratio[ROUNDS];
};

/* ---- messages: put a few, take a few, in one process ---- */

static _Noreturn void spoiled(void)
{
	die("a message did not arrive as it was sent");
}

static void pass_ours(const struct setup *setup, struct letter *letter)
{
	for (int i = 0; i < MESSAGES; i += WINDOW) {
		for (int j = 0; j < WINDOW; j++) {
			letter->type = LETTER_REQUEST;
			letter->head.number = (uint64_t)i + (uint64_t)j;
			if (letter_send(setup->queue, letter,
					setup->text_bytes))
				spoiled();
		}
		for (int j = 0; j < WINDOW; j++)
			if (letter_receive(setup->queue, LETTER_REQUEST, letter,
					   TEXT_MAX,
					   0) != (ssize_t)setup->text_bytes ||
			    letter->head.number != (uint64_t)i + (uint64_t)j)
				spoiled();
	}
}

static void pass_bare(const struct setup *setup, struct letter *letter)
{
	size_t bytes = sizeof(letter->head) + setup->text_bytes;

	for (int i = 0; i < MESSAGES; i += WINDOW) {
		for (int j = 0; j < WINDOW; j++) {
			letter->type = LETTER_REQUEST;
			letter->head.number = (uint64_t)i + (uint64_t)j;
			if (msgsnd(setup->queue, letter, bytes, 0) < 0)
				spoiled();
		}
		for (int j = 0; j < WINDOW; j++)
			if (msgrcv(setup->queue, letter,
				   sizeof(letter->head) + TEXT_MAX,
				   LETTER_REQUEST, 0) != (ssize_t)bytes ||
			    letter->head.number != (uint64_t)i + (uint64_t)j)
				spoiled();
	}
}

/* Nanoseconds for one slice. */
static double time_slice(void (*pass)(const struct setup *, struct letter *),
			 struct setup *setup)
{
	struct letter *letter = letter_new(TEXT_MAX);
	int64_t begun;

	if (!letter)
		die_errno(ENOMEM, "no memory for a message");
	memset(letter->text, 'x', TEXT_MAX);
	letter->head = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = getpid(),
		.units = letter_units(TEXT_MAX),
	};
	begun = tick_now();
	pass(setup, letter);
	begun = tick_now() - begun;
	free(letter);
	return (double)begun;
}

/* ---- requests: our server and clients ---- */

static ssize_t echo(const char *text, size_t text_bytes, char *reply,
		    size_t reply_max, void *arg)
{
	(void)arg;
	if (text_bytes > reply_max)
		return -EMSGSIZE;
	memcpy(reply, text, text_bytes);
	return (ssize_t)text_bytes;
}

static int serve_ours(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	const struct mqserver_options options = {
		.key = setup->key,
		.mode = 0600,
		.workers = 1,
		.sweep_ns = TICK_S,
		.answer = echo,
	};
	struct mqserver_found found;
	struct mqserver *server;
	int error = mqserver_create(&server, &options, &found);

	if (!error)
		error = rig_serve(gate);
	return error ? error : mqserver_run(server, -1);
}

static int ask_ours(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	char text[TEXT_MAX] = "", reply[TEXT_MAX];
	struct mqclient *client;
	int error =
		mqclient_open(&client, setup->key, GATE_NO_FILE, GATE_NO_OTHER);

	if (error)
		return error;
	error = rig_meet(gate);
	for (int i = 0; i < REQUESTS / setup->clients && !error; i++) {
		text[0] = (char)i;
		if (mqclient_ask(client, text, setup->text_bytes, reply,
				 setup->text_bytes, tick_after(10 * TICK_S)) !=
			    (ssize_t)setup->text_bytes ||
		    reply[0] != (char)i)
			error = -EBADMSG;
	}
	rig_finish(gate);
	mqclient_close(client);
	return error;
}

/* ---- requests: bare ---- */

struct bare {
	long type;
	long client;
	char bytes[sizeof(struct letter_head) - sizeof(long) + TEXT_MAX];
};

static size_t bare_bytes(const struct setup *setup)
{
	return sizeof(struct letter_head) + setup->text_bytes;
}

static int serve_bare(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	struct bare message;
	ssize_t n;

	if (rig_serve(gate))
		return -EPIPE;
	for (;;) {
		n = msgrcv(setup->queue, &message, bare_bytes(setup), 1, 0);
		message.type = message.client;
		if (n < 0 || msgsnd(setup->queue, &message, (size_t)n, 0) < 0)
			return -errno;
	}
}

static int ask_bare(void *arg, struct rig_gate *gate)
{
	const struct setup *setup = arg;
	size_t bytes = bare_bytes(setup);
	struct bare message = {0};

	if (rig_meet(gate))
		return -ECANCELED;
	for (int i = 0; i < REQUESTS / setup->clients; i++) {
		message.type = 1;
		message.client = getpid();
		message.bytes[0] = (char)i;
		if (msgsnd(setup->queue, &message, bytes, 0) < 0 ||
		    msgrcv(setup->queue, &message, bytes, getpid(), 0) !=
			    (ssize_t)bytes ||
		    message.bytes[0] != (char)i)
			return -EBADMSG;
	}
	return 0;
}

/* ---- rounds ---- */

/* Requests a second of all clients together. */
static double time_requests(rig_body *server, rig_body *client,
			    struct setup *setup)
{
	int64_t ns = rig_run_clients(server, client, (size_t)setup->clients,
				     setup, tick_after(60 * TICK_S));

	if (ns < 0)
		die_errno((int)ns, "a client did not get its replies");
	return REQUESTS / ((double)ns / 1e9);
}

static void note(struct rates *rates, int round, double ours, double bare)
{
	if (round < 0) /* the first one warms up */
		return;
	rates->ours[round] = ours;
	rates->bare[round] = bare;
	rates->ratio[round] = ours / bare;
}

static void print_row(struct out_table *table, const char *what,
		      const struct rates *rates, const char *goal)
{
	char buf[16];

	out_table_row(table);
	out_table_cell(table, "%s", what);
	out_table_cell(table, "%s/s",
		       out_number(stats_median(rates->ours, ROUNDS), buf,
				  sizeof(buf)));
	out_table_cell(table, "%s/s",
		       out_number(stats_median(rates->bare, ROUNDS), buf,
				  sizeof(buf)));
	out_table_cell(table, "%.2f", stats_median(rates->ratio, ROUNDS));
	out_table_cell(table, "%s", goal);
}

static void compare_messages(struct out_table *table, struct setup *setup,
			     size_t text_bytes)
{
	struct rates rates;
	char what[64];

	setup->text_bytes = text_bytes;
	for (int i = -1; i < ROUNDS; i++) {
		double ours = 0, bare = 0;

		/* In slices by turns: what disturbs one disturbs both. */
		for (int slice = 0; slice < SLICES; slice++) {
			ours += time_slice(pass_ours, setup);
			bare += time_slice(pass_bare, setup);
		}
		note(&rates, i, SLICES * MESSAGES / (ours / 1e9),
		     SLICES * MESSAGES / (bare / 1e9));
	}
	snprintf(what, sizeof(what), "messages of %zu bytes",
		 bare_bytes(setup));
	print_row(table, what, &rates, "0.95");
}

static void compare_requests(struct out_table *table, struct setup *setup,
			     int clients)
{
	struct rates rates;
	char what[64];

	setup->clients = clients;
	setup->text_bytes = 64 - sizeof(struct letter_head);
	for (int i = -1; i < ROUNDS; i++) {
		double ours = 0, bare;

		/* Who goes first alternates too. */
		if (i % 2)
			ours = time_requests(serve_ours, ask_ours, setup);
		bare = time_requests(serve_bare, ask_bare, setup);
		if (i % 2 == 0)
			ours = time_requests(serve_ours, ask_ours, setup);
		note(&rates, i, ours, bare);
	}
	snprintf(what, sizeof(what), "requests of %d client%s", clients,
		 clients == 1 ? "" : "s");
	print_row(table, what, &rates, clients == 1 ? "" : "0.80");
}

/* Our servers were killed; the last one's objects are still there. */
static void clean_up(const struct setup *setup)
{
	const struct mqserver_options options = {
		.key = setup->key, .mode = 0600, .answer = echo};
	struct mqserver_found found;
	struct mqserver *server;

	msgctl(setup->queue, IPC_RMID, NULL);
	if (mqserver_create(&server, &options, &found) == 0)
		mqserver_remove(server);
}

int main(void)
{
	static const struct out_column columns[] = {
		{"What", OUT_LEFT},  {"ours", OUT_RIGHT},
		{"bare", OUT_RIGHT}, {"ours / bare", OUT_RIGHT},
		{"goal", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct setup setup = {.key = (key_t)(0x05000000 | getpid())};

	out_check_at_exit();
	setup.queue = msgget(IPC_PRIVATE, 0600);
	if (!table || setup.queue < 0)
		die_errno(errno, "cannot make a queue");
	printf("%d rounds of %d messages and %d requests, medians\n", ROUNDS,
	       SLICES * MESSAGES, REQUESTS);
	compare_messages(table, &setup, 64 - sizeof(struct letter_head));
	compare_messages(table, &setup, 1024 - sizeof(struct letter_head));
	compare_requests(table, &setup, 1);
	compare_requests(table, &setup, CLIENTS_MAX);
	out_table_print(table, stdout);
	out_table_free(table);
	clean_up(&setup);
	return EXIT_SUCCESS;
}
