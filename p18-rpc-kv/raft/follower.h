/* follower.h - a follower's side of the log: taking entries. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_FOLLOWER_H
#define UNIXIPC_P18_RPC_KV_RAFT_FOLLOWER_H

#include "p18-rpc-kv/raft/core.h"

/* A leader's request of our term, which has durable_reserve()d a reply. 0,
 * -EBADMSG (it contradicts what is committed) or -ENOMEM. */
int follower_append(struct raft *raft, const struct raft_message *request);

#endif
