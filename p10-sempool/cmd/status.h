/* status.h - who holds what, since when, and who waits: pool_manager --status.
 */
#ifndef UNIXIPC_P10_SEMPOOL_CMD_STATUS_H
#define UNIXIPC_P10_SEMPOOL_CMD_STATUS_H

#include <stdbool.h>

#include "p10-sempool/sempool.h"

/* Print it as lines and tables, or as JSON. Changes nothing in the pool.
 * Returns 0 or -errno. */
int status_print(const struct sempool *pool, bool as_json);

#endif
