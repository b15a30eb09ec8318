/* rpc_workers.h - a bounded number of threads, to which calls are left that may
 * wait. For rpc_loop.c and rpc_udp.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_WORKERS_H
#define UNIXIPC_LIB_RPC_RPC_WORKERS_H

#include "lib/rpc/rpc_dispatch.h"

/* Part of what is to be done, which is the caller's. */
struct rpc_job {
	struct rpc_job *next;
	/* In a worker, which lets go of the job when it calls this. */
	void (*run)(struct rpc_job *job, struct rpc_scratch *scratch);
};

struct rpc_workers; /* opaque */

/* n threads. Returns 0, -EAGAIN or -ENOMEM. */
int rpc_workers_open(struct rpc_workers **out, unsigned int n);

/* All that they were given is run before. NULL is allowed. */
void rpc_workers_close(struct rpc_workers *workers);

/* Have it run, after those that were given before. Any thread. */
void rpc_workers_give(struct rpc_workers *workers, struct rpc_job *job);

#endif
