/* write.h - changing the tree, in copies of its pages that nobody else sees. */
#ifndef UNIXIPC_P14_MMAPDB_WRITE_H
#define UNIXIPC_P14_MMAPDB_WRITE_H

#include "p14-mmapdb/tree.h"

/* Make ready for a transaction's pages. -ENOMEM. */
int write_begin(struct mmapdb *db);

/* Forget them. */
void write_end(struct mmapdb *db);

void write_fini(struct mmapdb *db);

/* mmapdb_put() and mmapdb_del(), in an open transaction. */
int write_put(struct mmapdb *db, struct mmapdb_bytes key,
	      struct mmapdb_bytes value);
int write_del(struct mmapdb *db, struct mmapdb_bytes key);

#endif
