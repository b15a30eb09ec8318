/* commit.h - when a transaction is there, and when it is durable. */
#ifndef UNIXIPC_P14_MMAPDB_COMMIT_H
#define UNIXIPC_P14_MMAPDB_COMMIT_H

#include "p14-mmapdb/handle.h"

/* Everything here is called by the holder of the writer's lock. */

/* Before a transaction: finish what a killed writer had begun. -EIO: a sync has
 * failed. */
int commit_begin(struct mmapdb *db);

/* Make the transaction's version the visible one; unless MMAPDB_NO_SYNC, only
 * when it is durable. On failure nobody has seen anything. */
int commit_end(struct mmapdb *db);

/* Make the visible version durable. */
int commit_checkpoint(struct mmapdb *db);

#endif
