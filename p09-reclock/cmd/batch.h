/* batch.h - the verb batch: changes from standard input. */
#ifndef UNIXIPC_P09_RECLOCK_CMD_BATCH_H
#define UNIXIPC_P09_RECLOCK_CMD_BATCH_H

#include "p09-reclock/cmd/arguments.h"

int batch_run(const struct arguments *a);

#endif
