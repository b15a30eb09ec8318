/* pthread_shim.h - a program written for pthread_rwlock_* gets myrwlock.
 *
 * Each name of POSIX, and of the C library's kinds, becomes ours. Include it in
 * front of everything else, or
 *
 *	cc -I ROOT -include p08-rwlock/pthread_shim.h program.c …
 *
 * What a lock was given for its kind says its policy: PREFER_READER_NP that of
 * readers, PREFER_WRITER_NP and PREFER_WRITER_NONRECURSIVE_NP that of writers
 * (and both may read again without waiting). DEFAULT_NP, and what was given
 * none, is fair.
 *
 * That is not what the C library's default is, and hangs a program whose
 * readers must overlap: one reader that waits, inside, for another reader to
 * come in too waits for ever once a writer stands between them, as the fair
 * policy lets nobody past who has waited. POSIX leaves such a program to luck;
 * the C library's default kind lets it work, and its writers starve. For these
 *
 *	cc … -DPTHREAD_SHIM_POLICY=MYRWLOCK_READER …
 *
 * makes that of readers the policy of all locks that were given no kind.
 *
 * A shared lock can return EOWNERDEAD, with the lock held, which pthread_rwlock_*
 * knows nothing of: who takes each result but 0 for a failure keeps it. */
#ifndef UNIXIPC_P08_RWLOCK_PTHREAD_SHIM_H
#define UNIXIPC_P08_RWLOCK_PTHREAD_SHIM_H

#include <pthread.h> /* before its names become ours */

#include "p08-rwlock/myrwlock.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef PTHREAD_SHIM_POLICY
#define PTHREAD_SHIM_POLICY MYRWLOCK_FAIR
#endif

static inline int pthread_shim_attr_init(struct myrwlock_attr *attr)
{
	int rc = myrwlock_attr_init(attr);

	return rc ? rc : myrwlock_attr_setpolicy(attr, PTHREAD_SHIM_POLICY);
}

static inline int pthread_shim_init(struct myrwlock *lock,
				    const struct myrwlock_attr *attr)
{
	struct myrwlock_attr none;
	int rc = pthread_shim_attr_init(&none);

	return rc ? rc : myrwlock_init(lock, attr ? attr : &none);
}

#define pthread_rwlock_t struct myrwlock
#define pthread_rwlockattr_t struct myrwlock_attr

#undef PTHREAD_RWLOCK_INITIALIZER
#define PTHREAD_RWLOCK_INITIALIZER MYRWLOCK_INITIALIZER_OF(PTHREAD_SHIM_POLICY)
#undef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP \
	MYRWLOCK_INITIALIZER_OF(MYRWLOCK_WRITER)

#define pthread_rwlock_init pthread_shim_init
#define pthread_rwlock_destroy myrwlock_destroy
#define pthread_rwlock_rdlock myrwlock_rdlock
#define pthread_rwlock_wrlock myrwlock_wrlock
#define pthread_rwlock_tryrdlock myrwlock_tryrdlock
#define pthread_rwlock_trywrlock myrwlock_trywrlock
#define pthread_rwlock_timedrdlock myrwlock_timedrdlock
#define pthread_rwlock_timedwrlock myrwlock_timedwrlock
#define pthread_rwlock_clockrdlock myrwlock_clockrdlock
#define pthread_rwlock_clockwrlock myrwlock_clockwrlock
#define pthread_rwlock_unlock myrwlock_unlock

#define pthread_rwlockattr_init pthread_shim_attr_init
#define pthread_rwlockattr_destroy myrwlock_attr_destroy
#define pthread_rwlockattr_getpshared myrwlock_attr_getpshared
#define pthread_rwlockattr_setpshared myrwlock_attr_setpshared
#define pthread_rwlockattr_getkind_np myrwlock_attr_getpolicy
#define pthread_rwlockattr_setkind_np myrwlock_attr_setpolicy

/* Constants of an enum in pthread.h. */
#define PTHREAD_RWLOCK_PREFER_READER_NP MYRWLOCK_READER
#define PTHREAD_RWLOCK_PREFER_WRITER_NP MYRWLOCK_WRITER
#define PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP MYRWLOCK_WRITER
#define PTHREAD_RWLOCK_DEFAULT_NP PTHREAD_SHIM_POLICY

#ifdef __cplusplus
}
#endif

#endif
