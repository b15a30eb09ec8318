/* rpc_message.h - calls and replies as bytes: one wire format, both ways.
 *
 * RFC 5531 section 9; all numbers are big-endian, four bytes each. What is
 * decoded points into the message and copies nothing; what is encoded is the
 * header alone, behind which the caller puts arguments or results. Clients
 * encode calls and decode replies, servers the other way round.
 *
 * Whether a message is one that can be read is decided here, and nothing else:
 * a status that the RFC does not know is passed on as the number that it is.
 * All functions may be called by any thread, and none blocks or allocates. */
#ifndef UNIXIPC_LIB_RPC_RPC_MESSAGE_H
#define UNIXIPC_LIB_RPC_RPC_MESSAGE_H

#include <rpc/rpc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	RPC_MESSAGE_VERSION = 2,    /* of RPC itself */
	RPC_MESSAGE_AUTH_MAX = 400, /* bytes of a credential or a verifier */
	RPC_MESSAGE_WORD = 4,       /* bytes */
	/* What a header takes at most, credential and verifier included. */
	RPC_MESSAGE_CALL_MAX = 40 + 2 * RPC_MESSAGE_AUTH_MAX,
	RPC_MESSAGE_REPLY_MAX = 32 + RPC_MESSAGE_AUTH_MAX,
};

/* A credential or verifier as it lies in a message. All zero is AUTH_NONE. */
struct rpc_opaque {
	uint32_t flavor;
	uint32_t bytes; /* RPC_MESSAGE_AUTH_MAX at most */
	const uint8_t *body;
};

/* One to be sent, with its own bytes. All zero is AUTH_NONE. */
struct rpc_verifier {
	uint32_t flavor;
	uint32_t bytes;
	uint8_t body[RPC_MESSAGE_AUTH_MAX];
};

struct rpc_call {
	uint32_t xid;
	uint32_t rpc_version; /* RPC_MESSAGE_VERSION is the only one there is */
	uint32_t program, version, procedure;
	struct rpc_opaque cred, verf;
	/* All before the verifier, which is what RPCSEC_GSS signs. */
	const uint8_t *header;
	size_t header_bytes;
	const uint8_t *args; /* to the end of the message */
	size_t args_bytes;
};

struct rpc_reply {
	uint32_t xid;
	uint32_t stat;          /* MSG_ACCEPTED, MSG_DENIED, or unknown */
	uint32_t status;        /* enum accept_stat or reject_stat */
	struct rpc_opaque verf; /* MSG_ACCEPTED */
	uint32_t why;           /* AUTH_ERROR: enum auth_stat */
	uint32_t low, high;     /* PROG_MISMATCH, RPC_MISMATCH */
	const uint8_t *results; /* SUCCESS: to the end of the message */
	size_t results_bytes;
};

/* Returns 0, or -EBADMSG for what is no call or ends too early: no answer is
 * possible, or none is deserved. A call of another rpc_version has nothing
 * after that field filled in. */
int rpc_message_decode_call(const uint8_t *message, size_t bytes,
			    struct rpc_call *call);

/* Returns 0, or -EBADMSG for what is no reply or ends too early. Of an unknown
 * stat or status nothing after that field is filled in. */
int rpc_message_decode_reply(const uint8_t *message, size_t bytes,
			     struct rpc_reply *reply);

/* The header of a call, up to its arguments: xid, rpc_version, program,
 * version, procedure, cred and verf are used. Returns its bytes, -EMSGSIZE when
 * room is too little, or -EINVAL for a credential or verifier of more than
 * RPC_MESSAGE_AUTH_MAX bytes. */
ssize_t rpc_message_encode_call(uint8_t *to, size_t room,
				const struct rpc_call *call);

/* The header of a reply, up to its results. Returns as above. */
ssize_t rpc_message_encode_reply(uint8_t *to, size_t room,
				 const struct rpc_reply *reply);

/* A credential or verifier alone, as it stands in both headers. Returns as
 * above. */
ssize_t rpc_message_encode_opaque(uint8_t *to, size_t room,
				  const struct rpc_opaque *opaque);

/* As one that lies in a message; valid as long as *verifier. */
struct rpc_opaque rpc_message_opaque(const struct rpc_verifier *verifier);

/* Four bytes, big-endian. */
uint32_t rpc_message_get32(const uint8_t *from);
uint8_t *rpc_message_put32(uint8_t *to, uint32_t value); /* the byte after */

#ifdef __cplusplus
}
#endif

#endif
