/* site.h - the surroundings: processors, rpcbind, namespaces, leftovers. */
#ifndef UNIXIPC_SUITE_SITE_H
#define UNIXIPC_SUITE_SITE_H

#include "suite/checkup.h"

/* Look at them; ends within SITE_TIMEOUT_MS for each that has to answer. */
void site_check(checkup_visit *visit, void *arg);

#define SITE_TIMEOUT_MS 2000

#endif
