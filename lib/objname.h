/* objname.h - names of IPC objects, who owns them, and what was left over.
 *
 * The kernel keeps named objects after a crash and, for most kinds, does not
 * know whose they are. So every named or System V object of this project is
 * claimed in a ledger: a line an object (the target of a symbolic link) in
 * /dev/shm/unixipc.UID (0700), with two identities (lib/identity): its owner's,
 * and its own. Who shares an IPC namespace shares /dev/shm as a rule; until
 * version 3 it was /tmp/unixipc.UID, which is still read, and struck off.
 * `ipc_suite objects` lists the ledger, `ipc_suite clean` removes of what dead
 * owners left that which is theirs beyond doubt. The ledger is advice for
 * people: no mechanism depends on it, a lost or forged entry can at worst show
 * a wrong line, and clean removes only what the kernel says belongs to this
 * user. The folder is used only if it is a real directory of ours with mode
 * 0700, and goes with its last entry.
 *
 * A name is claimed before the object is made, so that none can be left
 * unclaimed, and noted once it is made: until then an entry has no object, and
 * what lies under its name may be anybody's.
 *
 * All functions return -errno on failure and may be called by any thread.
 */
#ifndef UNIXIPC_LIB_OBJNAME_H
#define UNIXIPC_LIB_OBJNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

enum objname_kind {
	OBJNAME_SHM,      /* POSIX shared memory, "/name" */
	OBJNAME_SEM,      /* POSIX named semaphore, "/name" */
	OBJNAME_MQ,       /* POSIX message queue, "/name" */
	OBJNAME_FIFO,     /* path */
	OBJNAME_SOCKET,   /* path of a Unix domain socket */
	OBJNAME_SYSV_SHM, /* decimal id */
	OBJNAME_SYSV_SEM,
	OBJNAME_SYSV_MSG,
	OBJNAME_KINDS
};

#define OBJNAME_MAX 256
#define OBJNAME_LEDGER 40 /* bytes of its path */

struct objname_entry {
	enum objname_kind kind;
	char name[OBJNAME_MAX]; /* name, path, or the id in decimal */
	char program[32];
	struct identity_process owner; /* only its pid is sure to be known */
	int64_t created; /* when it was claimed; seconds since the epoch */
	/* Without an inode or a ctime it is not noted yet: then only where it
	 * will be is known, or, of entries of older versions, not even that. */
	struct identity_object object;
};

enum objname_owner {
	OBJNAME_DEAD,
	OBJNAME_ALIVE,
	OBJNAME_UNKNOWN, /* cannot be judged from here: may be alive */
};

/* For people: "shm", "sem", "mq", "fifo", "socket", "sysv-shm" … */
const char *objname_kind_word(enum objname_kind kind);

/* "/ipc.PROGRAM.UID.PID.WORD": for objects that no user names.
 * Returns 0 or -ENAMETOOLONG. */
int objname_make(char *buf, size_t size, const char *word);

/* Whether a POSIX object may have this name: a slash, then 1 to 250 bytes
 * without a slash, not "." or "..". Returns 0, -EINVAL, -ENAMETOOLONG. */
int objname_check(const char *name);

/* Note the caller as owner of an object. What a dead owner had is taken over,
 * and what an unknown one had, if it is not there; else -EEXIST. -EINVAL or
 * -ENAMETOOLONG: no name for that kind, or one with control characters; -EPERM:
 * the folder is not to be trusted. None of it is a reason to stop. A relative
 * path is noted as an absolute one. */
int objname_claim(enum objname_kind kind, const char *name);

/* Note the object itself, for who has just made it; of an id, which is known
 * only then, this is the claim. After an own SETVAL, SETALL or IPC_SET, once
 * more. Returns as a claim does. */
int objname_made(enum objname_kind kind, const char *name);
int objname_claim_id(enum objname_kind kind, int id);

/* Strike the object off, after it was removed; 0 also when it was not there.
 * -EBUSY when another process owns it that is not dead, and it still exists. */
int objname_release(enum objname_kind kind, const char *name);
int objname_release_id(enum objname_kind kind, int id);

/* Call visit for each entry whose text is sound, in order of name, until it
 * returns non-zero, which is returned. Entries may go while we look; visit
 * may remove them. -EPERM as for a claim, -ENOMEM. */
int objname_each(int (*visit)(const struct objname_entry *entry, void *arg),
		 void *arg);

/* The entry of one object. -ENOENT: there is none; -EPERM, -ENOMEM, and as a
 * claim for a bad name. */
int objname_find(enum objname_kind kind, const char *name,
		 struct objname_entry *entry);

/* Whether what is there now is what was noted; IDENTITY_CANNOT_TELL of what was
 * not, unless nothing is there. */
enum identity_match objname_match(const struct objname_entry *entry);

/* Whether what has that name now was noted by one of ours, who may have been
 * killed since: what was not is another program's, and is not to be removed. */
bool objname_is_noted(enum objname_kind kind, const char *name);

/* Whether an object of that kind is there, ours (uid), and not known to be
 * another than was noted; 0 is no. */
bool objname_exists(const struct objname_entry *entry);
enum objname_owner objname_judge_owner(const struct objname_entry *entry);

/* Where the ledger is, to be told when it is squatted. */
void objname_ledger(char path[OBJNAME_LEDGER]);

/* Remove the object, if it exists as above, and its entry: for those who know
 * that it is the owner's. 0 also when it was gone, or is another by now: that
 * stays; -EBUSY when another owner claimed it after entry was read. */
int objname_remove(const struct objname_entry *entry);

#endif
