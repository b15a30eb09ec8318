/* transfer.h - snapshots, from a leader to a peer that lacks what is not in the
 * log any more. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_TRANSFER_H
#define UNIXIPC_P18_RPC_KV_RAFT_TRANSFER_H

#include "p18-rpc-kv/raft/core.h"

/* Leader: send this peer the newest snapshot. */
void transfer_begin(struct raft *raft, struct peer *peer);

/* Leader: add to raft->ready the next part, if one is due. */
void transfer_send(struct raft *raft, struct peer *peer);

void transfer_reply(struct raft *raft, struct peer *peer,
		    const struct raft_message *reply);
void transfer_lost(struct raft *raft, struct peer *peer, uint64_t token);

/* Follower: a part has come, which has durable_reserve()d a reply. 0 or
 * -ENOMEM. */
int transfer_receive(struct raft *raft, const struct raft_message *request);

/* Follower: all of it is durable, or it is no good. 0 or -ESTALE. */
int transfer_installed(struct raft *raft, uint64_t index, uint64_t term,
		       const struct members *members);
void transfer_failed(struct raft *raft);

#endif
