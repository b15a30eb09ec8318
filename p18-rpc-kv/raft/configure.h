/* configure.h - who the members are, and how they change. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_CONFIGURE_H
#define UNIXIPC_P18_RPC_KV_RAFT_CONFIGURE_H

#include "p18-rpc-kv/raft/core.h"

/* The log has changed from this index on: see who the members are now. */
void configure_refresh(struct raft *raft, uint64_t first);

/* As of this entry, or of the snapshot if that is later. */
void configure_as_of(const struct raft *raft, uint64_t index,
		     struct members *members);

/* Whether this server may vote for others, and campaign. */
bool configure_may_vote(const struct raft *raft);
bool configure_may_lead(const struct raft *raft);

/* Whether the last change is not committed, or nothing of our term is. */
bool configure_is_busy(const struct raft *raft);

/* Add a list of members to the log of a leader that is not busy. 0 or
 * -ENOMEM. */
int configure_change(struct raft *raft, const struct members *members);

/* If this peer is a learner that has learnt enough, begin to make it a
 * voter. */
void configure_promote(struct raft *raft, const struct peer *peer);

/* A leader has committed something. */
void configure_committed(struct raft *raft);

#endif
