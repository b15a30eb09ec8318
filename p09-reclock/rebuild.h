/* rebuild.h - the whole file anew: how it grows, and how it shrinks. */
#ifndef UNIXIPC_P09_RECLOCK_REBUILD_H
#define UNIXIPC_P09_RECLOCK_REBUILD_H

#include <stdint.h>

#include "p09-reclock/store.h"

/* Make room for so many more records: the file has more groups afterwards, or
 * somebody else replaced it. Returns 0 or -errno: -ENOSPC (the keys are chosen
 * so that they collide). */
int rebuild_grow(struct reclock *store, uint64_t more, int64_t deadline);

#endif
