/* rpc_loop.h - event loops that serve all connections, and threads beside them
 * for the calls that may wait. For rpc_server.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_LOOP_H
#define UNIXIPC_LIB_RPC_RPC_LOOP_H

#include "lib/rpc/rpc_conn.h"

struct rpc_loops; /* opaque */

/* Start options->loops loops and options->workers workers, to which
 * rpc_loop_start() gives connections by turns. Returns 0, -EAGAIN, -ENOMEM,
 * -EMFILE, … */
int rpc_loop_open(struct rpc_loops **out, struct rpc_conns *conns);

/* When the last connection has ended: end the threads. NULL is allowed. */
void rpc_loop_close(struct rpc_loops *loops);

/* The start of struct rpc_conns. */
int rpc_loop_start(struct rpc_conn *conn);

#endif
