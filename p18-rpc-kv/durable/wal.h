/* wal.h - the log of Raft on the disk: a write-ahead log.
 *
 * Segments, files of a fixed size that are filled with zeros and synced before
 * they are used: an append then changes no size and no extent, and fdatasync(2)
 * writes the data alone, in half the time. Records stand behind one another and
 * never in two segments:
 *
 *	struct segment_head    magic, version, CRC-32C, number, the entry before
 *	struct segment_record  length, CRC-32Cs, index, term, kind; the payload
 *	…
 *	zeros                to the end
 *
 * Many entries are appended by one write, and then synced by one fdatasync: the
 * caller's thread takes all that is queued (group commit). An entry whose index is
 * not beyond the last one replaces it and all after it (Raft, figure 2,
 * AppendEntries 3): the log is not rewritten, whoever reads it takes the records
 * in their order.
 *
 * What a power cut may do. Sectors of writes that were not synced are there or
 * not, in any combination, so a sound record may stand behind one that is torn.
 * Each record says how far the segment was durable when it was written. A bad
 * record with a later one that says so of its place was durable once, and
 * has gone bad since: the log is refused, with file and offset. Otherwise it is
 * a torn tail: zeros are written over it, and synced. What this cannot tell:
 * damage to records of the very last sync, with nothing after them, looks like a
 * torn tail; other servers have them.
 *
 * One thread at a time, save for wal_prepare(). Blocks for as long as the disk
 * takes. After fork(2) only one of both processes goes on with it. After any
 * failure but one that wal_may_try_again(), and -EMSGSIZE of wal_append(), the
 * caller ends the process: what is on the disk nobody knows, and a sync that is
 * tried again may lie. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_WAL_H
#define UNIXIPC_P18_RPC_KV_DURABLE_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/durable/damage.h"

struct wal;

enum {
	WAL_SEGMENT_BYTES = 64 << 20, /* by default */
	WAL_SEGMENT_MIN = 8192,       /* for tests */
	WAL_SEGMENT_MAX = 1 << 30,
	WAL_HEAD_BYTES = 4096,
	WAL_RECORD_BYTES = 40, /* and the payload, rounded up to 8 */
};

struct wal_position {
	uint64_t index, term; /* 0, 0: before the first entry */
};

struct wal_entry {
	uint64_t index, term; /* index from 1 on */
	uint32_t kind;        /* of the caller's */
	uint32_t len;
	const void *bytes;
};

/* Make an empty log, and remove any that is there: in a folder that is not formed
 * yet. segment_bytes is that of segments made from now on (0: the default), and a
 * multiple of 4096. */
int wal_create(int dir, uint32_t segment_bytes);

/* Open it, cut a torn tail, and hand over the entries that there are, in the order
 * of appending: one whose index is not beyond the last replaces that and all
 * after it. They may begin before the snapshot that there is ({0, 0}: none). An
 * error that visit returns ends this and is returned. What counts in the end is up
 * to wal_last(): when the log does not hold the snapshot's last entry, with its
 * term (Raft, section 7: it was installed, and the log not yet begun anew), that
 * is done now, and what visit was given is void.
 * -EBADMSG and damage: see above; a segment missing; entries missing between the
 * snapshot and the first one. dir must stay open as long as the log does, and is
 * that of a folder_open(): names that are found are durable. */
int wal_open(struct wal **wal, int dir, uint32_t segment_bytes,
	     struct wal_position snapshot,
	     int (*visit)(const struct wal_entry *entry, void *arg), void *arg,
	     struct damage *damage);
void wal_close(struct wal *wal);

/* Bytes of torn tail that wal_open() has cut: worth a line in the server's log. */
uint64_t wal_torn(const struct wal *wal);

/* The last entry; the one before the first (of term 0 where that is not known). */
struct wal_position wal_last(const struct wal *wal);
struct wal_position wal_before(const struct wal *wal);

/* Append entries, whose indexes follow one another; the first one follows one
 * that the log has, or is the last one of the snapshot. Not durable yet.
 * Nothing is written on -EMSGSIZE (larger than a segment takes) and -EINVAL (a
 * gap). */
int wal_append(struct wal *wal, const struct wal_entry *entries, size_t n);

/* Whether what wal_append() or wal_reset() has failed with is a want of room (also
 * by a quota, or the limit of a file's size), descriptors or memory for the next
 * segment: nothing was written, and it may be tried again. */
bool wal_may_try_again(const struct wal *wal, int error);

/* All that was appended is durable on return. */
int wal_sync(struct wal *wal);

/* Make the next segment, if there is none: the zeros take a disk 100 ms or so,
 * which wal_append() else needs when a segment is full. Any thread, at any time
 * between wal_open() and wal_close(), also while another one appends. 0 also when
 * there was nothing to do. -ENOSPC and others: the log is as it was. */
int wal_prepare(struct wal *wal);
bool wal_is_prepared(const struct wal *wal);

/* A snapshot was installed, and the log does not have its last entry: begin anew
 * after it. Durable on return; the snapshot must have been before. */
int wal_reset(struct wal *wal, struct wal_position snapshot);

/* Remove the segments with nothing but entries up to index; a snapshot
 * has them, and is durable. The last segment stays. */
int wal_drop(struct wal *wal, uint64_t index);

#endif
