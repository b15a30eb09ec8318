/* turn.h - who may enter, who waits, and who is let in next: the lesson of this
 * chapter is turn.c.
 *
 * Every function takes the lock's mutex, and gives it back. For the files of
 * myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_TURN_H
#define UNIXIPC_P08_RWLOCK_TURN_H

#include <stdbool.h>

#include "p08-rwlock/inner.h"
#include "p08-rwlock/myrwlock.h"

/* Enter, waiting in line if it must be, as me, who holds nothing of this lock.
 * Return 0; EOWNERDEAD, having entered; EBUSY (is_try), ETIMEDOUT,
 * ENOTRECOVERABLE. */
int turn_read(struct myrwlock *lock, uint64_t me, bool is_try,
	      const struct inner_limit *limit);
int turn_write(struct myrwlock *lock, uint64_t me, bool is_try,
	       const struct inner_limit *limit);

/* Leave. Return 0 or ENOTRECOVERABLE. */
int turn_leave_reading(struct myrwlock *lock, uint64_t me);
int turn_leave_writing(struct myrwlock *lock, uint64_t me);

/* From writing to reading. */
int turn_downgrade(struct myrwlock *lock, uint64_t me);

/* The data that a dead writer left are sound again. EINVAL when none died, EPERM
 * when I do not write. */
int turn_mend(struct myrwlock *lock, uint64_t me);

#endif
