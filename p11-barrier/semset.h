/* semset.h - the semaphore set that is a barrier, for the two files that make
 * and use it; no other includes this. */
#ifndef UNIXIPC_P11_BARRIER_SEMSET_H
#define UNIXIPC_P11_BARRIER_SEMSET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/sem.h>

#include "p11-barrier/sysv_barrier.h"

/* The semaphores of a set. */
enum {
	VERSION,     /* what and which version this is */
	COUNT,       /* participants it is made for; never changes */
	REST,        /* arrivals to come before the last one */
	TURNSTILE_0, /* 1 closed, 0 open */
	TURNSTILE_1,
	PARITY,  /* of the rounds that were completed */
	BROKEN,  /* participants that died */
	INSIDE,  /* living processes between arrive and their way out */
	SEATS,   /* free, for participants still to join */
	CREATOR, /* 1 while it lives */
	SEMAPHORES,
};
_Static_assert(SEMAPHORES == SYSV_BARRIER_SEMAPHORES, "as the header says");

enum {
	MAGIC = 0x1101,
	OPS_MAX = SYSV_BARRIER_OPERATIONS,
};

/* One operation of a semop(2): what it does not get at once makes all of them
 * fail with -EAGAIN … */
#define NOW(sem, op) ((struct sembuf){(sem), (short)(op), IPC_NOWAIT})
/* … or is taken back at the exit of the process. */
#define UNDONE(sem, op) \
	((struct sembuf){(sem), (short)(op), IPC_NOWAIT | SEM_UNDO})
#define LENGTH(ops) (sizeof(ops) / sizeof((ops)[0]))

/* All operations, or none: -EAGAIN is not now, or that the deadline is over.
 * -EIDRM is said of a set that was removed, whenever that was. */
int semset_operate(int id, struct sembuf *ops, size_t n, int64_t deadline);
int semset_try(int id, struct sembuf *ops, size_t n);

/* What one of its semaphores counts, or -errno. */
int semset_value(int id, int sem);

/* Whether this is a barrier as we make them: its count of participants;
 * -EBADMSG when it is something else, or of another version; -EIDRM. */
int semset_check(int id);

#endif
