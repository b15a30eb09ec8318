/* cluster_parts.h - what the files of the cluster share; for them alone.
 *
 *	cluster.c      life, background threads
 *	cluster_form.c a new folder finds its cluster
 *	cluster_ask.c  the engine's calls
 *
 * The lock guards node (which is set once), share, n_met, is_shut and is_closing.
 * The folder is the former's until there is a node, and does not change after. */
#ifndef UNIXIPC_P18_RPC_KV_CLUSTER_PARTS_H
#define UNIXIPC_P18_RPC_KV_CLUSTER_PARTS_H

#include <pthread.h>
#include <time.h>

#include "p18-rpc-kv/cluster.h"
#include "p18-rpc-kv/forward.h"
#include "p18-rpc-kv/node.h"

struct cluster {
	struct engine engine;
	struct cluster_options options;
	struct folder_member members[FOLDER_MEMBERS_MAX];
	struct folder folder;
	struct forward *forward;
	pthread_mutex_t lock;
	pthread_cond_t is_changed;
	struct node *node; /* NULL: the folder is of no cluster yet */
	bool is_shut, is_closing;
	uint8_t share[FOLDER_CLUSTER_BYTES];
	unsigned int n_met; /* servers whose shares are known, ours too */
	pthread_t former, refresher;
	bool has_former, has_refresher;
	uint64_t reads; /* touched by atomics only */
};

extern const struct engine_calls cluster_calls;

/* The node, as soon as there is one; NULL: the deadline has passed, or it is the
 * end. */
struct node *cluster_node(struct cluster *cluster, int64_t deadline);

/* engine.h */
void cluster_shut(struct engine *engine);
void cluster_close(struct engine *engine);

/* Wait; whether it is the end. */
bool cluster_pause(struct cluster *cluster, int64_t until);

/* Open the node of a folder that is formed. */
int cluster_begin(struct cluster *cluster, char why[CLUSTER_WHY]);

/* Until the folder is formed, or the end. */
void cluster_form(struct cluster *cluster);

/* Make sure, by the leader, what is here, and note it. */
void cluster_refresh(struct cluster *cluster, int64_t deadline);

#endif
