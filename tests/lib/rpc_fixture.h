/* A program of a few procedures, a server of it in a thread, and clients. */
#ifndef UNIXIPC_TESTS_LIB_RPC_FIXTURE_H
#define UNIXIPC_TESTS_LIB_RPC_FIXTURE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "tests/support/support.h"

enum {
	PROGRAM = 0x31239999,
	VERSION = 3,
	ADD = 1,
	ECHO = 2,
	COUNT = 3,
	FAIL = 4,
	GATE = 5,
	ECHO_MAX = 1 << 19,
};

struct pair {
	int32_t a, b;
};

struct blob {
	u_int n;
	char *bytes;
};

static atomic_int count; /* calls of COUNT that were done */
static atomic_int in_gate;
static atomic_bool gate_is_open;

static inline bool_t xdr_pair(XDR *xdrs, struct pair *pair)
{
	return xdr_int32_t(xdrs, &pair->a) && xdr_int32_t(xdrs, &pair->b);
}

static inline bool_t xdr_blob(XDR *xdrs, struct blob *blob)
{
	return xdr_bytes(xdrs, &blob->bytes, &blob->n, ECHO_MAX);
}

static inline int serve_add(const struct rpc_request *request, void *args,
			    void *result)
{
	const struct pair *pair = args;
	int32_t *sum = result;

	(void)request;
	*sum = (int32_t)((uint32_t)pair->a + (uint32_t)pair->b);
	return 0;
}

static inline int serve_echo(const struct rpc_request *request, void *args,
			     void *result)
{
	struct blob *in = args, *out = result;

	(void)request;
	*out = *in;
	memset(in, 0, sizeof(*in));
	return 0;
}

static inline int serve_count(const struct rpc_request *request, void *args,
			      void *result)
{
	int32_t *n = result;

	(void)request, (void)args;
	*n = atomic_fetch_add(&count, 1) + 1;
	return 0;
}

static inline int serve_fail(const struct rpc_request *request, void *args,
			     void *result)
{
	(void)request, (void)args, (void)result;
	return -EIO;
}

/* Stays until the test lets it go. */
static inline int serve_gate(const struct rpc_request *request, void *args,
			     void *result)
{
	int64_t deadline = tick_after(60 * TICK_S);

	(void)request, (void)args, (void)result;
	atomic_fetch_add(&in_gate, 1);
	while (!atomic_load(&gate_is_open) && !tick_is_over(deadline))
		tick_sleep_until(tick_after(TICK_MS));
	atomic_fetch_sub(&in_gate, 1);
	return 0;
}

#define XDR(type) ((xdrproc_t)xdr_##type)

static const struct rpc_procedure procedures[] = {
	RPC_DISPATCH_NULL,
	{.number = ADD,
	 .name = "add",
	 .xdr_args = XDR(pair),
	 .args_bytes = sizeof(struct pair),
	 .xdr_result = XDR(int32_t),
	 .result_bytes = sizeof(int32_t),
	 .serve = serve_add,
	 .flags = RPC_IDEMPOTENT | RPC_QUICK,
	 .max_args_bytes = 8,
	 .max_result_bytes = 4},
	{.number = ECHO,
	 .name = "echo",
	 .xdr_args = XDR(blob),
	 .args_bytes = sizeof(struct blob),
	 .xdr_result = XDR(blob),
	 .result_bytes = sizeof(struct blob),
	 .serve = serve_echo,
	 .flags = RPC_IDEMPOTENT | RPC_QUICK,
	 .max_args_bytes = 4 + ECHO_MAX,
	 .max_result_bytes = 4 + ECHO_MAX},
	{.number = COUNT,
	 .name = "count",
	 .xdr_result = XDR(int32_t),
	 .result_bytes = sizeof(int32_t),
	 .serve = serve_count,
	 .max_result_bytes = 4},
	{.number = FAIL, .name = "fail", .serve = serve_fail},
	{.number = GATE, .name = "gate", .serve = serve_gate},
};
#define N_PROCEDURES (sizeof(procedures) / sizeof(procedures[0]))

static const struct rpc_program programs[] = {
	{PROGRAM, VERSION, procedures, N_PROCEDURES},
	{PROGRAM, VERSION + 2, procedures, 1},
};
#define DISPATCH                                       \
	{                                              \
		.programs = programs, .n_programs = 2, \
	}

/* ---- a server ---- */

#define UNIX_PATH "/tmp/p16.sock"

struct fixture {
	struct rpc_server_options options; /* set before start_server() */
	struct rpc_server *server;
	pthread_t thread;
	int stop_fd;
	int result;
};

static inline void *run_server(void *arg)
{
	struct fixture *f = arg;

	f->result = rpc_server_run(f->server, f->stop_fd);
	return NULL;
}

/* Cases run twice: with a thread for each connection, and with event loops. */
static unsigned int loops;

static inline int in_threads(void **state)
{
	(void)state;
	loops = 0;
	return 0;
}

static inline int in_loops(void **state)
{
	(void)state;
	loops = 2;
	return 0;
}

#define MODES_CASE(name)                                       \
	{#name, name, in_threads, NULL, NULL},                 \
	{                                                      \
#name "__in_loops", name, in_loops, NULL, NULL \
	}

/* The options of all three transports, on any port of the loopback. */
static inline struct rpc_server_options all_transports(void)
{
	return (struct rpc_server_options){
		.dispatch = DISPATCH,
		.host = "127.0.0.1",
		.has_tcp = true,
		.has_udp = true,
		.unix_path = UNIX_PATH,
		.loops = loops,
	};
}

static inline void start_server(struct fixture *f)
{
	atomic_store(&count, 0);
	atomic_store(&gate_is_open, false);
	assert_int_equal(rpc_server_open(&f->server, &f->options), 0);
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(f->stop_fd >= 0);
	assert_int_equal(pthread_create(&f->thread, NULL, run_server, f), 0);
}

static inline void stop_server(struct fixture *f)
{
	const uint64_t one = 1;

	atomic_store(&gate_is_open, true);
	assert_int_equal(write(f->stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	assert_int_equal(f->result, 0);
	rpc_server_close(f->server);
	fdio_close(&f->stop_fd);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->options = all_transports();
	start_server(f);
	*state = f;
	return 0;
}

static inline int set_up_threads(void **state)
{
	in_threads(state);
	return set_up(state);
}

static inline int set_up_loops(void **state)
{
	in_loops(state);
	return set_up(state);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	stop_server(f);
	free(f);
	return 0;
}

#define SERVED_CASE(name)                                               \
	{#name, name, set_up_threads, tear_down, NULL},                 \
	{                                                               \
#name "__in_loops", name, set_up_loops, tear_down, NULL \
	}

static inline struct rpc_server_counts counts_of(const struct fixture *f)
{
	struct rpc_server_counts counts;

	rpc_server_count(f->server, &counts);
	return counts;
}

/* ---- clients ---- */

static inline struct rpc_client_options client_options(
	const struct fixture *f, enum rpc_transport transport)
{
	return (struct rpc_client_options){
		.transport = transport,
		.host = "127.0.0.1",
		.port = rpc_server_port(f->server, transport),
		.unix_path = UNIX_PATH,
		.program = PROGRAM,
		.version = VERSION,
		.timeout_ns = 60 * TICK_S,
		.connect_ns = 60 * TICK_S,
	};
}

static inline struct rpc_client *open_client(const struct fixture *f,
					     enum rpc_transport transport)
{
	const struct rpc_client_options options = client_options(f, transport);
	struct rpc_client *client;
	struct rpc_fault fault;

	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	return client;
}

static inline enum rpc_fault_kind call_null(struct rpc_client *client,
					    struct rpc_fault *fault)
{
	return rpc_client_call(client, 0, NULL, NULL, NULL, NULL, fault);
}

static inline enum rpc_fault_kind call_add(struct rpc_client *client, int32_t a,
					   int32_t b, int32_t *sum,
					   struct rpc_fault *fault)
{
	const struct pair pair = {a, b};

	*sum = 0;
	return rpc_client_call(client, ADD, (xdrproc_t)xdr_pair, &pair,
			       (xdrproc_t)xdr_int32_t, sum, fault);
}

static inline enum rpc_fault_kind call_count(struct rpc_client *client,
					     int32_t *n,
					     struct rpc_fault *fault)
{
	*n = 0;
	return rpc_client_call(client, COUNT, NULL, NULL,
			       (xdrproc_t)xdr_int32_t, n, fault);
}

#endif
