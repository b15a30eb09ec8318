/* rpc_ends.h - a client of p16's calculator and the socket at its other end. */
#ifndef UNIXIPC_SUITE_ADAPTERS_RPC_ENDS_H
#define UNIXIPC_SUITE_ADAPTERS_RPC_ENDS_H

#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"

/* The parent holds the deadline. */
#define RPC_ENDS_PATIENCE_NS (24 * 3600 * TICK_S)

/* Both in this process, the client for version 2 of calc.x. TCP and Unix: the
 * two are connected, and nobody listens any more. UDP: *server is a socket
 * that anybody may send to. Nothing is left in the file system. Returns 0, and
 * the caller closes both; or -errno. */
int rpc_ends_open(enum rpc_transport transport, struct rpc_client **client,
		  int *server);

#endif
