/* replication.h - a leader's side of the log: sending, counting, committing. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_REPLICATION_H
#define UNIXIPC_P18_RPC_KV_RAFT_REPLICATION_H

#include "p18-rpc-kv/raft/core.h"

/* Lead: a majority has voted for us, and our own vote is durable. Without
 * memory for the first entry, nothing. */
void replication_begin(struct raft *raft);

/* Begin with a peer of which nothing is known. */
void replication_meet(struct raft *raft, struct peer *peer);

/* Add an entry of our term, of a leader. 0 or -ENOMEM. */
int replication_append(struct raft *raft, enum raft_entry_kind kind,
		       const void *command, size_t len);

/* The peer speaks our term: it is there, and takes us for its leader. */
void replication_hear(struct raft *raft, struct peer *peer, uint64_t round);

void replication_reply(struct raft *raft, struct peer *peer,
		       const struct raft_message *message);

/* Look anew for where the logs part, at next - 1. */
void replication_probe(struct raft *raft, struct peer *peer, uint64_t next);

/* The peer has all up to index, and durable. */
void replication_match(struct raft *raft, struct peer *peer, uint64_t index);

void replication_lost(struct raft *raft, struct peer *peer, uint64_t token);

/* Commit what a majority has. */
void replication_commit(struct raft *raft);

/* Let each peer have a heartbeat, if it is time. */
void replication_tick(struct raft *raft);

/* When that is. */
int64_t replication_wake(const struct raft *raft);

/* Add to raft->ready what each peer is to be sent now. */
void replication_send(struct raft *raft);

#endif
