/* waitfor.h - the wait-for graph (Holt 1972) as a table: which process waits
 * for which groups, and holds which meanwhile. An entry is a process's as long
 * as it has the lock of its byte; so those of the dead do not count, and no pid
 * in it is believed. */
#ifndef UNIXIPC_P09_RECLOCK_WAITFOR_H
#define UNIXIPC_P09_RECLOCK_WAITFOR_H

#include <stdint.h>

#include "p09-reclock/store.h"

/* Wait for n groups, of which somebody has some, while holding others. Returns 0
 * (they are locked), -EDEADLK (noted as trouble), -EAGAIN (the table is full),
 * -ETIMEDOUT, -EINTR, -ENOLCK. */
int waitfor_lock(struct reclock *store, uint32_t first, uint32_t n,
		 const struct reclock_label *label, int64_t deadline);

/* Give back the entry, once nothing is held any more. */
void waitfor_leave(struct reclock *store);

#endif
