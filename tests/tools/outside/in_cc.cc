/* The same as in_c.c, in C++. */
#include <iostream>

#include "adder.h"
#include "lib/rpc/rpc_server.h"

int adder_add_1_svc(const rpc_request *, adder_pair *pair, quad_t *sum)
{
	return __builtin_add_overflow(pair->a, pair->b, sum);
}

int main(int argc, char **argv)
{
	rpc_server_options here{};
	rpc_client_options there{};
	rpc_server *server;
	rpc_client *client;
	rpc_fault fault;
	quad_t sum;

	here.dispatch.programs = adder_programs;
	here.dispatch.n_programs = ADDER_PROGRAMS;
	here.host = there.host = "127.0.0.1";
	here.has_tcp = true;
	if (argc < 4) {
		if (rpc_server_open(&server, &here))
			return 1;
		std::cout << rpc_server_port(server, RPC_TCP) << std::endl;
		return rpc_server_run(server, -1);
	}
	const adder_pair pair{std::stol(argv[2]), std::stol(argv[3])};
	there.port = static_cast<uint16_t>(std::stoi(argv[1]));
	there.program = ADDER;
	there.version = ADDER_1;
	if (rpc_client_open(&client, &there, &fault) == 0 &&
	    adder_add_1(client, &pair, &sum, &fault) == 0)
		std::cout << sum << std::endl;
	rpc_client_close(client);
	return rpc_fault_status(&fault);
}
