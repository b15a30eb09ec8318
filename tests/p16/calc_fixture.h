/* A calculator in a thread of this process, and clients of it. */
#ifndef UNIXIPC_TESTS_P16_CALC_FIXTURE_H
#define UNIXIPC_TESTS_P16_CALC_FIXTURE_H

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p16-rpc-calc/calc.h"
#include "p16-rpc-calc/accumulator.h"
#include "p16-rpc-calc/calcclient.h"

struct fixture {
	struct accumulator *accumulator;
	struct rpc_server *server;
	pthread_t thread;
	int stop[2];
	char path[64];
	/* Of calls that accumulate: lose this many replies, or every nth. */
	_Atomic int to_lose;
	int every;
	_Atomic int seen;
};

static inline bool fixture_loses(const struct rpc_call *call, void *arg)
{
	struct fixture *f = arg;

	if (call->version != CALC_VERS_2 || call->procedure != ACCUMULATE)
		return false;
	if (f->every)
		return atomic_fetch_add(&f->seen, 1) % f->every == 0;
	return atomic_fetch_sub(&f->to_lose, 1) > 0;
}

static inline void *fixture_run(void *arg)
{
	struct fixture *f = arg;
	int r = rpc_server_run(f->server, f->stop[0]);

	return r ? f : NULL;
}

static inline void fixture_open_programs(struct fixture *f,
					 const struct rpc_program *programs,
					 size_t n)
{
	struct rpc_server_options options = {
		.dispatch = {.programs = programs, .n_programs = n},
		.host = "127.0.0.1",
		.has_tcp = true,
		.has_udp = true,
		.unix_path = f->path,
		.loses_reply = fixture_loses,
		.arg = f,
	};

	*f = (struct fixture){0};
	snprintf(f->path, sizeof(f->path), "/tmp/p16_calc.%d", (int)getpid());
	assert_int_equal(accumulator_open(&f->accumulator, 64, 60 * TICK_S), 0);
	options.dispatch.arg = f->accumulator;
	assert_int_equal(rpc_server_open(&f->server, &options), 0);
	assert_int_equal(fdio_pipe(f->stop), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, fixture_run, f), 0);
}

static inline void fixture_close(struct fixture *f)
{
	void *failed;

	fdio_close(&f->stop[1]);
	assert_int_equal(pthread_join(f->thread, &failed), 0);
	assert_null(failed);
	fdio_close(&f->stop[0]);
	rpc_server_close(f->server);
	accumulator_close(f->accumulator);
	assert_int_equal(access(f->path, F_OK), -1);
}

/* Serve the first n versions. */
static inline void fixture_open(struct fixture *f, size_t n_versions)
{
	fixture_open_programs(f, calc_programs, n_versions);
}

/* A client that waits long, as this machine may be slow, and tries again soon,
 * as losses are on purpose. */
static inline struct rpc_client *fixture_client(const struct fixture *f,
						enum rpc_transport transport,
						uint32_t version)
{
	const struct rpc_client_options options = {
		.transport = transport,
		.host = "127.0.0.1",
		.port = rpc_server_port(f->server, transport),
		.unix_path = f->path,
		.program = CALC_PROG,
		.version = version,
		.timeout_ns = 60 * TICK_S,
		.retry_ns = 20 * TICK_MS,
		.retries = 100,
		.may_repeat = true,
	};
	struct rpc_client *client = NULL;
	struct rpc_fault fault;

	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	return client;
}

static inline struct calcclient *fixture_calcclient(
	const struct fixture *f, enum rpc_transport transport)
{
	const struct rpc_client_options options = {
		.transport = transport,
		.host = "127.0.0.1",
		.unix_path = f->path,
		.port = rpc_server_port(f->server, transport),
		.connect_ns = 60 * TICK_S,
		.timeout_ns = 60 * TICK_S,
		.retries = 100,
	};
	struct calcclient *calc = NULL;
	struct rpc_fault fault;

	assert_int_equal(calcclient_open(&calc, &options, &fault), 0);
	return calc;
}

#endif
