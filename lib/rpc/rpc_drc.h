/* rpc_drc.h - the duplicate request cache: replies that are kept, so that a
 * repeated call is answered again and not done again (Juszczak 1989).
 *
 * A key names a call: for datagrams the server makes it of address, xid,
 * program, version, procedure and a hash of the message; an application that
 * wants at-most-once across connections makes it of the request id in its
 * arguments. A call is begun, and then finished with its reply or abandoned.
 * Where the room is used up, the reply that was asked for longest ago is
 * forgotten, and with it the promise: a caller who repeats that late, or with
 * so many others in between, is served twice. A restart forgets all.
 *
 * Nobody can make the replies of others be forgotten: a call has an owner
 * (rpc_share.h), who keeps no more of entries and bytes than are free besides,
 * and loses the oldest of its own for more. So one owner has half of the room,
 * two a third each, and there is always some for the next.
 *
 * Any thread may call any of these; they hold one lock and never block
 * otherwise. */
#ifndef UNIXIPC_LIB_RPC_RPC_DRC_H
#define UNIXIPC_LIB_RPC_RPC_DRC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RPC_DRC_KEY = 64 }; /* bytes of a key at most */

enum rpc_drc_answer {
	RPC_DRC_NEW,         /* do it, then finish or abandon */
	RPC_DRC_IN_PROGRESS, /* another thread is at it: no answer yet */
	RPC_DRC_KNOWN,       /* here is the reply */
};

struct rpc_drc; /* opaque */

/* Keep up to max_entries, of max_bytes in all. Returns 0, -EINVAL or
 * -ENOMEM. */
int rpc_drc_open(struct rpc_drc **out, size_t max_entries, size_t max_bytes);
void rpc_drc_close(struct rpc_drc *cache); /* NULL is allowed */

/* owner: who calls; 0: nobody, without a share. Returns an rpc_drc_answer.
 * RPC_DRC_KNOWN copies the reply to buf and its length to *bytes, or gives
 * -EMSGSIZE when size is too small. -ENOBUFS when every entry is in progress,
 * -EINVAL for a key that is empty or too long. */
int rpc_drc_begin(struct rpc_drc *cache, uint64_t owner, const void *key,
		  size_t key_bytes, void *buf, size_t size, size_t *bytes);

/* Keep the reply of a call that was begun. Returns 0, or -ENOMEM or -EMSGSIZE
 * when it cannot be kept: the call is then forgotten. */
int rpc_drc_finish(struct rpc_drc *cache, const void *key, size_t key_bytes,
		   const void *reply, size_t bytes);

/* It was not done: the next one with this key is new. */
void rpc_drc_abandon(struct rpc_drc *cache, const void *key, size_t key_bytes);

/* How many are kept or in progress now, and their bytes. */
size_t rpc_drc_count(struct rpc_drc *cache, size_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
