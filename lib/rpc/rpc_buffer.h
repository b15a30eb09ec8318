/* rpc_buffer.h - bytes that grow as they are needed, up to a limit.
 *
 * A connection begins with a few kilobytes and asks for more only when that
 * much has come: what a peer announces costs nothing. The first
 * RPC_BUFFER_START bytes are free, all beyond comes out of a budget that many
 * buffers share. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_BUFFER_H
#define UNIXIPC_LIB_RPC_RPC_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_budget.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	RPC_BUFFER_START = 4096,
	RPC_BUFFER_KEEP = 16 * 1024, /* more than this is given back */
};

struct rpc_buffer {
	uint8_t *bytes; /* from malloc, aligned for any type */
	size_t size;
	size_t limit;
	struct rpc_budget *budget; /* the caller's; NULL: none */
	size_t taken;              /* out of it */
};

/* Nothing is allocated yet. limit is how large it may get. */
void rpc_buffer_init(struct rpc_buffer *buffer, size_t limit);

/* Free the bytes. The buffer can be used again. */
void rpc_buffer_fini(struct rpc_buffer *buffer);

/* Have room for at least size bytes; what is there is kept, as a pointer to
 * it is not. Returns 0, -EMSGSIZE (past the limit), -ENOBUFS (the budget is
 * used up: later, perhaps) or -ENOMEM. */
int rpc_buffer_reserve(struct rpc_buffer *buffer, size_t size);

/* Take out of the budget what a later reserve of size will want (of no more
 * than the limit), which then does not fail with -ENOBUFS. Returns 0 or
 * -ENOBUFS. */
int rpc_buffer_prepay(struct rpc_buffer *buffer, size_t size);

/* The same whether the budget has it or not, for what cannot be left. */
void rpc_buffer_owe(struct rpc_buffer *buffer, size_t size);

/* Give back what is more than RPC_BUFFER_KEEP, when no more than used of it
 * holds anything, and what was prepaid. */
void rpc_buffer_relax(struct rpc_buffer *buffer, size_t used);

#ifdef __cplusplus
}
#endif

#endif
