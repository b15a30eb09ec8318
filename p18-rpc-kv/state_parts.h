/* state_parts.h - what a state and a view consist of, for the files that make
 * them: state.c changes it, state_view.c reads it, state_snapshot.c takes it
 * to bytes and back. */
#ifndef UNIXIPC_P18_RPC_KV_STATE_PARTS_H
#define UNIXIPC_P18_RPC_KV_STATE_PARTS_H

#include "p18-rpc-kv/state.h"
#include "p18-rpc-kv/state_sessions.h"
#include "p18-rpc-kv/state_map.h"

struct state {
	struct state_limits limits;
	struct state_map map;
	struct state_sessions *sessions;
	struct state_count count; /* but clients */
	/* Where the bytes of a change are decoded to: no memory is asked for, so
	 * bytes that are no change can be told from none left. */
	char key[KV_KEY_MAX], value[KV_VALUE_MAX], expected[KV_VALUE_MAX];
};

struct state_view {
	uint32_t refs;
	struct state_limits limits;
	struct state_node *root;
	struct state_sessions *sessions; /* NULL: not wanted */
	struct state_count count;
};

/* Whether a state with that many keys and bytes may be. */
static inline int state_has_room(const struct state_limits *limits,
				 uint64_t keys, uint64_t bytes)
{
	return bytes <= limits->bytes &&
	       keys <= (limits->bytes - bytes) / STATE_KEY_BYTES;
}

#endif
