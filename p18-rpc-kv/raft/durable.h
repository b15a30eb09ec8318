/* durable.h - what is to be written, and the messages that wait until it is.
 *
 * Writes are numbered and done in order, so "durable up to number N" says it
 * all. What has changed and was not handed out yet will be in write N + 1 at
 * the latest, and so a message can name the write that it waits for before
 * there is such a write. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_DURABLE_H
#define UNIXIPC_P18_RPC_KV_RAFT_DURABLE_H

#include "p18-rpc-kv/raft/core.h"

/* Room for n messages more; then durable_send() cannot fail. 0 or -ENOMEM. */
int durable_reserve(struct raft *raft, size_t n);

/* A message of this term to this server, without token and content. */
struct raft_message durable_message(const struct raft *raft,
				    enum raft_message_kind kind, uint64_t to);

/* The reply to this request. */
struct raft_message durable_reply(const struct raft *raft,
				  const struct raft_message *request);

/* Send it when this entry is durable (0: none), and term and vote as they are
 * now. */
void durable_send(struct raft *raft, const struct raft_message *message,
		  uint64_t index);

/* Term or vote has changed. */
void durable_vote_changed(struct raft *raft);

/* Entries from first on have been replaced, or taken away. */
void durable_replaced(struct raft *raft, uint64_t first);

/* The log begins anew, after a durable snapshot up to index. */
void durable_reset(struct raft *raft, uint64_t index);

void durable_persisted(struct raft *raft, uint64_t number);

/* All writes up to this one are durable. */
uint64_t durable_number(const struct raft *raft);

/* The next write, or NULL. */
const struct raft_write *durable_write(struct raft *raft);

/* A place in raft->ready for a message that need not wait, or NULL: no memory.
 * After durable_release() alone. */
struct raft_message *durable_ready(struct raft *raft);

/* Add to raft->ready the messages that need not wait any more. */
void durable_release(struct raft *raft);

#endif
