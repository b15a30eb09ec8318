/* verbs.h - the verbs of kv_client: each looks at its own operands, and returns
 * the exit status. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_VERBS_H
#define UNIXIPC_P18_RPC_KV_CMD_VERBS_H

#include "p18-rpc-kv/cmd/client.h"

/* writes.c */
int verb_put(struct client *client);
int verb_del(struct client *client);
int verb_cas(struct client *client);
int verb_create(struct client *client);
int verb_incr(struct client *client);
int verb_member(struct client *client);
int verb_request_id(struct client *client);

/* reads.c */
int verb_get(struct client *client);
int verb_list(struct client *client);

/* look.c */
int verb_status(struct client *client);
int verb_hash(struct client *client);

/* load.c */
int verb_bench(struct client *client);

#endif
