/* bench.c - what it costs to say who is calling: calls to ADD over loopback,
 * one after the other, by one client to one server process that takes all
 * flavors. They take turns within each trial, and figures are medians; each
 * result is checked. And the first call of a conversation alone, where
 * AUTH_DH computes the common key, on the client's side and the server's. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p17-rpc-auth/authdh/authdh_client.h"
#include "p17-rpc-auth/service.h"
#include "p17-rpc-auth/sums.h"

enum { TRIALS = 21, CALLS = 1000, FIRSTS = 40 };

enum way { NONE, SYS_TCP, SYS_UNIX, DES, WAYS };

static const char *const titles[WAYS] = {
	"AUTH_NONE, TCP",
	"AUTH_SYS, TCP",
	"AUTH_SYS, Unix socket",
	"AUTH_DH, TCP",
};

enum { USER, HOST };

struct ground {
	struct keys_entry secrets[2], publics[2]; /* USER, HOST */
	struct keys keys;
	struct service service;
	struct rpc_server *server;
	struct rpc_client *clients[WAYS];
	char socket[64];
	pid_t pid;
};

static void make_keys(struct ground *ground)
{
	static const char *const names[] = {"unix.1000@bench",
					    "unix.calc@bench"};

	for (int i = 0; i < 2; i++) {
		memcpy(ground->secrets[i].name, names[i], strlen(names[i]) + 1);
		memcpy(ground->publics[i].name, names[i], strlen(names[i]) + 1);
		if (dh_generate(ground->secrets[i].key, ground->publics[i].key))
			die("no random numbers");
	}
	ground->keys = (struct keys){ground->publics, 2};
}

static int serve(void *arg)
{
	struct ground *ground = arg;

	return rpc_server_run(ground->server, -1) ? 1 : 0;
}

static void start_server(struct ground *ground)
{
	struct rpc_server_options options = {
		.host = "127.0.0.1",
		.has_tcp = true,
		.unix_path = ground->socket,
		.unix_mode = 0600,
	};
	const struct authdh_server_options dh = {
		.publics = &ground->keys,
		.secret = &ground->secrets[HOST],
	};

	snprintf(ground->socket, sizeof(ground->socket),
		 "/tmp/unixipc.p17-bench.%d", (int)getpid());
	policy_init(&ground->service.policy, service_procedures);
	if (policy_add(&ground->service.policy, "* anybody") ||
	    authdh_server_open(&ground->service.dh, &dh))
		die("cannot prepare the server");
	service_dispatch(&ground->service, &options.dispatch);
	if (rpc_server_open(&ground->server, &options) ||
	    child_fork(serve, ground, &ground->pid))
		die("cannot start the server");
}

static AUTH *make_auth(const struct ground *ground, enum way way)
{
	const struct authdh_client_options options = {
		.secret = &ground->secrets[USER],
		.server = &ground->publics[HOST],
	};
	AUTH *auth = NULL;

	if (way == NONE)
		return NULL;
	if (way != DES)
		auth = authunix_create("bench", geteuid(), getegid(), 0, NULL);
	else if (authdh_client_create(&auth, &options))
		auth = NULL;
	if (!auth)
		die("cannot make a credential");
	return auth;
}

static void connect_client(struct ground *ground, enum way way)
{
	const struct rpc_client_options options = {
		.transport = way == SYS_UNIX ? RPC_UNIX : RPC_TCP,
		.host = "127.0.0.1",
		.port = rpc_server_port(ground->server, RPC_TCP),
		.unix_path = ground->socket,
		.program = SUMS_PROG,
		.version = SUMS_VERS,
	};
	struct rpc_fault fault;

	if (rpc_client_open(&ground->clients[way], &options, &fault))
		die("cannot connect");
	rpc_client_set_auth(ground->clients[way], make_auth(ground, way));
}

static void call(struct rpc_client *client, int a, int b)
{
	sums_operands operands = {a, b};
	struct rpc_fault fault;
	quad_t sum = 0;
	char text[128];

	if (rpc_client_call(client, SUMS_ADD, (xdrproc_t)xdr_sums_operands,
			    &operands, (xdrproc_t)xdr_quad_t, &sum, &fault))
		die("a call failed: %s",
		    rpc_fault_text(&fault, text, sizeof(text)));
	if (sum != (quad_t)a + b)
		die("a wrong sum");
}

static double time_calls(struct ground *ground, enum way way)
{
	int64_t start = tick_now();

	for (int i = 0; i < CALLS; i++)
		call(ground->clients[way], i, 7);
	return CALLS * 1e9 / (double)(tick_now() - start);
}

/* Of new conversations over a connection that is there, nanoseconds each. */
static double time_firsts(struct ground *ground, enum way way)
{
	int64_t start = tick_now();

	for (int i = 0; i < FIRSTS; i++) {
		rpc_client_set_auth(ground->clients[way],
				    make_auth(ground, way));
		call(ground->clients[way], i, 9);
	}
	return (double)(tick_now() - start) / FIRSTS;
}

static void print(double rate[WAYS][TRIALS], double first[WAYS][TRIALS])
{
	static const struct out_column columns[] = {
		{"Flavor", OUT_LEFT},
		{"calls/s", OUT_RIGHT},
		{"of AUTH_NONE", OUT_RIGHT},
		{"credential and first call", OUT_RIGHT},
	};
	struct out_table *table = out_table_new(columns, 4);
	double ratio[TRIALS];
	char text[16];

	if (!table)
		die("out of memory");
	for (int way = 0; way < WAYS; way++) {
		for (int i = 0; i < TRIALS; i++)
			ratio[i] = rate[way][i] / rate[NONE][i];
		out_table_row(table);
		out_table_cell(table, "%s", titles[way]);
		out_table_cell(table, "%s",
			       out_number(stats_median(rate[way], TRIALS), text,
					  sizeof(text)));
		out_table_cell(table, "%.2f x", stats_median(ratio, TRIALS));
		out_table_cell(table, "%s",
			       out_duration(stats_median(first[way], TRIALS),
					    text, sizeof(text)));
	}
	out_table_print(table, stdout);
	out_table_free(table);
}

int main(void)
{
	static double rate[WAYS][TRIALS], first[WAYS][TRIALS];
	static struct ground ground;
	int status;

	make_keys(&ground);
	start_server(&ground);
	for (enum way way = NONE; way < WAYS; way++) {
		connect_client(&ground, way);
		time_calls(&ground, way);
	}
	for (int i = 0; i < TRIALS; i++) {
		for (int k = 0; k < WAYS; k++) {
			enum way way = (enum way)((k + i) % WAYS);

			rate[way][i] = time_calls(&ground, way);
			first[way][i] = time_firsts(&ground, way);
		}
	}
	print(rate, first);
	for (enum way way = NONE; way < WAYS; way++)
		rpc_client_close(ground.clients[way]);
	child_end(ground.pid, 0, &status);
	rpc_server_close(ground.server);
	authdh_server_close(ground.service.dh);
	return 0;
}
