/* writer.h - the writer's lock, with the queue before it, and becoming the writer of
 * the file that the name leads to. */
#ifndef UNIXIPC_P14_MMAPDB_WRITER_H
#define UNIXIPC_P14_MMAPDB_WRITER_H

#include "p14-mmapdb/handle.h"

/* Take the writer's lock, in the order of asking, with a state that is this file's.
 * -ETIMEDOUT, -EINTR (a signal handler ran while we waited), -EACCES, ... */
int writer_enter(struct mmapdb *db, int64_t deadline);
void writer_leave(struct mmapdb *db);

/* The pid that the writer has noted, if there is a writer; else 0. */
int32_t writer_pid(const struct mmapdb *db);

/* We have the lock: see to it that the state is this file's. -ESTALE: the lock is
 * that of a file that is no longer the right one, or somebody has removed the
 * lock file. */
int writer_settle(struct mmapdb *db);

/* Begin from the tip, or, after a failed sync, from the visible version: db->base
 * and db->version. */
int writer_take(struct mmapdb *db);

#endif
