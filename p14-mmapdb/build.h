/* build.h - a dense tree out of records that come in order. */
#ifndef UNIXIPC_P14_MMAPDB_BUILD_H
#define UNIXIPC_P14_MMAPDB_BUILD_H

#include "p14-mmapdb/handle.h"

/* Write all records of the open transaction's version to an empty file, with its
 * meta page, under an id. Not synced. */
int build_copy(struct mmapdb *db, int fd, const uint8_t id[16]);

#endif
