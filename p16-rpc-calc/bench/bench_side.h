/* bench_side.h - what the bench compares: servers, each with its client.
 *
 * A side serves in a process of its own, and its clients call from others. All
 * of them move the same bytes: those of our NULL call, or of our call that
 * has a block sent back.
 */
#ifndef UNIXIPC_P16_RPC_CALC_BENCH_BENCH_SIDE_H
#define UNIXIPC_P16_RPC_CALC_BENCH_BENCH_SIDE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/measure/rig.h"

enum bench_transport { BENCH_TCP, BENCH_UDP, BENCH_UNIX };

struct bench_case {
	enum bench_transport transport;
	size_t bytes;     /* of the block; 0: the NULL call */
	const char *path; /* of the Unix socket, free to be made */
};

struct bench_address {
	struct sockaddr_storage storage;
	socklen_t len;
};

struct bench_side {
	const char *name;

	/* Be the server until killed: make a socket, whose address goes to *at,
	 * say so by rig_serve(), serve. Returns only when that fails. */
	int (*serve)(const struct bench_case *c, struct bench_address *at,
		     struct rig_gate *gate);

	/* A client of it. call() returns 0 once the reply is there and is the
	 * one that belongs to this number, and -errno otherwise. */
	int (*open)(void **client, const struct bench_case *c,
		    const struct bench_address *at);
	int (*call)(void *client, uint32_t number);
	/* Wait for the replies to all calls, where call() does not. NULL: it
	 * does. Returns as call(). */
	int (*finish)(void *client);
	void (*close)(void *client);
};

extern const struct bench_side bench_raw;     /* sockets alone */
extern const struct bench_side bench_svc;     /* svc_run of libtirpc */
extern const struct bench_side bench_threads; /* ours, one a connection */
extern const struct bench_side bench_loops;   /* ours, BENCH_LOOPS of them */
/* Threads, with BENCH_IN_FLIGHT NULL calls over one connection at a time. */
extern const struct bench_side bench_in_flight;

enum { BENCH_LOOPS = 2, BENCH_IN_FLIGHT = 64 };

/* The client of both RPC servers. */
int bench_open_rpc(void **client, const struct bench_case *c,
		   const struct bench_address *at);
int bench_call_rpc(void *client, uint32_t number);
void bench_close_rpc(void *client);

/* For sides: a socket that listens (UDP: is bound), and one that is connected.
 * Return the descriptor or -errno. */
int bench_listen(const struct bench_case *c, struct bench_address *at);
int bench_connect(const struct bench_case *c, const struct bench_address *at);

/* What block number holds: bytes that differ from one number to the next. */
void bench_fill(void *block, size_t bytes, uint32_t number);

#endif
