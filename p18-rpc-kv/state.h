/* state.h - the state machine: what all servers make of the same log.
 *
 * A sorted map of keys with value and revision (the index of the entry that
 * changed the key last), and the newest clients with their last answer, so that
 * a request is done once, however often it stands in the log (Raft, section 8;
 * thesis, section 6.3). Whatever comes out of a change follows from the entries
 * up to it and from nothing else: no clock, no option that may differ, no
 * address.
 *
 * Clients. A change with a sequence is of a client. The state keeps the last
 * sequence and its answer for the STATE_CLIENTS that were seen last. A client that
 * has to go leaves the index of its last entry in `forgotten`. A client that is
 * unknown here began at `since`, the revision that HELLO told it: all its entries
 * are behind that. With since >= forgotten none of them can have been dropped,
 * so it is new; otherwise nobody knows, and the answer is KV_FORGOTTEN.
 *
 * Threads. One thread changes the state, and it alone calls what takes a struct
 * state. A view is the state as of one entry, in O(1): the tree's nodes are never
 * changed while somebody else has them, but copied (a path of them for each
 * change). Any number of threads may read a view, at the same time, while the state
 * goes on; who has one that is not shared pays nothing. A view of clients
 * too (state_freeze) makes the next named change copy the table of clients, some
 * 100 us for 10,000 of them.
 *
 * Nothing here does I/O or blocks. -ENOMEM from state_apply() leaves the state
 * as it was; a server that cannot apply an entry that is committed ends. */
#ifndef UNIXIPC_P18_RPC_KV_STATE_H
#define UNIXIPC_P18_RPC_KV_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p18-rpc-kv/kv.h"

enum {
	STATE_CLIENTS = 10000,
	STATE_KEY_BYTES = 128, /* that each key counts for, besides */
	STATE_LIST_BYTES = 1
			   << 20, /* of one state_list(), but one pair always */
};

/* Keys and values, with STATE_KEY_BYTES for each. */
#define STATE_BYTES_MAX (UINT64_C(1) << 30)

/* They decide what a change does, so they are the same on all servers of a
 * cluster: the two above, but in tests. A snapshot with others is refused. */
struct state_limits {
	uint64_t bytes;   /* 0: STATE_BYTES_MAX */
	uint32_t clients; /* 0: STATE_CLIENTS; at most 1,000,000 */
};

struct state;
struct state_view;

/* -ENOMEM, -EINVAL. limits may be NULL. */
int state_new(struct state **state, const struct state_limits *limits);
void state_free(struct state *state); /* or NULL; views stay */

/* ---- changing ------------------------------------------------------------------ */

/* Carry out the entry at index, which is beyond all before. Sets status, revision
 * and number of *result and nothing else:
 *
 *	KV_DONE           revision: index; KV_INCR: number
 *	KV_NOT_FOUND      del
 *	KV_CONFLICT       revision: the key's, 0: there is no such key. A revision
 *	                  of 0 is what KV_CAS_REVISION finds where there is no key
 *	KV_TOO_LARGE      the state would be
 *	KV_INVALID        an empty key, a key or value too long, no such operation
 *	KV_SEQUENCE_PAST, KV_FORGOTTEN   see above
 *
 * A sequence that was the client's last one is answered as it was then. KV_NOTHING
 * changes nothing, and is KV_DONE.
 * -EINVAL: index is not beyond; -ENOMEM. */
int state_apply(struct state *state, uint64_t index, const kv_change *change,
		kv_write_result *result);

/* The same with the bytes of an entry (XDR). Bytes that are no kv_change are
 * KV_INVALID on every server. */
int state_apply_bytes(struct state *state, uint64_t index, const void *bytes,
		      size_t len, kv_write_result *result);

/* An entry that is of the servers alone. */
int state_skip(struct state *state, uint64_t index);

/* A reason to show with that answer, or "". */
const char *state_text(kv_operation operation, kv_status status);

struct state_count {
	uint64_t applied; /* index of the last entry */
	uint64_t keys;
	uint64_t bytes; /* of keys and values */
	uint64_t clients;
	uint64_t forgotten;
};
struct state_count state_count(const struct state *state);

/* ---- reading ------------------------------------------------------------------- */

/* Keys and values as of now; -ENOMEM. */
int state_view(struct state *state, struct state_view **view);
/* And clients: for state_encode() and state_hash(). */
int state_freeze(struct state *state, struct state_view **view);

/* One more that has it; one less (the last one frees it; NULL is allowed). Any
 * thread. */
struct state_view *state_hold(struct state_view *view);
void state_release(struct state_view *view);

uint64_t state_applied(const struct state_view *view);

/* Sets status (KV_DONE, KV_NOT_FOUND), value, revision and applied of *result;
 * xdr_free() frees the value. -ENOMEM. */
int state_get(const struct state_view *view, const kv_key *key,
	      kv_get_result *result);

/* Sets status, pairs, more and applied: from `from` on, up to before `to`, at most
 * `limit` pairs (0: KV_LIST_MAX) and STATE_LIST_BYTES. -ENOMEM, *result empty. */
int state_list(const struct state_view *view, const kv_list_args *args,
	       kv_list_result *result);

/* Of all keys, values, revisions and clients; not of `applied`, which entries
 * move that change nothing. A view of state_freeze(), or this is 0. */
uint64_t state_hash(const struct state_view *view);

/* ---- snapshots ----------------------------------------------------------------- */

/* Everything, in bytes that are the same on every server: little-endian, keys in
 * order, clients from the one that was seen first. put gets them piece by piece,
 * and its error ends this and is returned. -EINVAL: not a view of
 * state_freeze(). */
int state_encode(const struct state_view *view,
		 int (*put)(void *arg, const void *bytes, size_t len),
		 void *arg);

/* And back. get is to give up to len bytes, 0 at the end, or an error, which
 * ends this and is returned. Nothing is believed: order, lengths, sums,
 * revisions and sequences are checked before they are used, and memory is asked for
 * as the bytes come. -EBADMSG, *why says what is wrong; -EPROTONOSUPPORT:
 * another version, or other limits. */
int state_decode(struct state **state, const struct state_limits *limits,
		 ssize_t (*get)(void *arg, void *bytes, size_t len), void *arg,
		 const char **why);

#endif
