/* rpc_share.c - FNV-1a for names, multiplications with secrets for buckets. */
#include "lib/rpc/rpc_share.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "lib/tick.h"

void rpc_share_init(struct rpc_share *share)
{
	memset(share, 0, sizeof(*share));
	if (getrandom(share->seeds, sizeof(share->seeds), GRND_NONBLOCK) !=
	    sizeof(share->seeds))
		for (int row = 0; row < RPC_SHARE_ROWS; row++)
			share->seeds[row] = (uint64_t)tick_now() << row * 8;
	for (int row = 0; row < RPC_SHARE_ROWS; row++)
		share->seeds[row] |= 1;
}

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * 0x100000001b3u;
	return h;
}

uint64_t rpc_share_owner(const struct rpc_peer *peer)
{
	const struct sockaddr_in *in = (const void *)&peer->address;
	const struct sockaddr_in6 *in6 = (const void *)&peer->address;
	uint64_t h = 0xcbf29ce484222325u;

	h = hash(h, &peer->address.ss_family, sizeof(sa_family_t));
	if (peer->address.ss_family == AF_INET)
		h = hash(h, &in->sin_addr, sizeof(in->sin_addr));
	else if (peer->address.ss_family == AF_INET6)
		h = hash(h, &in6->sin6_addr, 8);
	else if (peer->has_ids)
		h = hash(h, &peer->uid, sizeof(peer->uid));
	return h ? h : 1;
}

static size_t bucket_of(uint64_t owner, uint64_t seed)
{
	return (owner ^ seed >> 32) * seed >> 40 & (RPC_SHARE_BUCKETS - 1);
}

uint32_t rpc_share_get(const struct rpc_share *share, uint64_t owner)
{
	uint32_t least = UINT32_MAX;

	for (int row = 0; row < RPC_SHARE_ROWS; row++) {
		size_t bucket = bucket_of(owner, share->seeds[row]);

		if (share->counts[row][bucket] < least)
			least = share->counts[row][bucket];
	}
	return least;
}

void rpc_share_add(struct rpc_share *share, uint64_t owner, int64_t n)
{
	for (int row = 0; row < RPC_SHARE_ROWS; row++)
		share->counts[row][bucket_of(owner, share->seeds[row])] +=
			(uint32_t)n;
}
