/* shmname.h - a name in shared memory, and whether it still leads to what was
 * opened.
 *
 * Who comes to a named object, makes it or removes its name does so under a lock
 * of the object itself (a role of lib/identity), so that nobody sees one that is
 * half made, nor enters one whose name goes. An object that is to be made anew
 * gets a new inode, and is never emptied: who still has the old one mapped
 * would be ended by SIGBUS.
 *
 * Removal goes by name, as there is no other way (shm_unlink(3)): somebody who
 * heeds no lock, and puts another object there within the microseconds between
 * the last look and the removal, loses it.
 *
 * Functions return 0 or -errno, and may be called by any thread of any process;
 * a role is used by one thread at a time.
 */
#ifndef UNIXIPC_LIB_SHMNAME_H
#define UNIXIPC_LIB_SHMNAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

/* Open what has this name, and take the role of that byte in it, waiting until
 * the deadline for who has it; the name led there when the lock was taken. Where
 * there is none, mode, unless it is 0, is that of the empty one to make (as of
 * open(2), with the umask). -ENOENT; -EACCES: also of an object that is neither
 * ours nor root's, unless is_anybodys, as its owner may truncate it under us;
 * -EBADMSG (no regular file); -ETIMEDOUT, -EINTR; as identity_role_open(). The
 * caller closes the role. */
int shmname_enter(struct identity_role *role, const char *name, mode_t mode,
		  bool is_anybodys, int64_t byte, int64_t deadline);

/* Whether the name leads to the role's object no more: it is gone, or another's.
 * In doubt, no. One system call. */
bool shmname_is_lost(const struct identity_role *role, const char *name);

/* Remove the name, with the lock held. -ESTALE: it is another's. */
int shmname_remove(const struct identity_role *role, const char *name);

#endif
