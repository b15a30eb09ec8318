/* exclusion.h - what is inside the lock, and who looks whether it was alone there.
 *
 * Entering and leaving check that a writer is alone and readers are among
 * readers. They know nothing of the lock: they are called by who holds it.
 * Threads and processes may share one. */
#ifndef UNIXIPC_P08_RWLOCK_CMD_EXCLUSION_H
#define UNIXIPC_P08_RWLOCK_CMD_EXCLUSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct exclusion {
	atomic_uint readers, writers; /* inside now */
	atomic_uint readers_most;     /* at a time */
	/* Not atomic, and written by a writer in two steps: the lock is all
	 * that keeps a reader from seeing one without the other. */
	uint64_t half, other_half;
};

/* Return whether it is as it must be. A zeroed one has nobody inside. */
bool exclusion_enter(struct exclusion *exclusion, bool is_writer);
bool exclusion_leave(struct exclusion *exclusion, bool is_writer);

#endif
