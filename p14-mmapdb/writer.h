/* writer.h - becoming the writer of the file that the name leads to. */
#ifndef UNIXIPC_P14_MMAPDB_WRITER_H
#define UNIXIPC_P14_MMAPDB_WRITER_H

#include "p14-mmapdb/handle.h"

/* Take the writer's lock, with a state that is this file's. */
int writer_enter(struct mmapdb *db, int64_t deadline);

/* We have the lock: see to it that the state is this file's. -ESTALE: the lock is
 * that of a file that is no longer the right one, or somebody has removed the
 * lock file. */
int writer_settle(struct mmapdb *db);

/* Begin from the tip, or, after a failed sync, from the visible version: db->base
 * and db->version. */
int writer_take(struct mmapdb *db);

#endif
