/* forward.h - ask the leader on a client's behalf.
 *
 * The thread that serves the client makes the call and waits for it, over a
 * connection to the leader's port for peers (service.h), which clients cannot fill.
 * Connections are kept for the next call; there are FORWARD_MAX at most, and who
 * finds all in use waits for one. Any thread may call; forward_close() when nobody
 * does so any more. Neither may a forked child. */
#ifndef UNIXIPC_P18_RPC_KV_FORWARD_H
#define UNIXIPC_P18_RPC_KV_FORWARD_H

#include <stdint.h>

#include "lib/rpc/rpc_fault.h"
#include "p18-rpc-kv/kv.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FORWARD_MAX = 128 }; /* connections of one server */

struct forward; /* opaque */

/* A call of KV_PROG. */
struct forward_call {
	u_long procedure;
	xdrproc_t xdr_args, xdr_result;
	const void *args;
	void *result; /* all zero before */
};

int forward_open(struct forward **out); /* 0 or -ENOMEM */

/* address is the one that clients know. Returns 0, or the kind of *fault
 * (RPC_FAULT_LOCAL with EAGAIN: no connection was free): with *result unchanged, or to be freed and
 * zeroed again (rpc_client.h). */
enum rpc_fault_kind forward_make(struct forward *forward, const char *address,
				 const struct forward_call *call,
				 int64_t deadline, struct rpc_fault *fault);

void forward_close(struct forward *forward); /* or NULL */

#ifdef __cplusplus
}
#endif

#endif
