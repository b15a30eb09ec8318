/* reads.h - linearizable reads, without an entry in the log. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_READS_H
#define UNIXIPC_P18_RPC_KV_RAFT_READS_H

#include "p18-rpc-kv/raft/core.h"

/* 0 or -ENOMEM. */
int reads_ask(struct raft *raft, uint64_t id);

/* We have become the leader. */
void reads_begin_term(struct raft *raft);

/* Begin a round, if one is wanted and none is on its way. */
void reads_begin(struct raft *raft);

/* See whether a majority has answered the round. */
void reads_confirm(struct raft *raft);

/* We are the leader no more. */
void reads_fail(struct raft *raft);

#endif
