/* session.h - what a user has seen of a store, in a file, so that the next command
 * sees no less: a number, the newest revision.
 *
 * Commands that run at the same time may use one file: it never goes back. */
#ifndef UNIXIPC_P18_RPC_KV_CMD_SESSION_H
#define UNIXIPC_P18_RPC_KV_CMD_SESSION_H

#include <stdint.h>

/* 0 where there is no file, or an empty one. Returns 0, -EBADMSG (it holds
 * something else) or -errno. */
int session_read(const char *path, uint64_t *revision);

/* Make it that, unless it is more already. Waits for other commands that do
 * this. Returns 0 or as above. */
int session_note(const char *path, uint64_t revision);

#endif
