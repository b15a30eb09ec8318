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
 * none, is fair. */
#ifndef UNIXIPC_P08_RWLOCK_PTHREAD_SHIM_H
#define UNIXIPC_P08_RWLOCK_PTHREAD_SHIM_H

#include <pthread.h> /* before its names become ours */

#include "p08-rwlock/myrwlock.h"

#define pthread_rwlock_t struct myrwlock
#define pthread_rwlockattr_t struct myrwlock_attr

#undef PTHREAD_RWLOCK_INITIALIZER
#define PTHREAD_RWLOCK_INITIALIZER MYRWLOCK_INITIALIZER
#undef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP \
	MYRWLOCK_INITIALIZER_OF(MYRWLOCK_WRITER)

#define pthread_rwlock_init myrwlock_init
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

#define pthread_rwlockattr_init myrwlock_attr_init
#define pthread_rwlockattr_destroy myrwlock_attr_destroy
#define pthread_rwlockattr_getpshared myrwlock_attr_getpshared
#define pthread_rwlockattr_setpshared myrwlock_attr_setpshared
#define pthread_rwlockattr_getkind_np myrwlock_attr_getpolicy
#define pthread_rwlockattr_setkind_np myrwlock_attr_setpolicy

/* Constants of an enum in pthread.h. */
#define PTHREAD_RWLOCK_PREFER_READER_NP MYRWLOCK_READER
#define PTHREAD_RWLOCK_PREFER_WRITER_NP MYRWLOCK_WRITER
#define PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP MYRWLOCK_WRITER
#define PTHREAD_RWLOCK_DEFAULT_NP MYRWLOCK_FAIR

#endif
