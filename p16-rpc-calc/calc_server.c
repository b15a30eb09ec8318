/* calc_server - the command: options, the registration, the end. */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/die.h"
#include "lib/objname.h"
#include "lib/stop.h"
#include "lib/tick.h"
#include "p16-rpc-calc/calc.h"
#include "p16-rpc-calc/calc_service.h"
#include "p16-rpc-calc/rpc_bind.h"
#include "p16-rpc-calc/rpc_server.h"

/* Clients whose last answer is kept, and for how long at least. */
enum { CLIENTS = 1024 };
#define KEEP_NS (120 * TICK_S)

#define RPCBIND_NS (10 * TICK_S)

struct arguments {
	struct rpc_server_options server;
	bool has_unix, has_no_rpcbind, is_verbose;
	_Atomic uint64_t to_drop;
};

static const struct argp_option options[] = {
	{"transport", 't', "LIST", 0, "Of tcp, udp, unix (default tcp,udp)", 0},
	{"port", 'p', "N", 0, "Port for TCP and UDP (default: any)", 0},
	{"socket", 's', "PATH", 0, "Listen on a Unix socket too", 0},
	{"no-rpcbind", 'n', NULL, 0, "Register nothing", 0},
	{"max-connections", 'm', "N", 0,
	 "Connections at the same time (default 1000)", 0},
	{"idle-timeout", 'i', "DUR", 0,
	 "Close connections without calls for so long (default 5m)", 0},
	{"drop-replies", 'D', "N", 0, "Serve N calls and lose their replies",
	 0},
	{"verbose", 'v', NULL, 0, "Say where, and which connections are closed",
	 0},
	{0},
};

static void set_transports(struct arguments *arguments, const char *list)
{
	static const char *const words[] = {"tcp", "udp", "unix", NULL};
	bool *const is_on[] = {&arguments->server.has_tcp,
			       &arguments->server.has_udp,
			       &arguments->has_unix};
	char word[16];
	size_t len;

	for (int i = 0; i < RPC_TRANSPORTS; i++)
		*is_on[i] = false;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		*is_on[cli_word("--transport", word, words)] = true;
		if (!list[len])
			return;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct rpc_server_options *server = &arguments->server;

	switch (key) {
	case 't':
		set_transports(arguments, arg);
		return 0;
	case 'p':
		server->tcp_port = server->udp_port =
			(uint16_t)cli_count("--port", arg, 0, UINT16_MAX);
		return 0;
	case 's':
		server->unix_path = arg;
		return 0;
	case 'n':
		arguments->has_no_rpcbind = true;
		return 0;
	case 'm':
		server->max_connections = (unsigned int)cli_count(
			"--max-connections", arg, 1, 100000);
		return 0;
	case 'i':
		server->idle_ns = cli_duration("--idle-timeout", arg,
					       10 * TICK_MS, TICK_NEVER / 2);
		return 0;
	case 'D':
		arguments->to_drop =
			cli_count("--drop-replies", arg, 0, UINT64_MAX);
		return 0;
	case 'v':
		arguments->is_verbose = true;
		return 0;
	case ARGP_KEY_END:
		if (arguments->has_unix && !server->unix_path)
			die_usage("--transport=unix: say where by "
				  "--socket=PATH");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Of what was asked for. The NULL procedure is for finding out who is there. */
static bool loses_reply(const struct rpc_call *call, void *arg)
{
	struct arguments *arguments = arg;
	uint64_t left =
		atomic_load_explicit(&arguments->to_drop, memory_order_relaxed);

	if (call->procedure == CALC_NULL)
		return false;
	while (left > 0)
		if (atomic_compare_exchange_weak_explicit(
			    &arguments->to_drop, &left, left - 1,
			    memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

static void print_event(enum rpc_server_event event,
			const struct rpc_peer *peer, int error, void *arg)
{
	static const char *const words[] = {
		[RPC_SERVER_BAD_RECORD] = "what came was no call",
		[RPC_SERVER_SLOW] = "half a call, or a reply not read",
		[RPC_SERVER_IDLE] = "idle for too long",
		[RPC_SERVER_EVICTED] = "idle, and another wanted to come",
		[RPC_SERVER_REFUSED] = "no room for it",
	};
	const struct arguments *arguments = arg;

	if (arguments->is_verbose)
		die_warn_errno(error, "closed a connection (%s): %s",
			       rpc_auth_transport_name(peer->transport),
			       words[event]);
}

/* Strike the socket off the ledger of IPC objects. */
static void release(const struct arguments *arguments)
{
	if (arguments->server.unix_path)
		objname_release(OBJNAME_SOCKET, arguments->server.unix_path);
}

static _Noreturn void refuse(const struct arguments *arguments, int error)
{
	const struct rpc_server_options *server = &arguments->server;

	if (server->unix_path && (error == -ENOTSOCK || error == -ENAMETOOLONG))
		die_errno(error, "cannot listen on '%s'", server->unix_path);
	if (error == -EADDRINUSE && server->tcp_port)
		die("cannot listen on port %u%s%s: another server does",
		    server->tcp_port, server->unix_path ? " or " : "",
		    server->unix_path ? server->unix_path : "");
	die_errno(error, "cannot listen%s%s",
		  server->unix_path ? " on TCP, UDP or " : "",
		  server->unix_path ? server->unix_path : "");
}

static _Noreturn void refuse_registration(int error)
{
	switch (error) {
	case -ECONNREFUSED:
	case -ENOENT:
		die("rpcbind does not run: start it (as root: rpcbind), or do "
		    "without it (--no-rpcbind)");
	case -EADDRINUSE:
		die("program 0x%08x is registered already, and a server "
		    "answers: rpcinfo -p",
		    CALC_PROG);
	case -EPERM:
		die("program 0x%08x is registered by another user: as root, "
		    "rpcinfo -d %u 1; rpcinfo -d %u 2",
		    CALC_PROG, CALC_PROG, CALC_PROG);
	default:
		die_errno(error, "cannot register program 0x%08x with rpcbind",
			  CALC_PROG);
	}
}

/* The guide's line is of version 1, and stands alone unless more is wanted. */
static void print_registered(const struct arguments *arguments)
{
	uint32_t last = arguments->is_verbose ? CALC_VERS_2 : CALC_VERS;

	for (uint32_t version = CALC_VERS; version <= last; version++)
		printf("Registered with portmapper: program 0x%08x, "
		       "version %u\n",
		       CALC_PROG, version);
}

static void print_listening(const struct arguments *arguments,
			    const struct rpc_server *server)
{
	static const char *const names[] = {"tcp port", "udp port"};
	const char *comma = "";

	printf("Listening on ");
	for (int t = RPC_TCP; t <= RPC_UDP; t++) {
		unsigned int port =
			rpc_server_port(server, (enum rpc_transport)t);

		if (port == 0)
			continue;
		printf("%s%s %u", comma, names[t], port);
		comma = ", ";
	}
	if (arguments->server.unix_path)
		printf("%ssocket %s", comma, arguments->server.unix_path);
	printf(": program 0x%08x, versions %d and %d\n", CALC_PROG, CALC_VERS,
	       CALC_VERS_2);
}

/* What clients of rpcbind are told has to hold in their folder too. */
static void make_absolute(struct rpc_bind_service *bind, char *buf, size_t size)
{
	char folder[PATH_MAX];

	if (!bind->unix_path || bind->unix_path[0] == '/' ||
	    !getcwd(folder, sizeof(folder)))
		return;
	snprintf(buf, size, "%s/%s", folder, bind->unix_path);
	bind->unix_path = buf;
}

/* Serve until a stop. */
static void run(struct arguments *arguments, struct rpc_server *server)
{
	char path[2 * PATH_MAX];
	struct rpc_bind_service bind;
	int r;

	rpc_server_service(server, &bind);
	make_absolute(&bind, path, sizeof(path));
	if (!arguments->has_no_rpcbind) {
		r = rpc_bind_set(&bind, tick_after(RPCBIND_NS));
		if (r && !stop_signal()) {
			rpc_server_close(server);
			release(arguments);
			refuse_registration(r);
		}
		if (r == 0)
			print_registered(arguments);
	}
	if (arguments->has_no_rpcbind || arguments->is_verbose)
		print_listening(arguments, server);
	/* Who cannot say so (a full disk) need not begin: lib/out reports it
	 * at exit. */
	r = fflush(stdout) == 0 ? rpc_server_run(server, stop_fd()) : 0;
	if (r)
		die_warn_errno(r, "cannot go on serving");
	if (!arguments->has_no_rpcbind &&
	    rpc_bind_unset(&bind, tick_after(RPCBIND_NS)))
		die_warn("rpcbind did not take the registration back");
	if (r)
		exit(DIE_FAILURE);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Serve a calculator by ONC RPC, program 0x31230000 "
		       "(rpcinfo says 824377344), versions 1 and 2, until "
		       "SIGINT or SIGTERM.\v"
		       "Example: ./calc_server & ./calc_client localhost add "
		       "5 3\n"
		       "Exit status: 0 stopped, 1 failed, 2 usage.",
	};
	struct arguments arguments = {
		.server = {.has_tcp = true, .has_udp = true},
	};
	struct calc_service service;
	struct rpc_server *server;
	int r;

	cli_parse(&argp, argc, argv, &arguments);
	r = stop_install();
	if (r == 0)
		r = accumulator_open(&service.accumulator, CLIENTS, KEEP_NS);
	if (r)
		die_errno(r, "cannot begin");
	arguments.server.dispatch = (struct rpc_dispatch){
		.programs = calc_service_programs,
		.n_programs = CALC_SERVICE_PROGRAMS,
		.arg = &service,
	};
	arguments.server.loses_reply = loses_reply;
	arguments.server.on_event = print_event;
	arguments.server.arg = &arguments;
	if (arguments.server.unix_path)
		objname_claim(OBJNAME_SOCKET, arguments.server.unix_path);
	r = rpc_server_open(&server, &arguments.server);
	if (r) {
		release(&arguments);
		refuse(&arguments, r);
	}
	run(&arguments, server);
	rpc_server_close(server);
	release(&arguments);
	accumulator_close(service.accumulator);
	return EXIT_SUCCESS;
}
