/* engine.h - what carries out the requests of kv.x: the store's own Raft, or an
 * etcd cluster.
 *
 * The service decodes a call, checks its limits and calls one of these; it
 * knows nothing of replicas, the engine nothing of RPC. All may be called by any
 * number of threads at the same time, and none blocks longer than the
 * timeout_ms of its arguments says (and the engine's own limit, where that is
 * less). Results are filled in so that xdr_free() releases them; what an engine
 * cannot do is KV_UNSUPPORTED with a text that says why, never made up. */
#ifndef UNIXIPC_P18_RPC_KV_ENGINE_H
#define UNIXIPC_P18_RPC_KV_ENGINE_H

#include "p18-rpc-kv/kv.h"

struct engine {
	const struct engine_calls *calls;
};

struct engine_calls {
	const char *name; /* raft, etcd */
	void (*hello)(struct engine *engine, kv_hello_result *result);
	void (*write)(struct engine *engine, const kv_write_args *args,
		      kv_write_result *result);
	void (*get)(struct engine *engine, const kv_get_args *args,
		    kv_get_result *result);
	void (*list)(struct engine *engine, const kv_list_args *args,
		     kv_list_result *result);
	void (*status)(struct engine *engine, kv_status_result *result);
	void (*hash)(struct engine *engine, kv_hash_result *result);
	void (*member)(struct engine *engine, const kv_member_args *args,
		       kv_write_result *result);
	/* All who wait in a call are to be answered now, and so is who calls
	 * from now on. NULL: calls end by themselves soon enough. */
	void (*shut)(struct engine *engine);
	/* Ends what it has begun; nobody calls any more. */
	void (*close)(struct engine *engine);
};

#endif
