/* ranges.h - get and list, as ranges of etcd's. */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_RANGES_H
#define UNIXIPC_P18_RPC_KV_ETCD_RANGES_H

#include "p18-rpc-kv/etcd/gateway.h"
#include "p18-rpc-kv/kv.h"

enum { RANGES_LIST_BYTES = 512 * 1024 }; /* of one list, but one pair always */

/* As struct engine_calls has them. */
void ranges_get(struct gateway *gateway, const kv_get_args *args,
		kv_get_result *result);
void ranges_list(struct gateway *gateway, const kv_list_args *args,
		 kv_list_result *result);

#endif
