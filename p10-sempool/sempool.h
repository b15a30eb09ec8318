/* sempool.h - N connections, lent to processes that have nothing in common but
 * the name of the pool.
 *
 * A process-shared semaphore holds a unit for each free slot, so that the
 * kernel does the waiting (UNP2 10). A table in the same shared memory holds
 * who has which slot, and that table is what counts: nobody has a connection
 * without an entry of its own in it. A holder that dies without releasing is
 * found by its entry, and its slot goes back, once: sempool_patrol().
 *
 * A holder is a process, and its threads may share a handle. All functions
 * return -errno on failure, and any thread may call them, also with one handle
 * at the same time, except for create, open and close.
 *
 * After fork(2) a child may go on with the handle: it is a holder of its own,
 * and its parent's leases are not its to release. What exec(2) replaces stays
 * the same process, and keeps what it holds until it ends.
 */
#ifndef UNIXIPC_P10_SEMPOOL_SEMPOOL_H
#define UNIXIPC_P10_SEMPOOL_SEMPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEMPOOL_MAX 1024           /* slots */
#define SEMPOOL_WAITERS 1024       /* of whom is noted that they wait */
#define SEMPOOL_PATROL_NS 20000000 /* how often a patrol is worth it */

struct sempool_memory;

/* A handle. Its owner reads slots and may set is_stopped. */
struct sempool {
	struct sempool_memory *memory;
	uint64_t *self; /* who we are; nobody, in a child after fork */
	size_t bytes;
	unsigned int slots;
	unsigned int hint; /* where to look first for a free slot */
	int fd;
	/* A waiter asks it now and then: unless it returns 0, acquire fails
	 * with -EINTR. For stop_signal() of lib/stop; NULL: never asked. */
	int (*is_stopped)(void);
	char name[256];
};

/* A slot that the caller holds. Released once: then it is empty. */
struct sempool_lease {
	unsigned int slot; /* 0 … slots - 1 */
	uint64_t word;     /* our entry in the table; 0: nothing is held */
};

/* Make the pool of that name, "/pool", and be its manager until close or the
 * end of the process; or take over one whose manager is dead, with all that is
 * held in it. Does not wait. Returns 0 and which of the two it was, or -EINVAL
 * (slots or name), -EBUSY (its manager lives), -ERANGE (it has another number
 * of slots: pool->slots says how many), -ENOTSUP (another version), -EXDEV (of
 * another PID or time namespace, so that we cannot tell who of them lives),
 * -EEXIST (something else has that name, and is left as it is), -EACCES (of
 * another user), -ENOSPC, -ENOSYS (no /proc), ...
 *
 * A child that the manager forks shares the handle, and with it the lock that
 * makes it the manager: until that child has closed it too, called exec(2) or
 * ended, no other process can take over. */
int sempool_create(struct sempool *pool, const char *name, unsigned int slots,
		   bool *is_taken_over);

/* Open the pool of that name, waiting until the deadline for its manager to
 * make it. Returns 0, -ENOENT (no pool), -ETIMEDOUT (half-made: its manager
 * died, or is slow), -EBADMSG (something else), -EINTR (a handler ran), or
 * -ENOTSUP, -EXDEV, -EACCES, -ENOSYS as above. */
int sempool_open(struct sempool *pool, const char *name, int64_t deadline);

/* The handle goes. What this process holds it goes on holding. */
void sempool_close(struct sempool *pool);

/* For the manager: end the pool. Its name goes, waiters get -EIDRM at once, and
 * holders may go on and release. Returns 0 or -errno. */
int sempool_remove(struct sempool *pool);

/* Take a slot, waiting as long as it takes, or until the deadline (at least
 * one attempt is made). A waiter looks after dead holders itself, every 50 ms,
 * so no manager is needed. Waiters are not served in order of arrival. Returns
 * 0, -ETIMEDOUT, -EINTR (a handler ran, or is_stopped), -EIDRM (the pool was
 * removed), -EBADMSG (the memory is damaged). */
int sempool_acquire(struct sempool *pool, struct sempool_lease *lease);
int sempool_acquire_until(struct sempool *pool, struct sempool_lease *lease,
			  int64_t deadline);

/* The same without waiting: -EAGAIN when all are taken. */
int sempool_try_acquire(struct sempool *pool, struct sempool_lease *lease);

/* Give it back. Returns 0; -EINVAL for an empty lease, one that was released
 * or lies; -EPERM for one of another process, as after fork; -EBADMSG when
 * the table no longer says that it is ours: somebody damaged the memory, and
 * the slot may have been lent twice. */
int sempool_release(struct sempool *pool, struct sempool_lease *lease);

/* Give back what dead holders have, and put the semaphore right where a death
 * left it wrong. Anybody may call it at any time, the manager does so all the
 * time; when somebody did less than SEMPOOL_PATROL_NS ago, it does nothing.
 * A holder that has been reaped is found by the next call. Zombies, and pids
 * that a later process has, are looked for among 128 holders a call: if it is
 * one of those, a slot of a full pool of 1024 comes back after 0.2 s, or 0.4 s
 * when one waiter is all that looks. Returns 0 or -EBADMSG (damaged). */
int sempool_patrol(struct sempool *pool);

/* How many slots are free just now. */
unsigned int sempool_count_free(const struct sempool *pool);

/* Whether the pool was removed, by its manager or by anybody else. */
bool sempool_is_removed(const struct sempool *pool);

/* What the pool looks like; the parts may be moments apart. */
struct sempool_state {
	unsigned int slots, free;
	unsigned int units;   /* in the semaphore: as many as free, at rest */
	unsigned int waiters; /* some of them may be dead */
	uint64_t lent;        /* so far, those held now included */
	uint64_t reclaimed;   /* of dead holders */
	pid_t manager;        /* 0: none that lives */
};
void sempool_look(const struct sempool *pool, struct sempool_state *state);

/* Who holds slot i, or from slots on, up to SEMPOOL_WAITERS more, who waits.
 * Returns false for nobody. */
struct sempool_holder {
	pid_t pid;
	bool is_alive;    /* false: its slot is about to come back */
	int64_t since_ns; /* monotonic, to a few ms; never in the future */
};
bool sempool_look_at(const struct sempool *pool, unsigned int i,
		     struct sempool_holder *holder);

#endif
