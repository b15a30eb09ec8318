/* changes.h - a change of kv.x as a put, a deleterange or a transaction of
 * etcd's. */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_CHANGES_H
#define UNIXIPC_P18_RPC_KV_ETCD_CHANGES_H

#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/kv.h"

/* As struct engine_calls has it. */
void changes_write(struct gateway *gateway, const kv_write_args *args,
		   kv_write_result *result);

#endif
