/* slots.h - a ring of equal slots in shared memory, one for each direction.
 *
 * Only the memory: who may touch a slot is for its user's semaphores or
 * eventfds to say. Each side counts for itself which slot is next.
 */
#ifndef UNIXIPC_P06_BENCH_SLOTS_H
#define UNIXIPC_P06_BENCH_SLOTS_H

#include <stddef.h>

#include "lib/measure/mechanism.h"

#define SLOTS_MAX 64

struct slots {
	size_t message_bytes, stride; /* stride: whole cache lines */
	size_t n;                     /* SLOTS_MAX, fewer beyond 1 MiB */
	unsigned char *map;
	size_t map_bytes;
	unsigned char *ring[2]; /* from A to B, from B to A */
	size_t sent, received;  /* of this side: next slot of each */
	int tx;                 /* the ring this side sends on */
};

/* Lay out, with room for extra bytes at the beginning of the map. */
void slots_init(struct slots *slots, size_t message_bytes, size_t extra);

/* Give fd map_bytes of real memory (a full file system shows here and not as
 * SIGBUS later) and map it shared. Returns 0 or -errno; fd may be closed. */
int slots_map(struct slots *slots, int fd);
void slots_unmap(struct slots *slots);

void slots_attach(struct slots *slots, enum mechanism_side side);

/* Copy a message into the next slot to send / out of the next received. */
void slots_put(struct slots *slots, const void *message);
void slots_take(struct slots *slots, void *message);

/* For struct mechanism.check: whether /dev/shm (or any tmpfs) has room. */
int slots_check(size_t message_bytes, char *why, size_t why_size);

#endif
