/* roster.h - who holds a lock that processes share, and who waits for it, so
 * that the death of any of them can be seen.
 *
 * Each thread that holds it or waits has an entry in the lock: pid and start
 * (lib/identity.h) and what it is about, which changes by one store, before
 * the lock's counts do. The counts follow from the entries, so after a death
 * they are counted anew, whatever the dead one was about to do.
 *
 * Who waits notes ten times a second that it has looked. Who has not for
 * ROSTER_ABSENT_MS, as it is dead or was stopped, is not counted among those
 * who wait, and nobody waits for it to use its turn; if it comes back, it joins
 * the queue anew. Of those inside, the kernel is asked whether they live: who is
 * stopped there still holds the lock.
 *
 * Pids mean something only in the PID namespace where the lock was made: who
 * comes from elsewhere is refused.
 *
 * All but roster_self() are called with the lock's mutex held; of a lock that is
 * not shared they do nothing. For the files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_ROSTER_H
#define UNIXIPC_P08_RWLOCK_ROSTER_H

#include <stdbool.h>

#include "p08-rwlock/myrwlock.h"

enum {
	ROSTER_ABSENT_MS = 300,
	ROSTER_PATROL_MS = 20, /* not to ask the kernel all the time */
};

/* lock->torn: a writer died inside, and nobody has called its data consistent
 * yet; or somebody has left it so, and then nobody enters any more. */
enum { ROSTER_TORN = 1, ROSTER_LOST };

enum roster_state {
	ROSTER_READS = 1,
	ROSTER_LET_IN, /* to read, and has not woken yet to hear of it */
	ROSTER_WRITES,
	ROSTER_ABSENT, /* waited, and has not looked for long */
	ROSTER_WAITS,  /* to read; and to write, in which group: */
	ROSTER_WAITS_0,
	ROSTER_WAITS_1,
};

/* The word for the calling thread. Returns 0; EXDEV; ENOSYS, as /proc does not
 * tell; ENOMEM. */
int roster_self(const struct myrwlock *lock, uint64_t *me);

/* Whether there is room for an entry of mine. */
bool roster_has_room(struct myrwlock *lock, uint64_t me);

/* Begin, change and end my entry: what I am about, and that I have just looked. */
void roster_enter(struct myrwlock *lock, uint64_t me, enum roster_state state);
void roster_note(struct myrwlock *lock, uint64_t me, enum roster_state state);
void roster_leave(struct myrwlock *lock, uint64_t me);

/* What I was taken for since; 0: for nobody. */
uint32_t roster_look(const struct myrwlock *lock, uint64_t me);

/* We give up waiting, and cannot have the mutex to say so: our entry is struck
 * out when we come again, or taken for absent. */
void roster_leave_behind(void);

/* All who wait to read are let in. */
void roster_let_in(struct myrwlock *lock);

/* See who is dead or absent, and count anew; the patrol does, unless somebody
 * has just done so. */
void roster_count_anew(struct myrwlock *lock);
void roster_patrol(struct myrwlock *lock);

#endif
