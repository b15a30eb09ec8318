/* keys.h - files of keys.
 *
 * A public file has a line for each netname, a secret file one line in all:
 *
 *	# anything behind a #
 *	unix.1000@localdomain 3f21…  (48 hexadecimal digits)
 *
 * A secret file that others could read is refused, like ssh(1) does. Files
 * are replaced as a whole: after a crash there is the old one or the new one,
 * and what it left beside them is written over the next time. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_KEYS_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p17-rpc-auth/authdh/dh.h"
#include "p17-rpc-auth/netname.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	KEYS_MAX = 10000,        /* names in a public file */
	KEYS_FILE_MAX = 4 << 20, /* bytes */
};

struct keys_entry {
	char name[NETNAME_MAX + 1];
	uint8_t key[DH_KEY];
};

/* Sorted by name. Read only after keys_load(): any thread may look. */
struct keys {
	struct keys_entry *entries;
	size_t n;
};

/* Returns 0, -errno of open(2) or read(2), -EBADMSG (a line is not of that
 * form, or a name is there twice; *line says which if it is not NULL), -EPERM
 * (others may write it, and have any key under any name), -EFBIG, -EISDIR,
 * -ENOMEM. */
int keys_load(struct keys *keys, const char *path, size_t *line);
void keys_free(struct keys *keys);

/* The entry, or NULL. */
const struct keys_entry *keys_find(const struct keys *keys, const char *name);

/* Read a secret file. Returns as keys_load(), and -EPERM when it belongs to
 * another user, -EACCES when others than its owner may do anything with it
 * (told from open(2)'s own by *mode, which is 0 then), -ELOOP for a symbolic
 * link. *mode, if it is not NULL, is what the file has. */
int keys_load_secret(struct keys_entry *entry, const char *path,
		     unsigned int *mode);

/* Write a secret file of mode 0600. With -EEXIST nothing was done: there is
 * one, and is_forced was not given. */
int keys_store_secret(const struct keys_entry *entry, const char *path,
		      bool is_forced);

/* Put an entry into a public file, making the file if there is none. Remarks in
 * it are not kept. Processes that do so at the same time wait for each other,
 * until the deadline: -ETIMEDOUT. */
int keys_store_public(const struct keys_entry *entry, const char *path,
		      int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
