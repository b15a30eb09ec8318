/* election.h - terms, votes and timeouts. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_ELECTION_H
#define UNIXIPC_P18_RPC_KV_RAFT_ELECTION_H

#include "p18-rpc-kv/raft/core.h"

/* Be a follower of this term, not before ours; of this leader, 0: not known. */
void election_follow(struct raft *raft, uint64_t term, uint64_t leader);

/* Campaign, or step down as a leader whom no majority answers, if it is
 * time. */
void election_tick(struct raft *raft);

/* Another's request for our vote, which has durable_reserve()d a reply. */
void election_vote(struct raft *raft, const struct raft_message *request);

/* The answer to ours. */
void election_vote_reply(struct raft *raft, const struct raft_message *reply);

/* Something has become durable: our own vote, perhaps. */
void election_persisted(struct raft *raft);

/* Wait anew, for a random time. */
void election_wait(struct raft *raft);

#endif
