/* rpc_auth.h - who is calling: a flavor of authentication is one file behind
 * one interface.
 *
 * A flavor turns the credential and verifier of a call, and what is known of
 * the connection, into an identity, or into the auth_stat that denies the
 * call. What an identity may do is another question, which the authorise hook
 * of rpc_dispatch.h answers. AUTH_NONE and AUTH_SYS are here. */
#ifndef UNIXIPC_LIB_RPC_RPC_AUTH_H
#define UNIXIPC_LIB_RPC_RPC_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "lib/rpc/rpc_buffer.h"
#include "lib/rpc/rpc_fault.h"
#include "lib/rpc/rpc_message.h"

#ifdef __cplusplus
extern "C" {
#endif

enum rpc_transport { RPC_TCP, RPC_UDP, RPC_UNIX };
enum { RPC_TRANSPORTS = 3 };

/* The facts about where a call came from, which the caller cannot choose. */
struct rpc_peer {
	enum rpc_transport transport;
	struct sockaddr_storage address; /* of the other end */
	socklen_t address_bytes;
	/* RPC_UNIX: what the kernel says about the process that connected
	 * (SO_PEERCRED); elsewhere false. */
	bool has_ids;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	/* The state of the layer that its bytes go through, which may know
	 * more of who is there; NULL: none. */
	void *layer;
};

enum { RPC_AUTH_GIDS = 16, RPC_AUTH_NAME = 256 };

/* What the credential says, as far as its flavor believes it. */
struct rpc_identity {
	uint32_t flavor;
	/* A flavor without uids, such as AUTH_NONE, leaves has_uid false. */
	bool has_uid;
	uint32_t uid, gid;
	uint32_t gids[RPC_AUTH_GIDS];
	size_t n_gids;
	/* AUTH_SYS: the name of its machine; AUTH_DH: its netname. Printable:
	 * other bytes have become '?'. */
	char name[RPC_AUTH_NAME];
	/* The identity has been proved and not just said (AUTH_DH, or by the
	 * kernel). AUTH_SYS alone never has. */
	bool is_proved;
	uintptr_t handle; /* for the flavor, between its own functions */
};

/* What verify may say besides an auth_stat: there is no reply to this call, as
 * RPCSEC_GSS wants it for a sequence number that has been there. */
#define RPC_AUTH_DROP ((enum auth_stat) - 1)

/* The server's half. All that RPCSEC_GSS (RFC 2203) needs of it is here: calls
 * that set up a context and are answered by the flavor, calls out of the window
 * that are dropped, arguments and results that are sealed, and a mechanism that
 * may have to ask somebody. Connections call at the same time. */
struct rpc_auth_flavor {
	uint32_t number; /* of the credential: AUTH_NONE, AUTH_SYS, … */
	const char *name;
	/* Who is calling? *who and *verf, the verifier of the reply, are all
	 * zero but who->flavor. Must not block unless may_block says so.
	 * Returns AUTH_OK, RPC_AUTH_DROP, or what to deny the call with. */
	enum auth_stat (*verify)(void *state, const struct rpc_call *call,
				 const struct rpc_peer *peer,
				 struct rpc_identity *who,
				 struct rpc_verifier *verf);
	/* For flavors whose credential says that the call is not for the
	 * program but for them (RPCSEC_GSS makes and ends a context so), after
	 * verify has returned AUTH_OK. Put results into reply from offset on,
	 * and return how many bytes they are; -EAGAIN when the call is for the
	 * program; or another -errno (SYSTEM_ERR). They are not wrapped.
	 * NULL: all calls are for the program. */
	ssize_t (*answer)(void *state, const struct rpc_call *call,
			  const struct rpc_identity *who,
			  struct rpc_buffer *reply, size_t offset);
	/* For flavors that sign or seal arguments and results; NULL: they go
	 * as they are. *bytes and *n are replaced by what was inside, which
	 * must stay valid until the call is answered: in the message itself,
	 * or in scratch. 0 or -EBADMSG (GARBAGE_ARGS). */
	int (*unwrap)(void *state, const struct rpc_identity *who,
		      const uint8_t **bytes, size_t *n,
		      struct rpc_buffer *scratch);
	/* The results are the n bytes from offset on in reply; returns how
	 * many they are now, or -errno (SYSTEM_ERR). */
	ssize_t (*wrap)(void *state, const struct rpc_identity *who,
			struct rpc_buffer *reply, size_t offset, size_t n);
	void *state; /* the flavor's own; outlives the server */
	/* The call is answered, denied or dropped: let go what verify has put
	 * into who->handle. NULL: nothing. */
	void (*release)(void *state, const struct rpc_identity *who);
	/* What unwrap takes off and wrap adds, at most. */
	size_t seal_bytes;
	/* Its functions may wait: an event loop then leaves its calls to a
	 * thread that may. */
	bool may_block;
};

/* ---- the client's half ---- */

struct rpc_client;

/* How a client says who it is. One client, one thread; many calls may be in
 * flight, and the replies come in any order: what a flavor has to remember of a
 * call (a time, a sequence number) it puts into the call's token. */
struct rpc_auth_client {
	uint32_t number;
	const char *name;
	/* Before each call: make the calls that have to come first, by
	 * rpc_client_call(), whose deadline is then that of the call. They pass
	 * through seal and the others as any, but not through prepare. Returns
	 * 0, or the kind of *fault: the call is not made. NULL: none. */
	enum rpc_fault_kind (*prepare)(void *state, struct rpc_client *client,
				       struct rpc_fault *fault);
	/* Message holds a call's header up to the procedure, n bytes of it:
	 * append credential and verifier (rpc_message_encode_opaque()). What
	 * the verifier signs lies before it. Returns the bytes that it has
	 * become, -EMSGSIZE when room is too little (it is then called again
	 * with more), or another -errno: the call fails. A call that is sent
	 * over a new connection is sealed again. */
	ssize_t (*seal)(void *state, uint64_t *token, uint8_t *message,
			size_t n, size_t room);
	/* Encode the arguments, signed or encrypted. The stream is a piece of
	 * memory (xdrmem_create(3)); false when it has no room, or something
	 * else failed. NULL: they go as they are. */
	bool (*wrap)(void *state, uint64_t token, XDR *xdrs, xdrproc_t xdr_args,
		     void *args);
	/* Whether the reply's verifier is the server's. NULL: it always is. */
	bool (*validate)(void *state, uint64_t token,
			 const struct rpc_opaque *verf);
	/* Decode the results. NULL: they are as they are. */
	bool (*unwrap)(void *state, uint64_t token, XDR *xdrs,
		       xdrproc_t xdr_result, void *result);
	/* A call was denied: whether it is worth another try, with a
	 * credential that is made anew (after prepare). Asked once for a call;
	 * of many in flight some may be denied for what the first of them has
	 * mended already, as their tokens tell. NULL: it is not. */
	bool (*refresh)(void *state, uint64_t token, enum auth_stat why);
	void (*destroy)(void *state); /* NULL: nothing is to be done */
	void *state;
};

/* ---- flavors that are here ---- */

/* AUTH_NONE: everybody, and nobody in particular. */
extern const struct rpc_auth_flavor rpc_auth_none;

/* AUTH_SYS (RFC 5531 appendix A): what the caller says it is. AUTH_BADCRED
 * when it is not of that form; the verifier must be AUTH_NONE's
 * (AUTH_BADVERF). Does not compare anything with the peer. */
extern const struct rpc_auth_flavor rpc_auth_sys;

/* The credential as AUTH_SYS; for flavors that build on it. Returns 0 or
 * -EBADMSG. */
int rpc_auth_parse_sys(const struct rpc_opaque *cred, struct rpc_identity *who);

/* "AUTH_NONE", "AUTH_SYS", "AUTH_DH", "RPCSEC_GSS", or "flavor". */
const char *rpc_auth_flavor_name(uint32_t flavor);

/* "tcp", "udp", "unix". */
const char *rpc_auth_transport_name(enum rpc_transport transport);

#ifdef __cplusplus
}
#endif

#endif
