/* check.h - what no correct server sends, stores or is started with. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_CHECK_H
#define UNIXIPC_P18_RPC_KV_RAFT_CHECK_H

#include "p18-rpc-kv/raft/core.h"

/* 0, or -EBADMSG: it is nonsense, or cannot be if we are what we are. */
int check_message(const struct raft *raft, const struct raft_message *message);

/* 0, or -EINVAL. */
int check_options(const struct raft_options *options);

/* 0, or -EBADMSG: it never was a log with its snapshot. */
int check_stored(const struct raft_stored *stored);

#endif
