/* writer.h - the thread that makes durable what Raft writes.
 *
 * The node queues writes and goes on; the thread takes all that have come
 * meanwhile, appends them to the log and syncs once (group commit): while the disk
 * is busy with one sync, the next is filled. Term and vote are written before the
 * entries that came with them.
 *
 * Room on the disk, or a descriptor, for the next segment of the log is waited for
 * where there is none, and everything behind it waits too: nothing is told to be
 * durable that is not. Any other failure is the end of the process,
 * as nobody knows what is on the disk then, and a sync that is tried again may
 * lie.
 *
 * One thread puts, drops and closes; writer_count() is for all. */
#ifndef UNIXIPC_P18_RPC_KV_WRITER_H
#define UNIXIPC_P18_RPC_KV_WRITER_H

#include <stdint.h>

#include "p18-rpc-kv/durable/hardstate.h"
#include "p18-rpc-kv/durable/wal.h"
#include "p18-rpc-kv/raft/raft.h"

#ifdef __cplusplus
extern "C" {
#endif

struct writer_options {
	struct wal *wal; /* the writer's from now on, to be closed by the caller
			  * after it */
	struct hardstate *hardstate; /* the same */
	int64_t slow_ns;             /* a sync that takes longer is counted */
	/* All writes up to this number are durable; by the thread. */
	void (*persisted)(uint64_t number, void *arg);
	/* A sync was slow; or there is no room (wal_may_try_again()), and this is
	 * tried again: told once a second. By the thread. */
	void (*note_slow)(int64_t took_ns, void *arg);
	void (*note_full)(int error, void *arg);
	/* It must not return. */
	void (*fail)(const char *what, int error, void *arg);
	void *arg;
};

struct writer_count {
	uint64_t syncs, slow_syncs;
	uint64_t waiting_bytes; /* queued, and not durable yet */
};

struct writer; /* opaque */

int writer_open(struct writer **out, const struct writer_options *options);

/* Queue a copy. position: of the snapshot that the log begins after, where
 * write->is_reset. Returns 0 or -ENOMEM. */
int writer_put(struct writer *writer, const struct raft_write *write,
	       struct wal_position position);

/* Entries up to index are in a durable snapshot: their segments may go. */
int writer_drop(struct writer *writer, uint64_t index);

void writer_count(struct writer *writer, struct writer_count *count);

/* Write what is queued (but do not wait for room), and end. NULL is allowed. */
void writer_close(struct writer *writer);

#ifdef __cplusplus
}
#endif

#endif
