/* memory.h - what lies in the shared memory of a pool, for the files of
 * sempool.h alone and for tests that damage it.
 *
 * Nothing in it is trusted but the semaphore. The head is checked when the pool is
 * opened, and not read again; the rest may say anything at any time, and the
 * worst that comes of it is a wrong number on a screen, a slot lent twice (which
 * its first owner is told when it releases), or -EBADMSG. The semaphore is the
 * C library's: a look at its bytes before each use would be a race with who
 * writes them, and only bind us to one library's layout.
 */
#ifndef UNIXIPC_P10_SEMPOOL_MEMORY_H
#define UNIXIPC_P10_SEMPOOL_MEMORY_H

#include <assert.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/identity.h"
#include "p10-sempool/entry.h"
#include "p10-sempool/sempool.h"

#define MEMORY_MAGIC 0x6c6f6f70 /* "pool" */

/* With the size of the one type whose layout is the C library's own. */
#define MEMORY_VERSION (2U | (uint32_t)sizeof(sem_t) << 16)

/* Whose write lock means what (a role of lib/identity): bytes of the file. */
enum {
	MEMORY_MANAGER, /* to be its manager */
	MEMORY_SLOTS,   /* from here on: to work with that slot */
};

struct sempool_memory {
	/* Of the life of a pool: changes at its beginning and its end. */
	_Atomic uint32_t magic; /* stored last */
	uint32_t version;
	uint32_t slots, waiters;
	struct identity_place made; /* where its pids and starts are true */

	/* Read by everybody, and seldom written. */
	alignas(64) _Atomic uint64_t manager; /* who it is or was */
	_Atomic uint32_t is_closed;
	_Atomic uint32_t has_askers; /* somebody may ask for a grant */

	/* Of reclaims. */
	alignas(64) _Atomic int64_t last_reclaim_ns;
	_Atomic uint32_t next_slot, next_waiter; /* to be looked at */
	_Atomic uint32_t shortfall; /* units too few, at the last reclaim */

	/* Of everybody. */
	alignas(64) sem_t units;
	_Atomic uint64_t returns; /* slots that were freed */
	_Atomic uint64_t reclaimed;

	struct entry entry[]; /* slots, then waiters */
};

static_assert(offsetof(struct sempool_memory, entry) == 256,
	      "a layout that all builds of one version share");

static inline size_t memory_bytes(unsigned int slots)
{
	return sizeof(struct sempool_memory) +
	       (slots + SEMPOOL_WAITERS) * sizeof(struct entry);
}

/* All that a pool is at first; the beginning of struct sempool_memory. */
struct memory_stub {
	uint32_t magic, version;
};

static_assert(offsetof(struct sempool_memory, magic) == 0 &&
		      offsetof(struct sempool_memory, version) == 4,
	      "a stub is the beginning of a pool");

#endif
