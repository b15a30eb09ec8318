/* rpc_share.c - FNV-1a for names, a multiplication with a secret for buckets. */
#include "lib/rpc/rpc_share.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "lib/tick.h"

void rpc_share_init(struct rpc_share *share)
{
	memset(share, 0, sizeof(*share));
	if (getrandom(&share->seed, sizeof(share->seed), GRND_NONBLOCK) !=
	    sizeof(share->seed))
		share->seed = (uint64_t)tick_now();
	share->seed |= 1;
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

uint32_t *rpc_share_count(struct rpc_share *share, uint64_t owner)
{
	uint64_t h = (owner ^ share->seed >> 32) * share->seed;

	return &share->counts[h >> 40 & (RPC_SHARE_BUCKETS - 1)];
}
