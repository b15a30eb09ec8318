/* rpc_share.h - a share of every table for each peer address.
 *
 * Who owns an entry is told by its address, which costs more to have many of
 * than connections do: IPv4's as it is, of IPv6's the network of 64 bits, at a
 * Unix socket the user. */
#ifndef UNIXIPC_LIB_RPC_RPC_SHARE_H
#define UNIXIPC_LIB_RPC_RPC_SHARE_H

#include <stdint.h>

#include "lib/rpc/rpc_auth.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RPC_SHARE_BUCKETS = 1024 };

enum { RPC_SHARE_ROWS = 2 };

/* How many entries each owner has (a count-min sketch). Each is counted in a
 * bucket of every row, and the smallest of these is the answer: so owners have
 * each other's entries only if they meet in all rows, some two in a million.
 * Which ones do cannot be known from outside. Whoever owns the table locks. */
struct rpc_share {
	uint64_t seeds[RPC_SHARE_ROWS];
	uint32_t counts[RPC_SHARE_ROWS][RPC_SHARE_BUCKETS];
};

void rpc_share_init(struct rpc_share *share);

/* A name for who is at the other end; never 0. */
uint64_t rpc_share_owner(const struct rpc_peer *peer);

/* How many the owner has: no fewer than were added and not taken off again. */
uint32_t rpc_share_get(const struct rpc_share *share, uint64_t owner);
void rpc_share_add(struct rpc_share *share, uint64_t owner, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
