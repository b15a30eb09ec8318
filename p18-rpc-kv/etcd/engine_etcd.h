/* engine_etcd.h - the engine for those who have an etcd cluster: kv.x over
 * etcd's v3 API (3.4 and later), by its JSON gateway.
 *
 * Get, list, put, del, create, and cas by value or revision mean what they mean
 * over Raft, with etcd's revisions; so do linearizable, stale and session
 * reads. What etcd does not promise is not made up:
 *
 *	named requests   KV_UNSUPPORTED: etcd keeps no record of what a client
 *	                 has asked before (HELLO says has_no_names)
 *	incr, member     KV_UNSUPPORTED
 *	bounded reads    KV_UNSUPPORTED: etcd does not say how old a member's
 *	                 data is; age_ms of a stale or session read is UINT32_MAX
 *	replicas         servers is 0: etcd does not say how many have it
 *	status           what maintenance/status tells; the rest is 0
 *
 * A write that etcd may have carried out, but has not answered to, is KV_UNKNOWN
 * and is not sent again. One that no endpoint took is KV_NO_QUORUM.
 */
#ifndef UNIXIPC_P18_RPC_KV_ETCD_ENGINE_ETCD_H
#define UNIXIPC_P18_RPC_KV_ETCD_ENGINE_ETCD_H

#include <stddef.h>

#include "p18-rpc-kv/engine.h"

/* Endpoints are HOST:PORT, perhaps with http:// or https:// before it; nobody is
 * called yet. -EINVAL: none, more than GATEWAY_ENDPOINTS_MAX, or one is not of
 * that form (*bad is its index); -ENOMEM. */
int engine_etcd_open(struct engine **engine, const char *const *endpoints,
		     size_t n, size_t *bad);

#endif
