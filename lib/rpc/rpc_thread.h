/* rpc_thread.h - a thread for each connection. For rpc_server.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_THREAD_H
#define UNIXIPC_LIB_RPC_RPC_THREAD_H

#include "lib/rpc/rpc_conn.h"

/* The start of struct rpc_conns. -EAGAIN where there are no threads left. */
int rpc_thread_start(struct rpc_conn *conn);

#endif
