/* peer.h - calls to another server, many in flight, by a thread that owns the
 * connection.
 *
 * The node puts a call into a queue and goes on; the thread connects, sends, and
 * hands each call back when it has ended, with its result or as lost. What is
 * lost Raft sends again, so nothing is repeated here, the queue is short, and
 * who does not answer costs nobody else anything: connecting, and names that
 * do not resolve, hold up this thread alone. A server that could not be reached
 * is tried again after a pause; calls until then are lost at once.
 *
 * Replies come in any order, but those of one connection are made by one thread
 * of the other server, one call after the other. A node therefore has two peers
 * for each server: entries and snapshots, which wait for its disk, go to one, and
 * votes and heartbeats never stand behind them.
 *
 * Any thread may call these functions but for peer_close(), which one thread
 * calls when the others do so no more. Neither may a forked child. */
#ifndef UNIXIPC_P18_RPC_KV_PEER_H
#define UNIXIPC_P18_RPC_KV_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/kv.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PEER_QUEUE = 64 }; /* calls not sent yet, and as many in flight */

/* A call and, later, its result. It is the peer's from peer_send() until done; its
 * memory and what its arguments point to is always the caller's. The results hold
 * no pointers. */
struct peer_call {
	u_long procedure; /* REQUEST_VOTE, APPEND_ENTRIES, INSTALL_SNAPSHOT */
	union {
		kv_vote_args vote;
		kv_append_args append;
		kv_snapshot_args snapshot;
	} args;
	union {
		kv_vote_result vote;
		kv_append_result append;
		kv_snapshot_result snapshot;
	} result;
	bool is_lost;           /* no result: it may have come, or not */
	uint64_t id;            /* the other server's */
	struct peer *peer;      /* where it is, */
	struct peer_call *next; /* and before whom in its queue */
};

struct peer; /* opaque */

struct peer_options {
	uint64_t id;
	const char *address; /* HOST:PORT as clients know it; copied */
	int64_t timeout_ns;  /* for a call, and for connecting */
	/* Before it is sent, by the peer's thread: fetch what it holds from where
	 * that may wait. Returns 0, or -errno: it is lost. NULL: all is there. */
	int (*prepare)(struct peer_call *call, void *arg);
	/* The call has ended, and is the caller's again. By the peer's thread,
	 * or by the one in peer_close(). */
	void (*done)(struct peer_call *call, void *arg);
	void *arg;
};

/* Returns 0, -EINVAL (the address is none), -ENOMEM, -EAGAIN … */
int peer_open(struct peer **out, const struct peer_options *options);

/* Never waits. Returns 0, or -EAGAIN: the queue is full, and the call is still
 * the caller's. */
int peer_send(struct peer *peer, struct peer_call *call);

/* Whether the last call that has ended had a result. */
bool peer_is_reachable(const struct peer *peer);

/* Let the thread end, without waiting for it. */
void peer_shut(struct peer *peer);

/* Wait for the thread, at most as long as connecting may take; calls that are
 * still there are lost. NULL is allowed. */
void peer_close(struct peer *peer);

#ifdef __cplusplus
}
#endif

#endif
