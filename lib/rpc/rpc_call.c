/* rpc_call.c - a cursor over bytes, and what is read with it. */
#include "lib/rpc/rpc_call.h"

#include <errno.h>
#include <string.h>

enum { RPC_VERSION = 2 };

uint32_t rpc_call_get32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 |
	       (uint32_t)from[2] << 8 | from[3];
}

uint8_t *rpc_call_put32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
	return to + 4;
}

/* ---- calls ---- */

struct cursor {
	const uint8_t *at, *end;
};

static int take32(struct cursor *cursor, uint32_t *value)
{
	if (cursor->end - cursor->at < 4)
		return -EBADMSG;
	*value = rpc_call_get32(cursor->at);
	cursor->at += 4;
	return 0;
}

static int take_opaque(struct cursor *cursor, struct rpc_opaque *opaque)
{
	uint32_t padded;

	if (take32(cursor, &opaque->flavor) || take32(cursor, &opaque->bytes) ||
	    opaque->bytes > RPC_CALL_AUTH_MAX)
		return -EBADMSG;
	padded = (opaque->bytes + 3) & ~3u;
	if (cursor->end - cursor->at < (ptrdiff_t)padded)
		return -EBADMSG;
	opaque->body = cursor->at;
	cursor->at += padded;
	return 0;
}

int rpc_call_parse(const uint8_t *message, size_t bytes, struct rpc_call *call)
{
	struct cursor cursor = {message, message + bytes};
	uint32_t direction;

	memset(call, 0, sizeof(*call));
	if (take32(&cursor, &call->xid) || take32(&cursor, &direction) ||
	    take32(&cursor, &call->rpc_version) || direction != CALL)
		return -EBADMSG;
	if (call->rpc_version != RPC_VERSION)
		return 0;
	if (take32(&cursor, &call->program) ||
	    take32(&cursor, &call->version) ||
	    take32(&cursor, &call->procedure) ||
	    take_opaque(&cursor, &call->cred))
		return -EBADMSG;
	call->header = message;
	call->header_bytes = (size_t)(cursor.at - message);
	if (take_opaque(&cursor, &call->verf))
		return -EBADMSG;
	call->args = cursor.at;
	call->args_bytes = (size_t)(cursor.end - cursor.at);
	return 0;
}

/* ---- replies ---- */

size_t rpc_call_accepted(uint8_t *reply, uint32_t xid,
			 const struct rpc_verifier *verf,
			 enum accept_stat status, uint32_t low, uint32_t high)
{
	uint32_t n = verf->bytes <= RPC_CALL_AUTH_MAX ? verf->bytes : 0;
	uint8_t *at = reply;

	at = rpc_call_put32(at, xid);
	at = rpc_call_put32(at, REPLY);
	at = rpc_call_put32(at, MSG_ACCEPTED);
	at = rpc_call_put32(at, verf->flavor);
	at = rpc_call_put32(at, n);
	memcpy(at, verf->body, n);
	at += n;
	for (; n % 4 != 0; n++)
		*at++ = 0;
	at = rpc_call_put32(at, status);
	if (status == PROG_MISMATCH) {
		at = rpc_call_put32(at, low);
		at = rpc_call_put32(at, high);
	}
	return (size_t)(at - reply);
}

size_t rpc_call_auth_error(uint8_t *reply, uint32_t xid, enum auth_stat why)
{
	uint8_t *at = reply;

	at = rpc_call_put32(at, xid);
	at = rpc_call_put32(at, REPLY);
	at = rpc_call_put32(at, MSG_DENIED);
	at = rpc_call_put32(at, AUTH_ERROR);
	at = rpc_call_put32(at, why);
	return (size_t)(at - reply);
}

size_t rpc_call_rpc_mismatch(uint8_t *reply, uint32_t xid)
{
	uint8_t *at = reply;

	at = rpc_call_put32(at, xid);
	at = rpc_call_put32(at, REPLY);
	at = rpc_call_put32(at, MSG_DENIED);
	at = rpc_call_put32(at, RPC_MISMATCH);
	at = rpc_call_put32(at, RPC_VERSION);
	at = rpc_call_put32(at, RPC_VERSION);
	return (size_t)(at - reply);
}
