/* Our server, and the client that calls it and libtirpc's. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p16-rpc-calc/bench/bench_side.h"
#include "p16-rpc-calc/calc.h"

static int serve_by(unsigned int loops, const struct bench_case *c,
		    struct bench_address *at, struct rig_gate *gate)
{
	struct rpc_server_options options = {
		.dispatch = {.programs = calc_programs,
			     .n_programs = CALC_PROGRAMS},
		.host = "127.0.0.1",
		.has_tcp = c->transport == BENCH_TCP,
		.has_udp = c->transport == BENCH_UDP,
		.unix_path = c->transport == BENCH_UNIX ? c->path : NULL,
		.loops = loops,
		.max_connections = 2100,
	};
	struct sockaddr_in *in = (struct sockaddr_in *)&at->storage;
	struct rpc_server *server;
	int r = rpc_server_open(&server, &options);

	if (r)
		return r;
	*at = (struct bench_address){.len = sizeof(*in)};
	in->sin_port = htons(rpc_server_port(
		server, c->transport == BENCH_UDP ? RPC_UDP : RPC_TCP));
	r = rig_serve(gate);
	return r ? r : rpc_server_run(server, -1);
}

static int serve_by_threads(const struct bench_case *c,
			    struct bench_address *at, struct rig_gate *gate)
{
	return serve_by(0, c, at, gate);
}

static int serve_by_loops(const struct bench_case *c, struct bench_address *at,
			  struct rig_gate *gate)
{
	return serve_by(BENCH_LOOPS, c, at, gate);
}

struct client {
	const struct bench_case *c;
	struct rpc_client *rpc;
	int error; /* of a call that was in flight */
	char block[CALC_ECHO_MAX];
};

int bench_open_rpc(void **client, const struct bench_case *c,
		   const struct bench_address *at)
{
	static const enum rpc_transport transports[] = {
		[BENCH_TCP] = RPC_TCP,
		[BENCH_UDP] = RPC_UDP,
		[BENCH_UNIX] = RPC_UNIX,
	};
	const struct sockaddr_in *in = (const struct sockaddr_in *)&at->storage;
	const struct rpc_client_options options = {
		.transport = transports[c->transport],
		.host = "127.0.0.1",
		.port = ntohs(in->sin_port),
		.unix_path = c->path,
		.program = CALC_PROG,
		.version = CALC_VERS_2,
	};
	struct client *new = calloc(1, sizeof(*new));
	struct rpc_fault fault;

	if (!new)
		return -ENOMEM;
	new->c = c;
	*client = new;
	return rpc_client_open(&new->rpc, &options, &fault) ? -ENOTCONN : 0;
}

/* The reply is that of our call by its xid; what it brings is looked at. */
int bench_call_rpc(void *client, uint32_t number)
{
	struct client *a = client;
	calc_bytes args = {(u_int)a->c->bytes, a->block}, result;
	struct rpc_fault fault;
	int r;

	if (a->c->bytes == 0)
		return calc_null_2(a->rpc, &fault) ? -EPIPE : 0;
	bench_fill(a->block, a->c->bytes, number);
	if (calc_echo_2(a->rpc, &args, &result, &fault))
		return -EPIPE;
	r = result.calc_bytes_len == a->c->bytes &&
			    memcmp(result.calc_bytes_val, a->block,
				   a->c->bytes) == 0
		    ? 0
		    : -EBADMSG;
	xdr_free((xdrproc_t)xdr_calc_bytes, (char *)&result);
	return r;
}

void bench_close_rpc(void *client)
{
	struct client *a = client;

	rpc_client_close(a->rpc);
	free(a);
}

const struct bench_side bench_threads = {
	.name = "threads",
	.serve = serve_by_threads,
	.open = bench_open_rpc,
	.call = bench_call_rpc,
	.close = bench_close_rpc,
};

const struct bench_side bench_loops = {
	.name = "loops",
	.serve = serve_by_loops,
	.open = bench_open_rpc,
	.call = bench_call_rpc,
	.close = bench_close_rpc,
};

/* ---- many in flight ---- */

static void note(const struct rpc_fault *fault, void *arg)
{
	struct client *a = arg;

	if (fault->kind)
		a->error = -EPIPE;
}

/* Wait until fewer than n are in flight. */
static int wait_for(struct client *a, size_t n)
{
	int64_t deadline = tick_after(60 * TICK_S);

	while (rpc_client_in_flight(a->rpc) >= n) {
		int r = rpc_client_wait(a->rpc, deadline);

		if (r < 0)
			return r;
	}
	return a->error;
}

static int start(void *client, uint32_t number)
{
	struct client *a = client;
	const struct rpc_client_request request = {
		.procedure = CALC_NULL, .done = note, .arg = a};
	struct rpc_fault fault;
	int r = wait_for(a, BENCH_IN_FLIGHT);

	(void)number;
	if (r == 0 && rpc_client_start(a->rpc, &request, &fault))
		r = -EPIPE;
	return r;
}

static int finish(void *client)
{
	return wait_for(client, 1);
}

const struct bench_side bench_in_flight = {
	.name = "in flight",
	.serve = serve_by_threads,
	.open = bench_open_rpc,
	.call = start,
	.finish = finish,
	.close = bench_close_rpc,
};
