/* members.h - the servers of a cluster: of whom a majority must agree.
 *
 * A learner is sent the log, but is not counted, until it has enough of it.
 *
 * A list is data, without pointers; it is what an entry RAFT_MEMBERS of the log
 * holds, and what a snapshot must hold beside the state (raft.h). All functions
 * are pure. */
#ifndef UNIXIPC_P18_RPC_KV_RAFT_MEMBERS_H
#define UNIXIPC_P18_RPC_KV_RAFT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	MEMBERS_MAX = 9,
	MEMBERS_ADDRESS_MAX = 256, /* bytes, without the final zero */
	MEMBERS_BYTES_MAX = 4 + MEMBERS_MAX * (8 + 4 + 4 + MEMBERS_ADDRESS_MAX),
};

struct member {
	uint64_t id; /* never 0 */
	bool is_learner;
	char address[MEMBERS_ADDRESS_MAX + 1];
};

struct members {
	unsigned int n; /* 0: of no cluster yet */
	struct member member[MEMBERS_MAX];
};

/* The place of a server in the list, or -1. */
int members_find(const struct members *members, uint64_t id);

/* Whether both have the same servers, in the same order. */
bool members_are_same(const struct members *a, const struct members *b);

bool members_is_voter(const struct members *members, uint64_t id);

/* How many voters make a majority: 2 of 3, 3 of 4. */
unsigned int members_majority(const struct members *members);

/* Add a voter, or take a server away. -EEXIST, -ENOENT, -ENOSPC (there are
 * MEMBERS_MAX), -EINVAL (id 0, an address that is too long or empty, or no
 * voter would be left). */
int members_add(struct members *members, uint64_t id, const char *address);
int members_remove(struct members *members, uint64_t id);

/* As bytes, of which there are MEMBERS_BYTES_MAX at most: how many, and then of
 * each its id, 1 if it is a learner, the length of its address and the address;
 * numbers are big endian. Returns how many bytes. */
size_t members_encode(const struct members *members, void *bytes);

/* -EBADMSG, with *members unchanged: no such list, or two of one id. */
int members_decode(const void *bytes, size_t len, struct members *members);

#ifdef __cplusplus
}
#endif

#endif
