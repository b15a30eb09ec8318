/* rpc_reply.h - the header of a reply, read from bytes: RFC 5531 section 9.
 *
 * For rpc_client.c. Nothing is copied. */
#ifndef UNIXIPC_LIB_RPC_RPC_REPLY_H
#define UNIXIPC_LIB_RPC_RPC_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_call.h"
#include "lib/rpc/rpc_fault.h"

struct rpc_reply {
	uint32_t xid;
	struct rpc_opaque verf; /* of an accepted call */
	struct rpc_fault fault; /* what the server says, or none */
	const uint8_t *results;
	size_t results_bytes;
};

/* Returns 0, with fault filled in (and results, if it is none), or -EBADMSG
 * for what is no reply. */
int rpc_reply_parse(const uint8_t *message, size_t bytes,
		    struct rpc_reply *reply);

#endif
