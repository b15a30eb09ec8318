/* inventory.h - the IPC objects of this project, and what the kernel says of
 * each: the ledger of lib/objname, looked up.
 *
 * Taking it changes no object: no FIFO is opened, no connection made, no
 * message read, no semaphore touched. It is a moment's view: objects and owners
 * come and go while one looks.
 */
#ifndef UNIXIPC_SUITE_INVENTORY_H
#define UNIXIPC_SUITE_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/objname.h"

#define INVENTORY_VALUES 8

struct inventory_item {
	struct objname_entry entry;
	enum identity_match match; /* what is there, with what was noted */
	bool exists;               /* no: only the ledger remembers it */
	enum objname_owner owner;
	int64_t bytes;   /* of memory, or of unread data in a System V
			  * queue, or room of a POSIX queue; -1: not known */
	int64_t users;   /* processes that have it open or mapped, or its
			  * attachments (System V memory); -1: not known */
	int64_t waiting; /* messages in a queue; -1: it is no queue */
	int values;      /* semaphores in it; the first few are in value */
	int value[INVENTORY_VALUES];
	int64_t age_s;
	bool is_foreign; /* not in the ledger: of another program */
	uid_t uid;       /* whose it is, if it is foreign */
};

struct inventory {
	size_t n;
	struct inventory_item *item;
};

/* Look at everything in the ledger, in order of name. Returns 0 or -errno with
 * *inventory empty. inventory_free() is allowed in any case. */
int inventory_take(struct inventory *inventory);

/* The same and, behind it, the foreign objects that can be seen from here: of both
 * families, of whomever. Never removed: inventory_keeps(). */
int inventory_take_all(struct inventory *inventory);

void inventory_free(struct inventory *inventory);

/* What is in it, for people: "3 messages", "value 1", "values 1 0 1", "". buf
 * is returned. */
const char *inventory_holds(const struct inventory_item *item, char *buf,
			    size_t size);

/* "alive", "dead" or "unknown". */
const char *inventory_owner_word(const struct inventory_item *item);

/* The same, with what is to be said of the object: "dead, object gone", "dead,
 * another object by now". buf is returned. */
const char *inventory_state(const struct inventory_item *item, char *buf,
			    size_t size);

/* "12 s", "5 min", "3 h", "2 d". buf is returned. */
const char *inventory_age(const struct inventory_item *item, char *buf,
			  size_t size);

/* {"schema": "unixipc-objects/1", "objects": [{"kind", "name", "program",
 * "owner": {"pid", "alive"}, "exists", "size_bytes", "users", "messages",
 * "values", "created", "age_s", "foreign", "uid"}]}; what a kind does not have
 * is null, and so are "alive" of an owner that cannot be judged from here,
 * "program" and "pid" of what is foreign, and "uid" of what is not. A new
 * reference, or NULL when memory is short. */
json_t *inventory_to_json(const struct inventory *inventory);

/* Why it is kept, for people: its owner may be alive, somebody may use it (as
 * far as /proc may be read), or it is not known to be what the owner made. NULL
 * if nothing speaks against removing it, or if no more than its entry is to go:
 * inventory_is_forgotten(). */
const char *inventory_keeps(const struct inventory_item *item);

/* Whether the entry goes and nothing is removed: the object is gone, or is
 * another by now, which stays. */
bool inventory_is_forgotten(const struct inventory_item *item);

/* The shell command that removes an object which is kept only because nobody
 * can tell whose it is; "" of others. buf is returned. */
const char *inventory_command(const struct inventory_item *item, char *buf,
			      size_t size);

/* Look at the object once more, and remove it and its entry, unless it is to
 * be kept by now, or somebody else owns it: -EBUSY. Of what is forgotten, the
 * entry alone. Removal goes by name: who
 * puts another object there after this look, within microseconds, loses it.
 * Returns 0, also when it was gone, or -errno. */
int inventory_remove(const struct inventory_item *item);

/* ---- the objects that are in no ledger: those of others ---- */

struct inventory_foreign {
	enum objname_kind kind;
	char name[OBJNAME_MAX]; /* or the id in decimal */
	uid_t uid;
	int64_t changed; /* ctime, in seconds since the epoch */
};

/* Call visit for each object that can be seen from here, of whomever: POSIX shared
 * memory and semaphores in /dev/shm, queues in /dev/mqueue, System V in
 * /proc/sysvipc; until it returns non-zero, which is returned. FIFOs and sockets
 * have no place of their own, and are not looked for. A folder that is not there
 * or may not be read has none. Nothing is opened but folders and tables.
 * Returns 0 or -errno. */
int inventory_foreign_each(int (*visit)(const struct inventory_foreign *found,
					void *arg),
			   void *arg);

#endif
