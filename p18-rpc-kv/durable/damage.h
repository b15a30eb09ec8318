/* damage.h - what is wrong with a file, in a line for whoever starts the server.
 *
 * A file that is not as it was written is refused, never repaired in silence:
 * what it should hold, others have been promised. -EBADMSG comes with such a
 * line; text is "" where there is nothing to tell. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_DAMAGE_H
#define UNIXIPC_P18_RPC_KV_DURABLE_DAMAGE_H

#include <stdint.h>

struct damage {
	char text[192]; /* "wal-0000000003: at byte 8192: the checksum …" */
};

/* Note it, and return -EBADMSG. NAME is that of the file in its folder. damage
 * may be NULL. Any thread. */
int damage_note(struct damage *damage, const char *name, uint64_t offset,
		const char *what);

/* What file_open() has failed with: that it is no file, or one that others may
 * write to, is noted. Returns -EBADMSG, -EPERM, or error. */
int damage_of_open(struct damage *damage, const char *name, int error);

#endif
