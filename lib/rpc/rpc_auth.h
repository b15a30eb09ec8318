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
#include "lib/rpc/rpc_message.h"

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

/* What becomes of a call that its flavor has verified. */
enum rpc_auth_verdict {
	RPC_AUTH_SERVE,    /* it is for a procedure */
	RPC_AUTH_ANSWERED, /* it was for the flavor: here are its results */
	RPC_AUTH_DROP,     /* no reply at all, as for a call seen before */
};

/* All that RPCSEC_GSS (RFC 2203) needs of a server is here: calls that set up
 * a context and are answered by the flavor, calls out of the window that are
 * dropped, arguments and results that are sealed, and a mechanism that may
 * have to ask somebody. Connections call at the same time. */
struct rpc_auth_flavor {
	uint32_t number; /* of the credential: AUTH_NONE, AUTH_SYS, … */
	const char *name;
	/* Who is calling? *who and *verf, the verifier of the reply, are all
	 * zero but who->flavor. Must not block unless may_block says so.
	 * Returns AUTH_OK, or what to deny the call with. */
	enum auth_stat (*verify)(void *state, const struct rpc_call *call,
				 const struct rpc_peer *peer,
				 struct rpc_identity *who,
				 struct rpc_verifier *verf);
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
	/* For flavors with calls of their own; NULL: all are for procedures.
	 * After verify, before the program is looked for. For
	 * RPC_AUTH_ANSWERED the results are the first *n bytes of results,
	 * and *verf may be another. */
	enum rpc_auth_verdict (*control)(void *state,
					 const struct rpc_call *call,
					 const struct rpc_identity *who,
					 struct rpc_verifier *verf,
					 struct rpc_buffer *results, size_t *n);
	/* The call is answered, denied or dropped: let go what verify has put
	 * into who->handle. NULL: nothing. */
	void (*release)(void *state, const struct rpc_identity *who);
	/* What unwrap takes off and wrap adds, at most. */
	size_t seal_bytes;
	/* Its functions may wait: an event loop then leaves its calls to a
	 * thread that may. */
	bool may_block;
};

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

#endif
