/* shared.h - the state that the processes of this boot share, in the lock file.
 *
 * Nothing in it outlives a boot: whoever finds it of another boot or another
 * file makes it anew from the meta pages, holding the writer's lock. */
#ifndef UNIXIPC_P14_MMAPDB_SHARED_H
#define UNIXIPC_P14_MMAPDB_SHARED_H

#include "p14-mmapdb/handle.h"

/* Open and map the lock file, made if it is not there. Where we may not,
 * db->slots or db->state stays NULL. -EMEDIUMTYPE: a file of that name is not a
 * lock file; -EPERM: it is of somebody whom the database is not open to. */
int shared_open(struct mmapdb *db);
void shared_close(struct mmapdb *db);

/* It is this file's, of this boot. */
bool shared_is_ours(struct mmapdb *db);

/* Make it anew. We hold the writer's lock, and the file is mapped. */
int shared_rebuild(struct mmapdb *db);

/* Copy the visible version. */
int shared_look(struct mmapdb *db, struct layout_version *version);

/* Its number, unchecked. */
uint64_t shared_visible(const struct mmapdb *db);

/* The number as it stands in the state. */
uint64_t shared_word_of(uint64_t txnid);

/* Let readers see this version, the one after the visible. We hold the writer's
 * lock. */
void shared_publish(struct mmapdb *db, const struct layout_version *version);

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
