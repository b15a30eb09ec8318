/* bounded_lock.h - the mutex of a bounded buffer.
 *
 * A robust one when processes share it: of an owner that died, the next one is
 * told. Functions return 0 or -errno.
 */
#ifndef UNIXIPC_P07_PRODCONS_BOUNDED_LOCK_H
#define UNIXIPC_P07_PRODCONS_BOUNDED_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bounded_lock {
	pthread_mutex_t mutex;
};

int bounded_lock_init(struct bounded_lock *lock, bool is_shared);
void bounded_lock_fini(struct bounded_lock *lock);

/* Return 0; -EOWNERDEAD: we have it, as who had it died, and call
 * bounded_lock_mended() once what it protects is sound again; -EBUSY of try,
 * -ETIMEDOUT of take; or -EBADMSG, when there is no mutex there.
 *
 * Being woken here is no more to be relied on than elsewhere. When a mutex is
 * let go, one who waits is woken. If that one is killed before it has got it,
 * and another was quicker, this other does not know that more are waiting, and
 * wakes nobody: the C library keeps that in the mutex's own word, and the
 * kernel passes a dead one's wake-up on only while the mutex is free. So give
 * a shared lock a deadline that is soon, and come again. */
int bounded_lock_try(struct bounded_lock *lock);
int bounded_lock_take(struct bounded_lock *lock, int64_t deadline);
void bounded_lock_mended(struct bounded_lock *lock);
void bounded_lock_drop(struct bounded_lock *lock);

#endif
