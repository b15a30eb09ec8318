/* inventory_foreign.h - the objects that are in no ledger: those of others. */
#ifndef UNIXIPC_SUITE_INVENTORY_FOREIGN_H
#define UNIXIPC_SUITE_INVENTORY_FOREIGN_H

#include <sys/types.h>

#include "lib/objname.h"

struct inventory_foreign {
	enum objname_kind kind;
	char name[OBJNAME_MAX]; /* or the id in decimal */
	uid_t uid;
	int64_t changed; /* ctime, in seconds since the epoch */
};

/* Call visit for each object that can be seen from here, of whomever: POSIX shared
 * memory and semaphores in /dev/shm, queues in /dev/mqueue, System V in
 * /proc/sysvipc; until it returns non-zero, which is returned. FIFOs and sockets
 * have no place of their own, and are not looked for. A folder that is not there
 * or may not be read has none. Nothing is opened but folders and tables.
 * Returns 0 or -errno. */
int inventory_foreign_each(int (*visit)(const struct inventory_foreign *found,
					void *arg),
			   void *arg);

#endif
