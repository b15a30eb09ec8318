/* commit.h - when a transaction is there, and when it is durable. */
#ifndef UNIXIPC_P14_MMAPDB_COMMIT_H
#define UNIXIPC_P14_MMAPDB_COMMIT_H

#include "p14-mmapdb/handle.h"

/* All but the last two is called by the holder of the writer's lock. */

/* Before a transaction: finish what a killed writer had begun. -EIO: a sync has
 * failed. */
int commit_begin(struct mmapdb *db);

/* Make the transaction's version the tip; and the visible one, with
 * MMAPDB_NO_SYNC, or when it is durable. If it is only in the log by now, *awaited
 * is what log_wait() has to wait for, without a lock. On failure nobody has seen
 * anything. */
int commit_end(struct mmapdb *db, uint64_t *awaited);

/* Make the tip the visible version. */
int commit_publish(struct mmapdb *db);

/* Give the tip a durable meta page. */
int commit_checkpoint(struct mmapdb *db);

/* The state was made anew, from that meta page: do what the log has beyond it,
 * and make it durable. */
int commit_recover(struct mmapdb *db, const struct layout_meta *meta);

/* The newest durable meta page, and the number of its version. */
unsigned int commit_durable_meta(const struct mmapdb *db);
uint64_t commit_durable_txnid(const struct mmapdb *db);

#endif
