/* node_parts.h - what the files of the node share; for them alone.
 *
 *	node.c           life, the queue, the thread
 *	node_request.c   who waits, and for what
 *	node_carry.c     what the core says is carried out
 *	node_peers.c     messages, from the core to the wire and back
 *	node_snapshot.c  snapshots
 *
 * Locks: queue_lock and view_lock, each held for a few lines, never both. */
#ifndef UNIXIPC_P18_RPC_KV_NODE_PARTS_H
#define UNIXIPC_P18_RPC_KV_NODE_PARTS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "p18-rpc-kv/node.h"
#include "p18-rpc-kv/peer.h"
#include "p18-rpc-kv/raft/raft.h"
#include "p18-rpc-kv/snapshots.h"
#include "p18-rpc-kv/writer.h"

/* ---- what has happened ---- */

/* First in whatever goes through the queue. happen() is called by the node's
 * thread, and owns it from then on. */
struct event {
	struct event *next;
	void (*happen)(struct node *node, struct event *event);
};

/* Any thread. */
void node_post(struct node *node, struct event *event);

/* ---- who waits ---- */

enum request_stage {
	REQUEST_NEW,      /* nobody was asked: no leader is known */
	REQUEST_PROPOSED, /* until (index, term) is applied, or another is there */
	REQUEST_COUNTED, /* applied; until all members have it */
	REQUEST_READ,    /* until round is confirmed */
	REQUEST_APPLIED, /* until index is */
	REQUEST_CALL,    /* a peer's: until the core replies to token */
};

/* Of a thread that waits, on its stack; linked while the node's thread has it. */
struct request {
	struct event event;
	sem_t done;
	struct request *next, *previous;
	enum request_stage stage;
	int64_t deadline;
	enum node_outcome outcome;
	struct node_wait *wait; /* NULL: for no leader */
	void (*begin)(struct node *node, struct request *request);
	/* A write, or a change of members: */
	const void *command;
	size_t len;
	uint32_t replicas_ms;
	uint64_t member;
	const char *address;
	uint64_t index, term, round;
	kv_write_result *write;
	/* To look: */
	kv_status_result *status;
	struct state_view *view;
	/* A peer's call: */
	const struct raft_message *message;
	const void *chunk;
	struct raft_message *reply;
	uint64_t token;
};

struct list {
	struct request *first;
	unsigned int n;
};

/* A server, by two connections (peer.h). */
struct link {
	struct node *node;
	struct member member;
	struct peer *votes;   /* and heartbeats */
	struct peer *entries; /* and snapshots */
	struct link *next;
};

enum { NODE_RECENT = 64 };

struct node {
	struct node_options options;
	pthread_t thread;
	/* The queue: */
	pthread_mutex_t queue_lock;
	pthread_cond_t is_posted;
	struct event *first, **last;
	bool is_closing;
	/* What readers see: */
	pthread_mutex_t view_lock;
	struct state_view *view;
	kv_key recent[NODE_RECENT]; /* keys that were read lately */
	unsigned int n_recent;
	_Atomic int64_t fresh_ns;
	atomic_uint reachable, servers;
	/* The thread's, all that follows. */
	struct raft *raft;
	struct raft_status status;
	struct state *state;
	struct writer *writer;
	struct wal *wal;
	struct hardstate hardstate;
	bool has_hardstate;
	struct snapshots *snapshots;
	struct cache *cache;
	struct link *links, *retired;
	struct list waiting; /* clients */
	struct list calls;   /* peers */
	int64_t wake_ns;     /* when the core wants to know the time */
	int64_t sweep_ns;    /* the next deadline of a request */
	uint64_t next_token, next_round;
	bool wants_round; /* a read has come since the last raft_read() */
	bool is_shut;     /* nobody is to wait any more */
	uint64_t led_by, led_in; /* leader and term as who waits knows them */
	struct members linked;   /* whom links are for */
	/* Of the batch that is carried out: */
	struct applied *applied;
	size_t applied_room;
	uint64_t *lost; /* peer and token, in pairs */
	size_t n_lost, lost_room;
	/* Snapshots: */
	struct wal_position snapshot; /* the newest one */
	uint64_t log_bytes;           /* since it was begun */
	bool is_taking;
	uint64_t taking_term;
	struct snapshot_receiver *receiver; /* NULL: none is coming */
	uint64_t receiver_index;
	bool is_receiving;  /* or being loaded */
	bool has_bad_chunk; /* of this batch */
	int64_t stranger_told_at;
	int cache_error;
	uint64_t writes;
};

/* What became of an entry, for who waits for it. */
struct applied {
	uint64_t term;
	kv_write_result result;
};

void node_note(struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
_Noreturn void node_fail(struct node *node, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* node_request.c: */
void node_settle(struct node *node, uint64_t first, size_t n);
void node_sweep(struct node *node, int64_t now);
void node_begin_round(struct node *node);
void node_confirm(struct node *node, const struct raft_answer *confirmed);
void node_answer_call(struct node *node, const struct raft_message *reply);
struct request *node_find_call(struct node *node, uint64_t token);
int node_call(struct node *node, const struct raft_message *message,
	      const void *chunk, struct raft_message *reply);

/* node_carry.c: */
void node_carry_out(struct node *node);
void node_publish_view(struct node *node);
void node_replace_state(struct node *node, struct state *state);

/* node_peers.c: */
void node_send(struct node *node, const struct raft_message *message);
void node_lose_unsent(struct node *node);
void node_link_members(struct node *node);
void node_unlink_all(struct node *node);

/* node_snapshot.c: */
int node_recover(struct node *node, char why[NODE_WHY]);
void node_take_chunk(struct node *node, const struct raft_chunk *chunk);
void node_take_snapshot(struct node *node);
int node_open_snapshots(struct node *node);

#endif
