/* queue.h - who may enter, who waits, and who is let in next: the lesson of this
 * chapter is queue.c.
 *
 * Every function takes the lock's mutex, and gives it back. For the files of
 * myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_QUEUE_H
#define UNIXIPC_P08_RWLOCK_QUEUE_H

#include <stdbool.h>

#include "p08-rwlock/inner.h"
#include "p08-rwlock/myrwlock.h"

/* Enter, waiting in the queue if it must be, as me, who holds nothing of this lock.
 * Return 0; EOWNERDEAD, having entered; EBUSY (is_try), ETIMEDOUT,
 * ENOTRECOVERABLE. */
int queue_read(struct myrwlock *lock, uint64_t me, bool is_try,
	       const struct inner_limit *limit);
int queue_write(struct myrwlock *lock, uint64_t me, bool is_try,
		const struct inner_limit *limit);

/* Leave. Return 0 or ENOTRECOVERABLE. */
int queue_leave_reading(struct myrwlock *lock, uint64_t me);
int queue_leave_writing(struct myrwlock *lock, uint64_t me);

/* From writing to reading. */
int queue_downgrade(struct myrwlock *lock, uint64_t me);

/* The data that a dead writer left are sound again. EINVAL when none died, EPERM
 * when I do not write. */
int queue_make_consistent(struct myrwlock *lock, uint64_t me);

#endif
