/* lock.h - record locks on a single byte, owned by the open file description:
 * close(2) of the last descriptor, and so any death, drops them. None waits. */
#ifndef UNIXIPC_P14_MMAPDB_LOCK_H
#define UNIXIPC_P14_MMAPDB_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* type is F_RDLCK or F_WRLCK. 0, -EAGAIN (others have it) or -errno. */
int lock_try(int fd, int64_t byte, int type);
void lock_drop(int fd, int64_t byte);

/* Somebody else has the byte so that a lock of this type were refused. In
 * doubt, yes. */
bool lock_is_held(int fd, int64_t byte, int type);

#endif
