/* log.h - the redo log: transactions that are durable before their pages are.
 *
 * A commit with a sync appends what its transaction did to the log, and is
 * durable when its record is: so of all that a transaction writes, one small
 * range of the file is synced, and one sync does for everybody who has
 * appended meanwhile. commit.c says how this goes together with meta pages. */
#ifndef UNIXIPC_P14_MMAPDB_LOG_H
#define UNIXIPC_P14_MMAPDB_LOG_H

#include "p14-mmapdb/handle.h"

/* ---- while a transaction writes ------------------------------------------------ */

/* -ENOMEM. */
int log_begin(struct mmapdb *db);

/* Note what was put; value NULL: what was removed. */
void log_note(struct mmapdb *db, struct mmapdb_bytes key,
	      const struct mmapdb_bytes *value);

/* Room for a record, in which the noted ones stand. -ENOMEM. */
int log_room(struct mmapdb *db);
void log_fini(struct mmapdb *db);

/* ---- committing ------------------------------------------------------------------ */

/* Append the transaction's record behind that of the version it began from, which
 * the log has, or which is the durable one. *entry gets where it ends. -ENOBUFS:
 * it does not fit, or the version before is not in the log. Not synced. */
int log_append(struct mmapdb *db, struct layout_entry *entry);

/* Sync the log up to the tip, and publish that. Any number of processes may do this
 * at once, and with no lock. */
int log_sync(struct mmapdb *db);

/* Wait until a version of ours is durable and published; somebody else may sync. We
 * hold no lock. */
int log_wait(struct mmapdb *db, uint64_t txnid);

/* ---- recovery -------------------------------------------------------------------- */

/* Of a record whose length is that of its memory. */
uint32_t log_checksum(const struct layout_record *record);

/* Why it is not the record of transaction txnid that follows the one with checksum
 * before: NULL when it is. */
const char *log_fault(const struct layout_record *record, uint64_t txnid,
		      uint32_t before);

/* Do again, in memory, what the log has beyond that meta page's version, from
 * which db->version was taken; write_end() forgets it. *done: so many
 * transactions. -EBADMSG: some are missing that were durable. */
int log_replay(struct mmapdb *db, const struct layout_meta *meta,
	       uint64_t *done);

/* Whether the log has all records from that meta page's version to txnid. */
int log_check(struct mmapdb *db, const struct layout_meta *meta, uint64_t txnid,
	      uint64_t *page);

/* Nothing was ever written to it. */
bool log_is_new(const struct mmapdb *db);

#endif
