/* sysv.h - System V objects without the classic races.
 *
 * Semaphore sets are born with undefined values, and SETALL comes later: who
 * opens in between sees zeros. The creator's first semop(2) sets sem_otime;
 * openers wait for that (UNP2 11.2), with a deadline. All functions return
 * -errno on failure and may be called by any thread or process.
 */
#ifndef UNIXIPC_LIB_SYSV_H
#define UNIXIPC_LIB_SYSV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/types.h>

#include "lib/identity.h"

/* Linux leaves this union to the program: semctl(2). */
union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

/* Create a set with these values, or -EEXIST; -EIDRM when somebody removed it
 * before it had them. IPC_PRIVATE is allowed. Returns the id. Nothing is left
 * when it fails. */
int sysv_sem_create(key_t key, int n, const unsigned short *values, int mode);

/* Open a set that another process creates or has created, and wait until its
 * values are set: -ETIMEDOUT when its creator seems to have died in between,
 * -ENOENT (also of IPC_PRIVATE), -EACCES, -EINVAL (fewer than n semaphores in it). Returns the
 * id. */
int sysv_sem_open(key_t key, int n, int64_t deadline);

/* Create, or open when another was first; *created tells which. */
int sysv_sem_create_or_open(key_t key, int n, const unsigned short *values,
			    int mode, int64_t deadline, bool *created);

/* semop(2) on one semaphore until the deadline. flags: SEM_UNDO. Returns 0,
 * -ETIMEDOUT, -EIDRM, -EINTR, ... */
int sysv_sem_op(int id, unsigned short index, short op, short flags,
		int64_t deadline);

/* Remove the set, if it is the one that was noted after our own last SETVAL or
 * SETALL (identity_of_sysv()): an id is given again. 0, also when it was gone;
 * -ESTALE: another has that id by now, and keeps it; -EXDEV: that cannot be
 * told from here; -EPERM, -EACCES. */
int sysv_sem_remove(int id, const struct identity_object *made);

/* ftok(3) with errors told apart: -ENOENT and so on for the path. Note that
 * two paths may give one key: it keeps 16 bits of the inode number, 8 of the
 * device and 8 of project. */
int sysv_key(const char *path, int project, key_t *key);

/* A key as the user writes it: 0x12345678 or decimal; -EINVAL, -ERANGE, and
 * -EINVAL for 0, which is IPC_PRIVATE. */
int sysv_parse_key(const char *text, key_t *key);

#endif
