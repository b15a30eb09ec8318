/* node.h - a server of a cluster: the Raft core, its log, its peers and the state
 * machine, joined by one thread.
 *
 * The thread takes what has happened (requests, messages, writes that are durable,
 * time) from a queue, tells the core, and carries out what the core says
 * (raft.h): writes to the log's thread, messages to the peers' threads, committed
 * entries to the state, and an answer to whoever waits. It alone touches core and
 * state, and waits for nobody. Whatever came while it was busy is one batch: one
 * write, one message for each peer, one round of heartbeats for all reads.
 *
 * Any number of threads may call the functions for requests at the same time, and
 * each blocks until its answer is known or its deadline is over; that is kept by
 * the node's thread, so that a request is never answered and given up at the same
 * time. */
#ifndef UNIXIPC_P18_RPC_KV_NODE_H
#define UNIXIPC_P18_RPC_KV_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/durable/folder.h"
#include "p18-rpc-kv/kv.h"
#include "p18-rpc-kv/raft/members.h"
#include "p18-rpc-kv/state.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { NODE_WHY = 256 };

struct node; /* opaque */
struct cache;

struct node_options {
	/* Formed, and locked; the caller's, and outlives the node. */
	const struct folder *folder;
	int64_t election_ns, heartbeat_ns;
	int64_t slow_ns;           /* a sync that takes longer is noted */
	uint64_t snapshot_entries; /* of the log, from one to the next */
	uint32_t segment_bytes;    /* of the log; 0: as wal.h has it */
	bool notes_commits;
	struct cache *cache; /* the node's from now on, or NULL */
	/* Something worth a line has happened: words as key=value. By the
	 * node's threads, which it must not hold up. */
	void (*note)(const char *line, void *arg);
	/* The server cannot go on; it must not return. */
	void (*fail)(const char *why, void *arg);
	void *arg;
};

/* Read what is stored, and begin. Returns 0, or -errno with a line in why:
 * -EBADMSG where what is stored is damaged. */
int node_open(struct node **out, const struct node_options *options,
	      char why[NODE_WHY]);

/* Answer all who wait, and let nobody wait any more: before the servers are
 * stopped that call. */
void node_shut(struct node *node);

/* Ends the threads; nobody calls any more. The folder stays open. NULL is allowed. */
void node_close(struct node *node);

/* ---- requests ---- */

enum node_outcome {
	NODE_DONE,
	NODE_ELSEWHERE, /* not done: another server is the leader */
	NODE_NOBODY,    /* not done: no leader is known */
	NODE_GONE,      /* not done: another entry was committed in its place */
	NODE_UNKNOWN,   /* nobody knows (yet) */
	NODE_REFUSED,   /* not done: error says why */
};

/* How long, and whom else to ask. */
struct node_wait {
	int64_t deadline;
	bool is_forwarded; /* do not wait until there is a leader */
	/* This one, in this term, has just failed: wait until it is another, but
	 * not for long. 0: nobody. */
	uint64_t avoided, avoided_term;
	/* NODE_ELSEWHERE: */
	uint64_t leader, term;
	char address[MEMBERS_ADDRESS_MAX + 1];
	/* NODE_REFUSED: */
	int error;
};

/* Have a command (an encoded kv_change) committed and applied, and then, for
 * at most replicas_ms, wait until all members have it. */
enum node_outcome node_propose(struct node *node, const void *command,
			       size_t len, uint32_t replicas_ms,
			       struct node_wait *wait, kv_write_result *result);

/* Add (an address) or remove (NULL) a member. */
enum node_outcome node_change_members(struct node *node, uint64_t id,
				      const char *address,
				      struct node_wait *wait,
				      kv_write_result *result);

/* Wait until whatever was acknowledged before this call can be read here
 * (ReadIndex). */
enum node_outcome node_read(struct node *node, struct node_wait *wait);

/* Wait until the entry of this index is applied here; NODE_DONE or
 * NODE_NOBODY. */
enum node_outcome node_reach(struct node *node, uint64_t index,
			     int64_t deadline);

/* Role, term, log and members, as far as the node knows; texts by malloc. */
void node_status(struct node *node, kv_status_result *result);

/* State and clients as they are now, for state_hash(). NULL: no memory, or the
 * end. */
struct state_view *node_freeze(struct node *node);

/* "2 of 3 servers reachable": how many, and of how many. */
unsigned int node_reachable(struct node *node, unsigned int *servers);

/* ---- reading ---- */

/* Keys and values as of now, to be released (state.h). Does not wait. */
struct state_view *node_view(struct node *node);

/* What is applied here by now holds all that was acknowledged anywhere before
 * this moment of CLOCK_BOOTTIME. */
void node_note_fresh(struct node *node, int64_t known_at_ns);
int64_t node_fresh(const struct node *node); /* 0: was never */

/* A key was read by RPC, and may be published. */
void node_note_read(struct node *node, const kv_key *key);

/* ---- peers' procedures ----
 * 0, or -errno: there is no answer, and nobody but the caller is told. */

int node_vote(struct node *node, const kv_vote_args *args,
	      kv_vote_result *result);
int node_append(struct node *node, const kv_append_args *args,
		kv_append_result *result);
int node_snapshot(struct node *node, const kv_snapshot_args *args,
		  kv_snapshot_result *result);

#ifdef __cplusplus
}
#endif

#endif
