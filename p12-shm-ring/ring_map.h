/* ring_map.h - the memory of a ring: given its size, checked, mapped. */
#ifndef UNIXIPC_P12_SHM_RING_RING_MAP_H
#define UNIXIPC_P12_SHM_RING_RING_MAP_H

#include <stddef.h>

#include "p12-shm-ring/ring_format.h"

struct ring_map {
	struct ring_header *header;
	unsigned char *data; /* capacity bytes, and once more behind them */
	size_t capacity, bytes;
};

/* The power of two to use for so many bytes, or 0 when there is none. */
size_t ring_map_capacity(size_t wanted);

/* Fill an empty object. Whoever calls this must be alone. Returns 0, -ENOSPC
 * (nothing is allocated then), -EINVAL. */
int ring_map_make(int fd, size_t capacity);

/* What the object is, by read(2) and so without a risk: 0 and *capacity, -ENODATA
 * (empty), -ENOENT (half-made), -EBADMSG. */
int ring_map_check(int fd, size_t *capacity);

/* Map an object that was checked. */
int ring_map_open(struct ring_map *map, int fd, size_t capacity);
void ring_map_close(struct ring_map *map);

#endif
