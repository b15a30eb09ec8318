/* cluster.h - the engine "raft": this server, and the others that it makes one
 * store with.
 *
 * Any server takes any request. One that is not the leader asks the leader, and
 * answers with what that says; while there is none it waits for one, until the
 * request's deadline. A write that may have been done is asked for again only if it
 * has a name (kv_request_id), as the state machine does that once: so only such a
 * write, and a read, does not wait for a leader that is silent while there may be
 * another.
 *
 * A folder that is new belongs to no cluster yet. In the background its server
 * asks the others that it was told of for their shares (folder.h), or, if it is to
 * join, one of them for the cluster. Until then requests wait.
 *
 * What reads promise:
 *
 *	linearizable  the leader has made sure that it still is one, after the
 *	              read came (ReadIndex)
 *	bounded       at some moment not longer ago the same was made sure of,
 *	              and what had been acknowledged by then is here: noted every
 *	              fresh_ns, or done now
 *	session       the entry of that revision is applied here
 *	stale         what is here */
#ifndef UNIXIPC_P18_RPC_KV_CLUSTER_H
#define UNIXIPC_P18_RPC_KV_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "p18-rpc-kv/durable/folder.h"
#include "p18-rpc-kv/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CLUSTER_WHY = 512 };

struct cluster; /* opaque */

struct cluster_options {
	const char *data; /* the folder */
	uint64_t id;
	/* All servers with this one; or, where joins, those to be asked for the
	 * cluster. Only this one (n 1): as stored, or a cluster of one. */
	const struct folder_member *members;
	uint32_t n;
	bool joins;
	bool has_cache;
	uint16_t port; /* names the cache */
	int64_t election_ns, heartbeat_ns, slow_ns;
	int64_t fresh_ns; /* 0: nothing is noted; bounded reads ask each time */
	uint64_t snapshot_entries;
	uint32_t segment_bytes; /* 0: as wal.h has it */
	bool notes_commits;
	/* Lines for a log; and the end: as in node.h. */
	void (*note)(const char *line, void *arg);
	void (*fail)(const char *why, void *arg);
	void (*cache_made)(void *arg); /* as made in cache.h, or NULL */
	void *arg;
};

/* Returns 0, or -errno with a line in why: -EINVAL where the command line does not
 * go together with what is stored. */
int cluster_open(struct cluster **out, const struct cluster_options *options,
		 char why[CLUSTER_WHY]);

/* Its close() ends it, and shut() comes first (engine.h). */
struct engine *cluster_engine(struct cluster *cluster);

/* ---- peers' procedures, by any thread: 0, or -errno where there is no answer ---- */

int cluster_vote(struct cluster *cluster, const kv_vote_args *args,
		 kv_vote_result *result);
int cluster_append(struct cluster *cluster, const kv_append_args *args,
		   kv_append_result *result);
int cluster_snapshot(struct cluster *cluster, const kv_snapshot_args *args,
		     kv_snapshot_result *result);

#ifdef __cplusplus
}
#endif

#endif
