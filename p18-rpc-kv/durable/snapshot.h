/* snapshot.h - the state as of an entry of the log, in a file (Raft, section 7).
 *
 *	struct snapshot_head   magic, version, CRC-32C; last index and term
 *	members                opaque here: of the cluster, as of that entry
 *	blocks                 each a length, a CRC-32C and up to 64 KB
 *	an empty block         the end
 *
 * A snapshot gets its name ("snapshot-" and its last index) when it is whole and
 * synced; what has that name is never written to again. Servers send the file as
 * it is, in chunks. So its receiver checks the same sums, and what a file holds
 * came over the network, maybe: lengths are checked before they are used.
 *
 * Each handle is of one thread; several handles, also of one snapshot, may be used
 * at the same time, and an open one outlives the removal of its file. All
 * block for as long as the disk takes. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_SNAPSHOT_H
#define UNIXIPC_P18_RPC_KV_DURABLE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p18-rpc-kv/durable/damage.h"

/* What they are called until then; one of each. */
#define SNAPSHOT_BEING_MADE "snapshot.new"
#define SNAPSHOT_BEING_RECEIVED "snapshot.in"

enum { SNAPSHOT_MEMBERS_MAX = 8192 };

struct snapshot_info {
	uint64_t index, term;
	uint64_t bytes; /* of the file; not asked for when one is made */
	uint32_t members_len;
	uint8_t members[SNAPSHOT_MEMBERS_MAX];
};

/* ---- making one ---------------------------------------------------------------- */

struct snapshot_writer;

int snapshot_create(struct snapshot_writer **writer, int dir,
		    const struct snapshot_info *info);

/* More of the state. -ENOSPC and others: abort. */
int snapshot_write(struct snapshot_writer *writer, const void *bytes,
		   size_t len);

/* Sync it, name it, sync the folder: durable on return. Frees the writer, also
 * on failure, after which the file is removed. */
int snapshot_commit(struct snapshot_writer *writer);
void snapshot_abort(struct snapshot_writer *writer); /* or NULL */

/* ---- reading one --------------------------------------------------------------- */

struct snapshot;

/* Open the newest one, or that of an index. The head is checked, the rest as it is
 * read. -ENOENT: there is none. -EBADMSG and damage: the newest is bad, and the
 * log may have dropped what it held: refused. */
int snapshot_open(struct snapshot **snapshot, int dir, struct damage *damage);
int snapshot_open_at(struct snapshot **snapshot, int dir, uint64_t index,
		     struct damage *damage);
void snapshot_close(struct snapshot *snapshot); /* or NULL */

const struct snapshot_info *snapshot_info(const struct snapshot *snapshot);

/* The next bytes of the state, whose checksum was right: up to len, 0 at the end.
 * -EBADMSG and the damage that was given to snapshot_open(), which has to last. */
ssize_t snapshot_read(struct snapshot *snapshot, void *bytes, size_t len);

/* Bytes of the file, to be sent: as many as there are, up to len, at offset.
 * Independent of snapshot_read(); any number of threads. */
ssize_t snapshot_chunk(const struct snapshot *snapshot, uint64_t offset,
		       void *bytes, size_t len);

/* ---- receiving one ------------------------------------------------------------- */

struct snapshot_receiver;

/* One of that index and term, of total bytes: which are taken from the disk now,
 * or this is -ENOSPC. -EFBIG: more than max. */
int snapshot_receive(struct snapshot_receiver **receiver, int dir,
		     uint64_t index, uint64_t term, uint64_t total,
		     uint64_t max);

/* A chunk. *next is the offset that is wanted from now on; a chunk that does not
 * begin there (one that came twice, one that was lost) changes nothing. -EINVAL:
 * it goes beyond the total. */
int snapshot_chunk_in(struct snapshot_receiver *receiver, uint64_t offset,
		      const void *bytes, size_t len, uint64_t *next);

/* All are in: check everything, sync it, name it. Durable on return. Frees the
 * receiver, also on failure: -EBADMSG and damage: what was sent is no such
 * snapshot, and is gone. */
int snapshot_receive_end(struct snapshot_receiver *receiver,
			 struct damage *damage);
void snapshot_receive_abort(struct snapshot_receiver *receiver); /* or NULL */

/* ---- -------------------------------------------------------------------------- */

/* Remove those before index. What a server that was killed has not finished
 * folder_open() removes. */
int snapshot_drop(int dir, uint64_t index);

#endif
