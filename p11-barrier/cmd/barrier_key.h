/* barrier_key.h - where the participants of barrier_test meet: the barrier of a
 * key, and its line in the ledger of IPC objects (lib/objname). For that
 * command only: what goes wrong is said here, and ends it. */
#ifndef UNIXIPC_P11_BARRIER_CMD_BARRIER_KEY_H
#define UNIXIPC_P11_BARRIER_CMD_BARRIER_KEY_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/identity.h"

struct barrier_key {
	int id;
	struct identity_object set; /* as we made it */
};

/* Make a barrier, at this key or (0) at one of sixteen of this user, so that a
 * few can run at a time, and each finds what killed ones left: that is removed
 * first. */
struct barrier_key barrier_key_create(key_t key, unsigned int participants);

/* Remove it. It may be gone, and another set may have its id by now. False
 * when it stays, which is said. */
bool barrier_key_remove(const struct barrier_key *key);

#endif
