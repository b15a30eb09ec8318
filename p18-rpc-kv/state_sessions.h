/* state_sessions.h - sessions of the clients that were seen last: the last
 * request of each, and the response to it (thesis, section 6.3).
 *
 * A table with a hash chain to find a session, and a list by use, to know which
 * goes next. A table that is shared with a view is copied before it is changed:
 * state_sessions_own(). One thread changes a table; any may read, hold and
 * release it. */
#ifndef UNIXIPC_P18_RPC_KV_STATE_SESSIONS_H
#define UNIXIPC_P18_RPC_KV_STATE_SESSIONS_H

#include <stdint.h>

#include "p18-rpc-kv/kv.h"

struct state_response {
	kv_status status;
	uint64_t revision;
	int64_t number;
};

struct state_session {
	uint8_t name[KV_CLIENT_BYTES];
	uint64_t sequence; /* of the last request */
	uint64_t used;     /* index of the last entry */
	struct state_response response;
	uint32_t before, after; /* in the list by use */
	uint32_t chain;         /* the next with that hash */
};

struct state_sessions {
	uint32_t refs;
	uint32_t max, n;
	uint32_t oldest, newest;
	uint32_t n_chains; /* a power of two */
	uint32_t *chains;
	struct state_session *sessions;
};

/* Where a list or chain ends. */
#define STATE_SESSIONS_NONE UINT32_MAX

/* NULL: no memory. */
struct state_sessions *state_sessions_new(uint32_t max);
struct state_sessions *state_sessions_hold(struct state_sessions *sessions);
void state_sessions_release(struct state_sessions *sessions); /* or NULL */

/* Make *sessions one that nobody else has. -ENOMEM. */
int state_sessions_own(struct state_sessions **sessions);

/* NULL: not there. */
struct state_session *state_sessions_find(const struct state_sessions *sessions,
					  const void *name);

/* It was seen at that entry. */
void state_sessions_touch(struct state_sessions *sessions,
			  struct state_session *session, uint64_t index);

/* A new one, seen at that entry, all else 0. When the table was full, the one
 * that was seen first has gone, and *gone is when; else *gone stays. */
struct state_session *state_sessions_add(struct state_sessions *sessions,
					 const void *name, uint64_t index,
					 uint64_t *gone);

/* From the one that was seen first: NULL begins, and ends. */
const struct state_session *state_sessions_next(
	const struct state_sessions *sessions,
	const struct state_session *session);

#endif
