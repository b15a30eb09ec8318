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

/* How many entries each owner has. Owners that meet in a bucket share a share;
 * which ones do cannot be known from outside. Whoever owns the table locks. */
struct rpc_share {
	uint64_t seed;
	uint32_t counts[RPC_SHARE_BUCKETS];
};

void rpc_share_init(struct rpc_share *share);

/* A name for who is at the other end; never 0. */
uint64_t rpc_share_owner(const struct rpc_peer *peer);

/* Where the owner's entries are counted. */
uint32_t *rpc_share_count(struct rpc_share *share, uint64_t owner);

#ifdef __cplusplus
}
#endif

#endif
