/* queue.h - the writer's lock, and the queue before it. */
#ifndef UNIXIPC_P14_MMAPDB_QUEUE_H
#define UNIXIPC_P14_MMAPDB_QUEUE_H

#include "p14-mmapdb/handle.h"

/* Take the writer's lock, in the order of asking. -ETIMEDOUT, -EINTR (a signal
 * handler ran while we waited). */
int queue_enter(struct mmapdb *db, int64_t deadline);
void queue_leave(struct mmapdb *db);

/* The pid that the writer has noted, if there is a writer; else 0. */
int32_t queue_writer(const struct mmapdb *db);

#endif
