/* limits.h - how much IPC this machine and this user may have. */
#ifndef UNIXIPC_SUITE_LIMITS_H
#define UNIXIPC_SUITE_LIMITS_H

#include "suite/checkup.h"

/* Look at the kernel's limits in /proc/sys, at those of this process
 * (getrlimit), and at /dev/shm and /dev/mqueue. */
void limits_check(checkup_visit *visit, void *arg);

#endif
