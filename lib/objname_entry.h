/* objname_entry.h - one entry of the ledger as text, and under which name.
 *
 * For objname*.c and tests. Nothing here touches the ledger. All functions may
 * be called by any thread.
 */
#ifndef UNIXIPC_LIB_OBJNAME_ENTRY_H
#define UNIXIPC_LIB_OBJNAME_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/objname.h"

enum {
	OBJNAME_ENTRY_TEXT = 1024, /* bytes; a sound entry is shorter */
	OBJNAME_ENTRY_FILE = 40,   /* "sysv-shm.0123456789abcdef" */
};

/* The program's own name, with '_' for all that means something elsewhere. */
void objname_entry_program(char *buf, size_t size);

/* The entry by which the caller would claim this object before it is made, a
 * path made absolute. Returns 0, -EINVAL when an object of that kind cannot be
 * called so or has control characters in its name, -ENAMETOOLONG, or -errno of
 * getcwd(3). */
int objname_entry_self(enum objname_kind kind, const char *name,
		       struct objname_entry *entry);

bool objname_entry_same_owner(const struct objname_entry *a,
			      const struct objname_entry *b);

/* What is under that name or id now: as identity_of_path() and its like. */
int objname_entry_look(enum objname_kind kind, const char *name,
		       struct identity_object *object);

/* The name of its file: the kind and a hash, for a name may be as long as a
 * file name and have slashes. */
void objname_entry_file(enum objname_kind kind, const char *name,
			char file[OBJNAME_ENTRY_FILE]);

void objname_entry_format(const struct objname_entry *entry,
			  char text[OBJNAME_ENTRY_TEXT]);

/* Returns whether the text, which it destroys, is sound in every field; only
 * then is the entry to be used. */
bool objname_entry_parse(char *text, struct objname_entry *entry);

#endif
