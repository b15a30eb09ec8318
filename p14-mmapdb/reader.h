/* reader.h - snapshots: what a reader looks at is not written to. */
#ifndef UNIXIPC_P14_MMAPDB_READER_H
#define UNIXIPC_P14_MMAPDB_READER_H

#include "p14-mmapdb/handle.h"

int reader_begin(struct mmapdb *db);
void reader_end(struct mmapdb *db);

/* Forget our slot, when the handle is closed. */
void reader_leave(struct mmapdb *db);

/* For the sweep: the snapshots that others read, one after the other, from *next
 * = 0 on; false when there are no more. Forgets readers that died. */
bool reader_each(struct mmapdb *db, unsigned int *next,
		 struct layout_reader *reader);

/* Somebody reads of whom nothing else is known. */
bool reader_is_pinned(const struct mmapdb *db);

#endif
