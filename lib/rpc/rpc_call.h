/* rpc_call.h - the header of a call, and those of replies, as bytes.
 * RFC 5531 section 9; all numbers are big-endian, four bytes each.
 *
 * Parsing copies nothing: a parsed call points into the message. All
 * functions may be called by any thread. */
#ifndef UNIXIPC_LIB_RPC_RPC_CALL_H
#define UNIXIPC_LIB_RPC_RPC_CALL_H

#include <rpc/rpc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RPC_CALL_AUTH_MAX = 400, /* bytes of a credential or a verifier */
	/* What a call's header takes at most, with both of them. */
	RPC_CALL_HEADER_MAX = 40 + 2 * RPC_CALL_AUTH_MAX,
	/* What a reply's header takes at most, verifier included. */
	RPC_CALL_REPLY_MAX = 32 + RPC_CALL_AUTH_MAX,
};

/* A credential or verifier as it lies in a message. */
struct rpc_opaque {
	uint32_t flavor;
	uint32_t bytes; /* RPC_CALL_AUTH_MAX at most */
	const uint8_t *body;
};

/* One to be sent. All zero is AUTH_NONE. */
struct rpc_verifier {
	uint32_t flavor;
	uint32_t bytes;
	uint8_t body[RPC_CALL_AUTH_MAX];
};

struct rpc_call {
	uint32_t xid;
	uint32_t rpc_version; /* not checked: 2 is the only one there is */
	uint32_t program, version, procedure;
	struct rpc_opaque cred, verf;
	/* All before the verifier, which is what RPCSEC_GSS signs. */
	const uint8_t *header;
	size_t header_bytes;
	const uint8_t *args; /* to the end of the message */
	size_t args_bytes;
};

/* Returns 0, or -EBADMSG for what is no call or ends too early: no answer is
 * possible, or none is deserved. A call of another rpc_version has nothing
 * after that field filled in. */
int rpc_call_parse(const uint8_t *message, size_t bytes, struct rpc_call *call);

/* Each writes the header of a reply to reply, which has room for
 * RPC_CALL_REPLY_MAX, and returns its bytes. After rpc_call_accepted() with
 * SUCCESS come the results; low and high are sent with PROG_MISMATCH only. */
size_t rpc_call_accepted(uint8_t *reply, uint32_t xid,
			 const struct rpc_verifier *verf,
			 enum accept_stat status, uint32_t low, uint32_t high);
size_t rpc_call_auth_error(uint8_t *reply, uint32_t xid, enum auth_stat why);
size_t rpc_call_rpc_mismatch(uint8_t *reply, uint32_t xid);

/* Four bytes, big-endian. */
uint32_t rpc_call_get32(const uint8_t *from);
uint8_t *rpc_call_put32(uint8_t *to, uint32_t value); /* the byte after */

#endif
