/* vector.h - arrays that grow. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_VECTOR_H
#define UNIXIPC_P18_RPC_KV_RAFT_VECTOR_H

#include <stddef.h>

/* Room for `wanted` items of `size` bytes where there is some for *room: the
 * array, which may have moved, or NULL, and it is where it was. */
void *vector_reserve(void *items, size_t *room, size_t wanted, size_t size);

#endif
