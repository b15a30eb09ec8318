/* session.h - what a user has seen of a store, in a file, so that the next command
 * sees no less: a number, the newest revision.
 *
 * Commands that run at the same time may use one file: it never goes back. Nobody
 * but the user and root may write to it, as who does decides how old what is read
 * may be. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_SESSION_H
#define UNIXIPC_P18_RPC_KV_CMD_SESSION_H

#include <stdint.h>

/* 0 where there is no file, or an empty one. Returns 0, -EBADMSG (it holds
 * something else), -EPERM (others may write to it) or -errno. Does not wait. */
int session_read(const char *path, uint64_t *revision);

/* Make it that, unless it is more already. Waits for other commands that do
 * this, until the deadline: -ETIMEDOUT. Returns 0 or as above. */
int session_note(const char *path, uint64_t revision, int64_t deadline);

#endif
