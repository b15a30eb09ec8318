/* calc_server - the command: options, and what it says; see serve.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/serve.h"
#include "lib/cmd/stop.h"
#include "lib/tick.h"
#include "p16-rpc-calc/accumulator.h"
#include "p16-rpc-calc/calc.h"

/* Clients whose last answer is kept, and for how long at least. */
enum { CLIENTS = 1024 };
#define KEEP_NS (120 * TICK_S)

struct arguments {
	struct serve serve;
	bool is_verbose;
	_Atomic uint64_t to_drop;
};

static const char doc[] =
	"Serve a calculator by ONC RPC, program 0x31230000 (rpcinfo says "
	"824377344), versions 1 and 2, until SIGINT, SIGTERM or SIGHUP.\v"
	"Example: ./calc_server & ./calc_client localhost add 5 3\n"
	"Exit status: 0 stopped, 1 failed, 2 usage.";

static void parse(struct arguments *arguments, int argc, char **argv)
{
	uint64_t to_drop = 0;
	const struct cli_option options[] = {
		SERVE_OPTIONS(&arguments->serve),
		CLI_COUNT("drop-replies", 'D', "N", &to_drop, 0, UINT64_MAX,
			  "Serve N calls and lose their replies"),
		CLI_ON("verbose", 'v', &arguments->is_verbose,
		       "Say where, and which connections are closed"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	cli_parse(&command, argc, argv);
	serve_check(&arguments->serve);
	arguments->to_drop = to_drop;
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

/* The guide's line is of version 1, and stands alone unless more is wanted. */
static void print_registered(const struct arguments *arguments)
{
	uint32_t last = arguments->is_verbose ? CALC_VERS_2 : CALC_VERS;

	for (uint32_t version = CALC_VERS; version <= last; version++)
		printf("Registered with portmapper: program 0x%08x, "
		       "version %u\n",
		       CALC_PROG, version);
}

static void tell(const struct rpc_server *server, bool is_registered, void *arg)
{
	const struct arguments *arguments = arg;

	if (is_registered)
		print_registered(arguments);
	if (!arguments->serve.has_no_rpcbind && !arguments->is_verbose)
		return;
	serve_print_listening(&arguments->serve, server);
	printf(": program 0x%08x, versions %d and %d\n", CALC_PROG, CALC_VERS,
	       CALC_VERS_2);
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.serve.server = {.has_tcp = true, .has_udp = true},
	};
	struct rpc_server_options *rpc = &arguments.serve.server;
	struct accumulator *accumulator;
	struct rpc_server *server;
	int error, status;

	parse(&arguments, argc, argv);
	error = stop_install();
	if (error == 0)
		error = accumulator_open(&accumulator, CLIENTS, KEEP_NS);
	if (error)
		die_errno(error, "cannot begin");
	rpc->dispatch = (struct rpc_dispatch){
		.programs = calc_programs,
		.n_programs = CALC_PROGRAMS,
		.arg = accumulator,
	};
	rpc->loses_reply = loses_reply;
	if (arguments.is_verbose)
		rpc->on_event = serve_print_event;
	rpc->arg = &arguments;
	server = serve_open(&arguments.serve);
	status = serve_run(&arguments.serve, server, tell, &arguments);
	serve_close(&arguments.serve, server);
	accumulator_close(accumulator);
	return status;
}
