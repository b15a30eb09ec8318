/* kv_server - the command. */
#include <stdio.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/stop.h"
#include "lib/rpc/rpc_server.h"
#include "p18-rpc-kv/memory.h"
#include "p18-rpc-kv/service.h"

struct arguments {
	unsigned id;
	uint16_t port;
	const char *peers, *data;
	const char *host;
};

int main(int argc, char **argv)
{
	struct arguments a = {.host = "127.0.0.1"};
	const struct cli_option options[] = {
		CLI_COUNT("id", 'i', "N", &a.id, 1, 1000, "of this server"),
		CLI_COUNT("port", 'p', "N", &a.port, 1, UINT16_MAX, "Port"),
		CLI_TEXT("peers", 'P', "LIST", &a.peers, "The others"),
		CLI_TEXT("data", 'd', "DIR", &a.data, "Folder"),
		CLI_TEXT("listen", 'l', "ADDRESS", &a.host, "Address"),
		{0},
	};
	const struct cli_command command = {.doc = "x", .options = options};
	struct engine *engine;
	struct service service = {0};
	struct rpc_server *server;
	struct rpc_server_options rpc = {.has_tcp = true};
	int error;

	cli_parse(&command, argc, argv);
	error = stop_install();
	if (!error)
		error = memory_open(&engine);
	if (error)
		die_errno(error, "cannot begin");
	service.engine = engine;
	rpc.dispatch = service_clients(&service);
	rpc.host = a.host;
	rpc.tcp_port = a.port;
	error = rpc_server_open(&server, &rpc);
	if (error)
		die_errno(error, "cannot listen");
	printf("kv_server 1: serving on port %u\n",
	       rpc_server_port(server, RPC_TCP));
	fflush(stdout);
	error = rpc_server_run(server, stop_fd());
	rpc_server_close(server);
	engine->calls->close(engine);
	return error ? DIE_FAILURE : 0;
}
