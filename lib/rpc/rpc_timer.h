/* rpc_timer.h - moments at which something is due, in lists of those that wait
 * for the same span. For rpc_loop.c; one thread. */
#ifndef UNIXIPC_LIB_RPC_RPC_TIMER_H
#define UNIXIPC_LIB_RPC_RPC_TIMER_H

#include <stdint.h>

struct rpc_conn;

struct rpc_timer {
	struct rpc_timer_list *in; /* NULL: in none */
	struct rpc_timer *next, *previous;
	int64_t due;
	struct rpc_conn *conn;
};

/* The one that is due first stands in front. */
struct rpc_timer_list {
	struct rpc_timer *first, *last;
	int why; /* a connection ends whose time is over */
};

/* In that list, and in no other any more. */
void rpc_timer_start(struct rpc_timer *timer, struct rpc_timer_list *in,
		     struct rpc_conn *conn, int64_t due);

/* One that is in none is left alone. */
void rpc_timer_stop(struct rpc_timer *timer);

#endif
