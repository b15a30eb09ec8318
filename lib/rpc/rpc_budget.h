/* rpc_budget.h - one amount of memory for all clients of a server.
 *
 * Buffers take what they grow by and give it back when they shrink, whoever
 * their client is and whatever it has proved. Any thread may call; nobody
 * waits: a thread that gets nothing asks again later. */
#ifndef UNIXIPC_LIB_RPC_RPC_BUDGET_H
#define UNIXIPC_LIB_RPC_RPC_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_budget {
	size_t used;  /* touched by these functions only */
	size_t bytes; /* that there are */
};

/* Whether so many are left; they are then taken. A budget that is NULL has no
 * end. */
bool rpc_budget_take(struct rpc_budget *budget, size_t bytes);

/* Take them in any case: nobody else gets any until they are given back. */
void rpc_budget_owe(struct rpc_budget *budget, size_t bytes);

void rpc_budget_give(struct rpc_budget *budget, size_t bytes);

size_t rpc_budget_used(const struct rpc_budget *budget);

#ifdef __cplusplus
}
#endif

#endif
