/* map.h - the database file in memory, read-only, at one address for life.
 *
 * Addresses are reserved for more than there is. When the file has grown, by us
 * or by others, what is new is mapped behind what was, before anybody touches it,
 * and no pointer moves. */
#ifndef UNIXIPC_P14_MMAPDB_MAP_H
#define UNIXIPC_P14_MMAPDB_MAP_H

#include "p14-mmapdb/handle.h"

/* Map what the file has now; *pages is how many that are. Between transactions
 * only: a file that has outgrown the reservation is mapped elsewhere. */
int map_extend(struct mmapdb *db, uint64_t *pages);
void map_close(struct mmapdb *db);

#endif
