/* lock_test.h - the verb lock-test: two processes and one lock, or a ring of
 * processes that wait for each other. */
#ifndef UNIXIPC_P09_RECLOCK_CMD_LOCK_TEST_H
#define UNIXIPC_P09_RECLOCK_CMD_LOCK_TEST_H

#include "p09-reclock/cmd/arguments.h"

int lock_test_run(const struct arguments *a);
int lock_test_ring(const struct arguments *a);

#endif
