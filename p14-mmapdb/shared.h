/* shared.h - the state that the processes of this boot share, in the lock file.
 *
 * Nothing in it outlives a boot: whoever finds it of another boot or another
 * file makes it anew from the meta pages, holding the writer's lock. */
#ifndef UNIXIPC_P14_MMAPDB_SHARED_H
#define UNIXIPC_P14_MMAPDB_SHARED_H

#include "p14-mmapdb/handle.h"

/* Open and map the lock file, made if it is not there. Where we may not,
 * db->readers or db->state stays NULL. -EPERM: a file of that name is not a
 * lock file, or of somebody whom the database is not open to. */
int shared_open(struct mmapdb *db);
void shared_close(struct mmapdb *db);

/* It is this file's, of this boot. */
bool shared_is_ours(struct mmapdb *db);

/* Make it anew. We hold the writer's lock, and the file is mapped. */
int shared_rebuild(struct mmapdb *db);

/* Copy the visible version; or what the state has of the tip, or of one between
 * the two (-ESTALE: it is not there any more). */
int shared_look(struct mmapdb *db, struct layout_version *version);
int shared_tip(struct mmapdb *db, struct layout_entry *tip);
int shared_entry(struct mmapdb *db, uint64_t txnid, struct layout_entry *entry);

/* Their numbers, unchecked. */
uint64_t shared_visible_txnid(const struct mmapdb *db);
uint64_t shared_tip_txnid(const struct mmapdb *db);

/* A number as it stands in the state. */
uint64_t shared_word_of(const struct mmapdb *db, uint64_t txnid);

/* Make it the tip, the one behind the tip that there is. We hold the writer's
 * lock, and at most LAYOUT_VERSIONS - 2 are not published yet. */
void shared_push(struct mmapdb *db, struct layout_entry *entry);

/* Let readers see the versions up to this one. Anybody may do this, who knows
 * that it is durable, or that its writer did not ask for that. */
void shared_publish(struct mmapdb *db, uint64_t txnid);

/* Wake those who wait for versions behind that one which are published now, and the
 * next, who syncs; or all. */
void shared_wake(struct mmapdb *db, uint64_t behind);
void shared_wake_all(struct mmapdb *db);

/* A sync has failed, which leaves us without a word on what is on the disk, and
 * the kernel does not try again: from now on nothing is written to this file any
 * more. Both return -EIO, and say so. */
int shared_fail(struct mmapdb *db, const char *what);
int shared_has_failed(struct mmapdb *db);

/* What is known of free pages; when that is spoilt, nothing, in a file of so many
 * pages. */
void shared_read_room(const struct mmapdb *db, uint64_t pages,
		      struct layout_room *room);
void shared_write_room(struct mmapdb *db, struct layout_room *room);

/* A bit for each page that the last sweep found in use; and so many there were
 * when we became the writer. */
const uint64_t *shared_bits(const struct mmapdb *db);
uint64_t shared_count_bits(const struct mmapdb *db);
int shared_write_bits(struct mmapdb *db, const uint64_t *bits, uint64_t pages);

#endif
