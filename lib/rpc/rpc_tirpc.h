/* rpc_tirpc.h - an AUTH of libtirpc as a flavor of a client.
 *
 * For rpc_client.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_TIRPC_H
#define UNIXIPC_LIB_RPC_RPC_TIRPC_H

#include <rpc/rpc.h>

#include "lib/rpc/rpc_auth.h"

/* The flavor's destroy is auth_destroy(). */
struct rpc_auth_client rpc_tirpc_flavor(AUTH *auth);

#endif
