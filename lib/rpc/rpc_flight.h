/* rpc_flight.h - calls in flight: from a request to its reply, or to what is
 * known of it.
 *
 * For rpc_client.c. A call passes rpc_message on its way to the link, and its
 * reply comes up the same way; the flavor signs and seals it in between. What
 * has ended is told by the request's done, from rpc_flight_step() or from
 * whatever ends a connection. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_FLIGHT_H
#define UNIXIPC_LIB_RPC_RPC_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_link.h"

struct rpc_flight_call;

struct rpc_flight {
	const struct rpc_client_options *options; /* no zeroes left */
	struct rpc_client *client;                /* for the flavor */
	struct rpc_link link;
	struct rpc_flight_call *calls; /* max_in_flight of them */
	size_t in_flight;
	unsigned int n_ended; /* calls, so far */
	uint32_t xid;         /* the last one */
	int64_t next_at;      /* nothing is due before that */
	int64_t latest;       /* end of the call that a flavor prepares */
	bool is_preparing, is_restarting, is_closing;
	bool is_held;    /* what is started is sent a little later, together */
	bool has_flavor; /* else AUTH_NONE */
	struct rpc_auth_client flavor;
};

/* *options outlive it. Returns 0 or -ENOMEM; rpc_flight_fini() is due in any
 * case. */
int rpc_flight_init(struct rpc_flight *flight,
		    const struct rpc_client_options *options,
		    struct rpc_client *client);

/* What is in flight ends by RPC_FAULT_LOCAL, ECANCELED. */
void rpc_flight_fini(struct rpc_flight *flight);

/* As rpc_client_start(), until the deadline. */
enum rpc_fault_kind rpc_flight_start(struct rpc_flight *flight,
				     const struct rpc_client_request *request,
				     int64_t deadline, struct rpc_fault *fault);

/* Wait until something comes or is due, or until then, and do what has to be
 * done. Returns 0, -ETIMEDOUT or -EINTR. */
int rpc_flight_step(struct rpc_flight *flight, int64_t until);

/* Do not wait any more for the request with that arg. */
void rpc_flight_interrupt(struct rpc_flight *flight, const void *arg);

/* NULL: AUTH_NONE. The one that was there is destroyed. */
void rpc_flight_set_flavor(struct rpc_flight *flight,
			   const struct rpc_auth_client *flavor);

#endif
