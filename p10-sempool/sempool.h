/* sempool.h - N connections, lent to processes that have nothing in common but
 * the name of the pool.
 *
 * A process-shared semaphore holds a unit for each free slot, so that the
 * kernel does the waiting (UNP2 10). A table in the same shared memory holds
 * who has which slot, and that table is what counts: nobody has a connection
 * without an entry of its own in it. An owner that dies without releasing is
 * found by its entry, and its slot goes back, once: sempool_reclaim().
 *
 * A slot is lent by a lease, which its owner has until it releases it; a grant
 * hands the slot of one owner to the next without its being free in between.
 * An owner is a process, and its threads may share a handle. All functions
 * return -errno on failure, and any thread may call them, also with one handle
 * at the same time, except for create, open and close.
 *
 * Where an owner starts others to do the work, the slot belongs to the work:
 * sempool_hand_down() gives it a lock of the kernel's (an OFD lock, fcntl(2)),
 * on a descriptor that they inherit, and the slot is lent again when none of
 * them has that open any more, whoever of them was killed.
 *
 * fork      a child may go on with the handle: it is an owner of its own, and
 *           its parent's leases are not its to release
 * exec      the same process still: it keeps what it holds until it ends
 * closefrom and the like    take the handle's descriptor: who needs to know
 *           whether the pool is still there, or a manager, is told -EBADF, or
 *           -ESTALE when the number is another file's by now; one that waits
 *           too. A lock that was handed down is given up by that
 * another PID or time namespace    the table's pids mean nothing there: -EXDEV
 *           at the door. Who entered one later (setns(2), unshare(2)) must not
 *           use the handle
 * another IPC namespace    nothing: what counts is a shared /dev/shm
 * somebody writes over the pool    a slot may be lent twice, which its first owner
 *           is told when it releases, or calls return -EBADMSG; waits end by their
 *           deadlines. But for the semaphore itself, of which the C library
 *           believes every byte: who writes over that can make it abort those who
 *           wait, or post, or keep them beyond their deadlines; and who truncates
 *           the memory has them die of SIGBUS. Only processes of the same user can
 *
 * No library function writes into the ledger of IPC objects (lib/objname):
 * commands do.
 */
#ifndef UNIXIPC_P10_SEMPOOL_SEMPOOL_H
#define UNIXIPC_P10_SEMPOOL_SEMPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEMPOOL_MAX 1024            /* slots */
#define SEMPOOL_WAITERS 1024        /* of whom is noted that they wait */
#define SEMPOOL_RECLAIM_NS 20000000 /* how often a reclaim is worth it */

struct sempool_memory;

/* A handle. Its owner reads slots and may set is_stopped. */
struct sempool {
	struct sempool_memory *memory;
	uint64_t *self; /* who we are; nobody, in a child after fork */
	size_t bytes;
	unsigned int slots;
	unsigned int hint;         /* where to look first for a free slot */
	struct identity_role role; /* its descriptor; -1: closed */
	/* A waiter asks it now and then: unless it returns 0, acquire fails
	 * with -EINTR. For stop_signal() of lib/stop; NULL: never asked. */
	int (*is_stopped)(void);
	char name[256];
};

/* A slot that the caller holds. Released once: then it is empty. */
struct sempool_lease {
	unsigned int slot; /* 0 … slots - 1 */
	uint64_t word;     /* our entry in the table; 0: nothing is held */
	int lock;          /* that was handed down; 0: none */
};

/* Make the pool of that name, "/pool", and be its manager until close or the
 * end of the process; or take over one whose manager is dead, with all that is
 * held in it. Does not wait. Returns 0 and which of the two it was, or -EINVAL
 * (slots or name), -EBUSY (its manager lives), -ERANGE (it has another number
 * of slots: pool->slots says how many), -ENOTSUP (another version), -EXDEV (of
 * another PID or time namespace or boot, so that we cannot tell who of them
 * lives), -EEXIST (something else has that name, and is left as it is), -EACCES
 * (of another user), -ENOSPC, -ENOSYS (no /proc), ...
 *
 * A child that the manager forks shares the handle, and with it the role of the
 * manager (lib/identity.h): until that child has closed it too, called exec(2)
 * or ended, no other process can take over. */
int sempool_create(struct sempool *pool, const char *name, unsigned int slots,
		   bool *is_taken_over);

/* Open the pool of that name, waiting until the deadline for its manager to
 * make it. Returns 0, -ENOENT (no pool), -ETIMEDOUT (half-made: its manager
 * died, or is slow), -EBADMSG (something else), -EINTR (a handler ran), or
 * -ENOTSUP, -EXDEV, -EACCES, -ENOSYS as above. */
int sempool_open(struct sempool *pool, const char *name, int64_t deadline);

/* The handle goes. What this process holds it goes on holding. Twice, and after a
 * create or open that failed, is nothing; no other call takes a closed handle. */
void sempool_close(struct sempool *pool);

/* For the manager: end the pool. Its name goes, unless it is another's by now
 * (who replaces it between that look and unlink(2) loses the new one: names
 * know no better way), waiters get -EIDRM at once, and owners may go on and
 * release. Returns 0 or -errno. */
int sempool_remove(struct sempool *pool);

/* Take a slot, waiting as long as it takes, or until the deadline (at least
 * one attempt is made). A waiter looks after dead owners itself, every 50 ms,
 * so no manager is needed. Those who have waited for 50 ms are served before all
 * others, and in order of arrival, to the clock's 4 ms; before that the quickest
 * is. (But for a release that is just under way when the 50 ms are over; for a
 * unit that was lost with a killed process, and put back; and for a waiter that
 * found no entry, when more than SEMPOOL_WAITERS wait. A waiter that is granted
 * a slot and does not run for 100 ms is passed over.) Returns 0, -ETIMEDOUT,
 * -EINTR (a handler ran, or is_stopped), -EIDRM (the pool was removed, or
 * another has its name), -EBADMSG (the memory is damaged), -EBADF or -ESTALE. */
int sempool_acquire(struct sempool *pool, struct sempool_lease *lease);
int sempool_acquire_until(struct sempool *pool, struct sempool_lease *lease,
			  int64_t deadline);

/* The same without waiting: -EAGAIN when all are taken. */
int sempool_try_acquire(struct sempool *pool, struct sempool_lease *lease);

/* Lock the slot that we hold for what is about to be started: lease->lock is
 * the lock's descriptor, which the lease owns, close-on-exec; the child that
 * is to have it clears that, and only there (fcntl(2), F_SETFD). From now on
 * the slot is in use as long as any process has the descriptor open, be it by
 * fork, exec, dup or SCM_RIGHTS, in whatever namespace, also after we were
 * killed, or have released it. What closes it (closefrom(3), daemons, sudo(8))
 * is taken to be done with the slot. Returns 0; -EINVAL or -EPERM as below, or
 * for a lease that has one; -EBADMSG when another has that lock: the slot was
 * lent twice; -EBADF, -ESTALE, -EMFILE, ... */
int sempool_hand_down(struct sempool *pool, struct sempool_lease *lease);

/* Give it back. Returns 0; SEMPOOL_LEFT when what inherited its lock goes on:
 * it is no longer ours, and free when that ends; -EINVAL for an empty lease, one
 * that was released or lies; -EPERM for one of another process, as after fork;
 * -EBADMSG when the table no longer says that it is ours: somebody damaged the
 * memory, and the slot may have been lent twice. */
#define SEMPOOL_LEFT 1
int sempool_release(struct sempool *pool, struct sempool_lease *lease);

/* Give back what dead owners have, and put the semaphore right where a death
 * left it wrong. Anybody may call it at any time, the manager does so all the
 * time; when somebody did less than SEMPOOL_RECLAIM_NS ago, it does nothing.
 * An owner that has been reaped is found by the next call. Zombies, pids
 * that a later process has, and slots that were left, are looked for among 128
 * owners a call: if it is one of those, a slot of a full pool of 1024 comes
 * back after 0.2 s, or 0.4 s when one waiter is all that looks. Returns 0 or
 * -EBADMSG (damaged). */
int sempool_reclaim(struct sempool *pool);

/* How many slots are free just now. */
unsigned int sempool_count_free(const struct sempool *pool);

/* Whether the pool is still what its name says: 0, or -EIDRM when it was
 * removed, by its manager or by anybody else, or another has its name. -EBADF
 * or -ESTALE: that cannot be told, as the handle has lost its descriptor. */
int sempool_check(const struct sempool *pool);

/* What the pool looks like; the parts may be moments apart. */
struct sempool_state {
	unsigned int slots, free;
	unsigned int units;   /* in the semaphore: as many as free, at rest */
	unsigned int waiters; /* some of them may be dead */
	uint64_t lent;        /* so far, those held now included */
	uint64_t reclaimed;   /* of dead owners */
	pid_t manager;        /* 0: none that lives */
};
void sempool_look(const struct sempool *pool, struct sempool_state *state);

/* Who holds slot i, or from slots on, up to SEMPOOL_WAITERS more, who waits.
 * Returns false for nobody. */
struct sempool_owner {
	pid_t pid;        /* 0: not known, as it was left */
	bool is_alive;    /* it, or what inherited the lock of its slot; false:
			   * the slot is about to come back */
	int64_t since_ns; /* monotonic, to a few ms; never in the future */
};
bool sempool_look_at(const struct sempool *pool, unsigned int i,
		     struct sempool_owner *owner);

#ifdef __cplusplus
}
#endif

#endif
