/* object.h - the shared memory of a pool, as an object that has a name, and the
 * handle on it: for sempool_open(), and for the manager. */
#ifndef UNIXIPC_P10_SEMPOOL_OBJECT_H
#define UNIXIPC_P10_SEMPOOL_OBJECT_H

#include <sys/stat.h>

#include "p10-sempool/sempool.h"

/* Start a handle on the object of that name. Whatever these return,
 * sempool_close() ends it. 0, -EINVAL, -ENAMETOOLONG, -ENOSYS (no /proc), ... */
int object_begin(struct sempool *pool, const char *name);

/* Open the object, with these flags of shm_open(3), instead of what the handle
 * had open. Returns 0, -ENOENT, -EACCES (of another user), -EBADMSG (no regular
 * file), ... */
int object_open(struct sempool *pool, int flags);

/* Map so many bytes of it, which it has. */
int object_map(struct sempool *pool, size_t bytes);

/* Map it if it is a pool, with the number of its slots. Returns 0, -EAGAIN
 * (half-made), -ENOENT (closed), -EBADMSG, -ENOTSUP, -EXDEV, -ENOSYS. */
int object_map_pool(struct sempool *pool, const struct stat *st);

/* Whether the name is still that of our memory: 0 or -EIDRM; what keeps us from
 * looking is no answer. */
int object_check_name(const struct sempool *pool);

#endif
