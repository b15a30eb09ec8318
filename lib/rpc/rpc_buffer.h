/* rpc_buffer.h - bytes that grow as they are needed, up to a limit.
 *
 * A connection begins with a few kilobytes and asks for more only when that
 * much has come: what a peer announces costs nothing. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_BUFFER_H
#define UNIXIPC_LIB_RPC_RPC_BUFFER_H

#include <stddef.h>
#include <stdint.h>

enum {
	RPC_BUFFER_START = 4096,
	RPC_BUFFER_KEEP = 64 * 1024, /* more than this is given back */
};

struct rpc_buffer {
	uint8_t *bytes; /* from malloc, aligned for any type */
	size_t size;
	size_t limit;
};

/* Nothing is allocated yet. limit is how large it may get. */
void rpc_buffer_init(struct rpc_buffer *buffer, size_t limit);
void rpc_buffer_fini(struct rpc_buffer *buffer);

/* Have room for at least size bytes; what is there is kept, as a pointer to
 * it is not. Returns 0, -EMSGSIZE (past the limit) or -ENOMEM. */
int rpc_buffer_reserve(struct rpc_buffer *buffer, size_t size);

/* Give back what is more than RPC_BUFFER_KEEP, when no more than used of it
 * holds anything. */
void rpc_buffer_relax(struct rpc_buffer *buffer, size_t used);

#endif
