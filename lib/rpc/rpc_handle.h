/* rpc_handle.h - a client of ours as libtirpc's CLIENT, for rpcgen's stubs.
 *
 * For rpc_client.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_HANDLE_H
#define UNIXIPC_LIB_RPC_RPC_HANDLE_H

#include "lib/rpc/rpc_client.h"

/* Fill in all but cl_auth. */
void rpc_handle_init(CLIENT *handle, struct rpc_client *client);

#endif
