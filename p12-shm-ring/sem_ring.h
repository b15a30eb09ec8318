/* sem_ring.h - the textbook's ring: slots in shared memory, two semaphores.
 *
 * Read this first, and then ring.h. One producer and one consumer; slots of
 * one size; `empty` counts the free ones and `full` the filled ones, so that a
 * full ring stops the producer and an empty one the consumer (UNP2 10.6, 13).
 * It trusts its other side: who is killed is waited for until the deadline,
 * and who writes garbage into it breaks it.
 *
 * Functions return 0 or -errno; a deadline is one of lib/tick.
 */
#ifndef UNIXIPC_P12_SHM_RING_SEM_RING_H
#define UNIXIPC_P12_SHM_RING_SEM_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sem_ring_shared;

struct sem_ring {
	struct sem_ring_shared *shared;
	size_t bytes;  /* of the mapping */
	uint64_t next; /* of this side: which slot */
};

/* Make the object and map it: -EEXIST when there is one of that name, -EINVAL
 * (no slots, or of no size), -ENOSPC. */
int sem_ring_create(struct sem_ring *ring, const char *name, uint32_t slots,
		    uint32_t slot_bytes);

/* Map one that is there: -ENOENT, -EBADMSG (something else, or of another version),
 * -EAGAIN (its maker is not ready yet). */
int sem_ring_open(struct sem_ring *ring, const char *name);

/* Twice is nothing. */
void sem_ring_close(struct sem_ring *ring);

/* Remove the name; who has it open may go on. 0 or -ENOENT, -EACCES. */
int sem_ring_remove(const char *name);

/* Copy a message in, at most slot_bytes of it (-EMSGSIZE), or out, with room
 * for a slot. Return 0 and the length, -ETIMEDOUT, -EINTR. */
int sem_ring_put(struct sem_ring *ring, const void *message, size_t len,
		 int64_t deadline);
ssize_t sem_ring_get(struct sem_ring *ring, void *message, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
