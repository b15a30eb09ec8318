/* in_c: serve additions. in_c PORT A B: have them added. */
#include <stdio.h>
#include <stdlib.h>

#include "adder.h"
#include "lib/rpc/rpc_server.h"

int adder_add_1_svc(const struct rpc_request *request, adder_pair *pair,
		    quad_t *sum)
{
	return !request || __builtin_add_overflow(pair->a, pair->b, sum);
}

int main(int argc, char **argv)
{
	const struct rpc_server_options here = {
		.dispatch = {adder_programs, ADDER_PROGRAMS},
		.host = "127.0.0.1",
		.has_tcp = true};
	struct rpc_client_options there = {
		.host = "127.0.0.1", .program = ADDER, .version = ADDER_1};
	struct rpc_server *server;
	struct rpc_client *client;
	struct rpc_fault fault;
	quad_t sum;

	if (argc < 4) {
		if (rpc_server_open(&server, &here))
			return 1;
		dprintf(1, "%u\n", rpc_server_port(server, RPC_TCP));
		return rpc_server_run(server, -1);
	}
	adder_pair pair = {atoll(argv[2]), atoll(argv[3])};
	there.port = (uint16_t)atoi(argv[1]);
	if (rpc_client_open(&client, &there, &fault) == 0 &&
	    adder_add_1(client, &pair, &sum, &fault) == 0)
		printf("%ld\n", sum);
	rpc_client_close(client);
	return rpc_fault_status(&fault);
}
