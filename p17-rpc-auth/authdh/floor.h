/* floor.h - a low-water mark for each user: how late the latest conversation
 * has begun, so that the next server takes no replay of what this one has
 * taken. (A replay cache, as Kerberos has it, would keep each call instead.)
 *
 * A file with the latest such timestamp under each public key. A server that is
 * started again has forgotten its conversations, and a replayed call by
 * nickname is of no use with it; but one with the full name would begin a
 * conversation anew, for as long as its timestamp is within the window. That the
 * server's own clock tells what the one before has seen is not so: a client's may
 * run ahead of it, and it may have been set back.
 *
 * The file is of fixed width, in the machine's order: a header, and an entry
 * each, which is written over in its place. Any thread may call floor_get() and
 * floor_raise() at any time. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_FLOOR_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_FLOOR_H

#include <stdint.h>

#include "p17-rpc-auth/authdh/dh.h"

struct floors; /* opaque */

/* Open the file, or make it, of mode 0600: then nobody has been here before. It
 * is locked (flock(2)) until it is closed. The folder is on disk when this
 * returns. Returns 0, -EBUSY (another server has it), -EPERM (others may write
 * it), -EBADMSG (no such file, or a damaged one), -ELOOP (a symbolic link),
 * -EFBIG, -ENOMEM, or -errno. */
int floor_open(struct floors **out, const char *path);
void floor_close(struct floors *floors); /* NULL is allowed */

/* The latest timestamp, in microseconds since 1970; 0: never. */
int64_t floor_get(struct floors *floors, const uint8_t public[DH_KEY]);

/* Note one; an earlier one than is there changes nothing. It is on disk when this
 * returns 0, so it waits for that; else -errno, and it may be lost. */
int floor_raise(struct floors *floors, const uint8_t public[DH_KEY],
		int64_t time_us);

#endif
