/* rpc_message.c - one cursor for both directions: each word of a header is
 * passed by the same function, which reads or writes it. So what is encoded
 * cannot differ from what is decoded, and the order of the words stands here
 * once. */
#include "lib/rpc/rpc_message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

uint32_t rpc_message_get32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 |
	       (uint32_t)from[2] << 8 | from[3];
}

uint8_t *rpc_message_put32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
	return to + 4;
}

struct rpc_opaque rpc_message_opaque(const struct rpc_verifier *verifier)
{
	return (struct rpc_opaque){verifier->flavor, verifier->bytes,
				   verifier->body};
}

/* ---- words ---- */

/* Where the next word lies: to, if it is written, or from. */
struct cursor {
	bool is_writing;
	const uint8_t *from;
	uint8_t *to;
	size_t left;
};

static int pass32(struct cursor *cursor, uint32_t *value)
{
	if (cursor->left < RPC_MESSAGE_WORD)
		return cursor->is_writing ? -EMSGSIZE : -EBADMSG;
	cursor->left -= RPC_MESSAGE_WORD;
	if (cursor->is_writing) {
		cursor->to = rpc_message_put32(cursor->to, *value);
	} else {
		*value = rpc_message_get32(cursor->from);
		cursor->from += RPC_MESSAGE_WORD;
	}
	return 0;
}

/* n words. */
static int pass_words(struct cursor *cursor, uint32_t *const *words, size_t n)
{
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = pass32(cursor, words[i]);
	return error;
}

static int pass_opaque(struct cursor *cursor, struct rpc_opaque *opaque)
{
	uint32_t *const words[] = {&opaque->flavor, &opaque->bytes};
	uint32_t padded;
	int error = pass_words(cursor, words, 2);

	if (error)
		return error;
	if (opaque->bytes > RPC_MESSAGE_AUTH_MAX)
		return cursor->is_writing ? -EINVAL : -EBADMSG;
	padded = (opaque->bytes + 3) & ~3u;
	if (cursor->left < padded)
		return cursor->is_writing ? -EMSGSIZE : -EBADMSG;
	cursor->left -= padded;
	if (!cursor->is_writing) {
		opaque->body = cursor->from;
		cursor->from += padded;
		return 0;
	}
	memset(cursor->to, 0, padded);
	if (opaque->bytes)
		memcpy(cursor->to, opaque->body, opaque->bytes);
	cursor->to += padded;
	return 0;
}

/* ---- headers ---- */

static int pass_direction(struct cursor *cursor, uint32_t *xid,
			  uint32_t direction)
{
	uint32_t is = direction, *const words[] = {xid, &is};
	int error = pass_words(cursor, words, 2);

	return !error && is != direction ? -EBADMSG : error;
}

/* Of another version nobody knows what comes behind it. */
static int pass_call(struct cursor *cursor, struct rpc_call *call)
{
	uint32_t *const words[] = {&call->program, &call->version,
				   &call->procedure};
	int error = pass_direction(cursor, &call->xid, CALL);

	if (!error)
		error = pass32(cursor, &call->rpc_version);
	if (error || call->rpc_version != RPC_MESSAGE_VERSION)
		return error;
	error = pass_words(cursor, words, 3);
	if (!error)
		error = pass_opaque(cursor, &call->cred);
	/* For who decodes. */
	call->header_bytes = cursor->left;
	return error ? error : pass_opaque(cursor, &call->verf);
}

static int pass_accepted(struct cursor *cursor, struct rpc_reply *reply)
{
	uint32_t *const range[] = {&reply->low, &reply->high};
	int error = pass_opaque(cursor, &reply->verf);

	if (!error)
		error = pass32(cursor, &reply->status);
	if (!error && reply->status == PROG_MISMATCH)
		error = pass_words(cursor, range, 2);
	return error;
}

static int pass_denied(struct cursor *cursor, struct rpc_reply *reply)
{
	uint32_t *const range[] = {&reply->low, &reply->high};
	int error = pass32(cursor, &reply->status);

	if (!error && reply->status == RPC_MISMATCH)
		error = pass_words(cursor, range, 2);
	if (!error && reply->status == AUTH_ERROR)
		error = pass32(cursor, &reply->why);
	return error;
}

static int pass_reply(struct cursor *cursor, struct rpc_reply *reply)
{
	int error = pass_direction(cursor, &reply->xid, REPLY);

	if (!error)
		error = pass32(cursor, &reply->stat);
	if (!error && reply->stat == MSG_ACCEPTED)
		error = pass_accepted(cursor, reply);
	if (!error && reply->stat == MSG_DENIED)
		error = pass_denied(cursor, reply);
	return error;
}

/* ---- both ways ---- */

int rpc_message_decode_call(const uint8_t *message, size_t bytes,
			    struct rpc_call *call)
{
	struct cursor cursor = {.from = message, .left = bytes};
	int error;

	memset(call, 0, sizeof(*call));
	error = pass_call(&cursor, call);
	if (error || call->rpc_version != RPC_MESSAGE_VERSION)
		return error;
	call->header = message;
	call->header_bytes = bytes - call->header_bytes;
	call->args = cursor.from;
	call->args_bytes = cursor.left;
	return 0;
}

int rpc_message_decode_reply(const uint8_t *message, size_t bytes,
			     struct rpc_reply *reply)
{
	struct cursor cursor = {.from = message, .left = bytes};
	int error;

	memset(reply, 0, sizeof(*reply));
	error = pass_reply(&cursor, reply);
	if (!error && reply->stat == MSG_ACCEPTED && reply->status == SUCCESS) {
		reply->results = cursor.from;
		reply->results_bytes = cursor.left;
	}
	return error;
}

ssize_t rpc_message_encode_call(uint8_t *to, size_t room,
				const struct rpc_call *call)
{
	struct cursor cursor = {true, NULL, to, room};
	struct rpc_call copy = *call;
	int error = pass_call(&cursor, &copy);

	return error ? error : (ssize_t)(room - cursor.left);
}

ssize_t rpc_message_encode_reply(uint8_t *to, size_t room,
				 const struct rpc_reply *reply)
{
	struct cursor cursor = {true, NULL, to, room};
	struct rpc_reply copy = *reply;
	int error = pass_reply(&cursor, &copy);

	return error ? error : (ssize_t)(room - cursor.left);
}

ssize_t rpc_message_encode_opaque(uint8_t *to, size_t room,
				  const struct rpc_opaque *opaque)
{
	struct cursor cursor = {true, NULL, to, room};
	struct rpc_opaque copy = *opaque;
	int error = pass_opaque(&cursor, &copy);

	return error ? error : (ssize_t)(room - cursor.left);
}
