/* snapshots.h - the thread that writes snapshots, and makes a state of one that
 * another server has sent.
 *
 * Both take a disk and a processor for longer than a leader may be silent. So the
 * node gives them away, and goes on: what is written is a view of the state, which
 * stays as it is while the state itself changes (state.h).
 *
 * One thread may call, and one thing is done at a time: until taken or received was
 * called, no other may be begun. */
#ifndef UNIXIPC_P18_RPC_KV_SNAPSHOTS_H
#define UNIXIPC_P18_RPC_KV_SNAPSHOTS_H

#include <stdint.h>

#include "p18-rpc-kv/durable/damage.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "p18-rpc-kv/raft/members.h"
#include "p18-rpc-kv/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A snapshot, as it is in memory. */
struct snapshots_loaded {
	uint64_t index, term, bytes;
	struct members members;
	struct state *state; /* whoever gets this frees it */
};

struct snapshots_options {
	int dir; /* stays open, and the caller's */
	/* By the thread. bytes: of the file; error: it was not made, and is
	 * not there. Older ones are gone. */
	void (*taken)(uint64_t index, uint64_t bytes, int error, void *arg);
	/* By the thread. NULL: why it is none. */
	void (*received)(const struct snapshots_loaded *loaded, const char *why,
			 void *arg);
	void *arg;
};

struct snapshots; /* opaque */

int snapshots_open(struct snapshots **out,
		   const struct snapshots_options *options);

/* Write this view, made by state_freeze(), whose reference passes over. */
void snapshots_take(struct snapshots *snapshots, struct state_view *view,
		    uint64_t term, const struct members *members);

/* All chunks are in: check it, make it durable, and load it. The receiver passes
 * over. */
void snapshots_receive(struct snapshots *snapshots,
		       struct snapshot_receiver *receiver, uint64_t index);

/* Wait for what is being done, and end. NULL is allowed. */
void snapshots_close(struct snapshots *snapshots);

/* Load the one of this index (0: the newest). -ENOENT: there is none; -EBADMSG and
 * others, with damage. Any thread. */
int snapshots_load(int dir, uint64_t index, struct snapshots_loaded *loaded,
		   struct damage *damage);

#ifdef __cplusplus
}
#endif

#endif
