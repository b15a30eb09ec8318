/* forward.h - ask the leader on a client's behalf.
 *
 * The thread that serves the client makes the call and waits for it. Connections
 * are kept for the next one, by address: no more than threads have asked at the
 * same time. Any thread may call; forward_close() when nobody does so any more.
 * Neither may a forked child. */
#ifndef UNIXIPC_P18_RPC_KV_FORWARD_H
#define UNIXIPC_P18_RPC_KV_FORWARD_H

#include <stdint.h>

#include "lib/rpc/rpc_fault.h"
#include "p18-rpc-kv/kv.h"

#ifdef __cplusplus
extern "C" {
#endif

struct forward; /* opaque */

/* A call of KV_PROG. */
struct forward_call {
	u_long procedure;
	xdrproc_t xdr_args, xdr_result;
	const void *args;
	void *result; /* all zero before */
};

int forward_open(struct forward **out); /* 0 or -ENOMEM */

/* Returns 0, or the kind of *fault: with *result unchanged, or to be freed and
 * zeroed again (rpc_client.h). */
enum rpc_fault_kind forward_make(struct forward *forward, const char *address,
				 const struct forward_call *call,
				 int64_t deadline, struct rpc_fault *fault);

void forward_close(struct forward *forward); /* or NULL */

#ifdef __cplusplus
}
#endif

#endif
