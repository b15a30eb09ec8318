/* rpc_clnt.h - between libtirpc's types and ours: a client as a CLIENT, for
 * rpcgen's stubs, and an AUTH as a flavor of a client.
 *
 * For rpc_client.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_CLNT_H
#define UNIXIPC_LIB_RPC_RPC_CLNT_H

#include "lib/rpc/rpc_client.h"

/* Fill in all but cl_auth. */
void rpc_clnt_init(CLIENT *handle, struct rpc_client *client);

/* The flavor's destroy is auth_destroy(). */
struct rpc_auth_client rpc_clnt_flavor(AUTH *auth);

#endif
