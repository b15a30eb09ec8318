/* state_clients.h - the clients that were seen last, each with its last request
 * and what was answered (thesis, section 6.3).
 *
 * A table with a hash chain to find one, and a list by use, to know who goes next.
 * A table that somebody else has, too, is copied before it is changed:
 * state_clients_own(). One thread changes one; any may read, hold and release
 * it. */
#ifndef UNIXIPC_P18_RPC_KV_STATE_CLIENTS_H
#define UNIXIPC_P18_RPC_KV_STATE_CLIENTS_H

#include <stdint.h>

#include "p18-rpc-kv/kv.h"

struct state_answer {
	kv_status status;
	uint64_t revision;
	int64_t number;
};

struct state_client {
	uint8_t name[KV_CLIENT_BYTES];
	uint64_t sequence; /* of the last request */
	uint64_t used;     /* index of the last entry */
	struct state_answer answer;
	uint32_t before, after; /* in the list by use */
	uint32_t chain;         /* the next with that hash */
};

struct state_clients {
	uint32_t refs;
	uint32_t max, n;
	uint32_t oldest, newest;
	uint32_t n_chains; /* a power of two */
	uint32_t *chains;
	struct state_client *clients;
};

/* Where a list or chain ends. */
#define STATE_CLIENTS_NONE UINT32_MAX

/* NULL: no memory. */
struct state_clients *state_clients_new(uint32_t max);
struct state_clients *state_clients_hold(struct state_clients *clients);
void state_clients_release(struct state_clients *clients); /* or NULL */

/* Make *clients one that nobody else has. -ENOMEM. */
int state_clients_own(struct state_clients **clients);

/* NULL: not there. */
struct state_client *state_clients_find(const struct state_clients *clients,
					const void *name);

/* It was seen at that entry. */
void state_clients_touch(struct state_clients *clients,
			 struct state_client *client, uint64_t index);

/* A new one, seen at that entry, all else 0. When the table was full, the one
 * that was seen first has gone, and *gone is when; else *gone stays. */
struct state_client *state_clients_add(struct state_clients *clients,
				       const void *name, uint64_t index,
				       uint64_t *gone);

/* From the one that was seen first: NULL begins, and ends. */
const struct state_client *state_clients_next(
	const struct state_clients *clients, const struct state_client *client);

#endif
