/* authdh_server.h - AUTH_DH as a flavor of the server: who has a public key
 * here and can prove that the secret one is his, is who he says he is.
 *
 * A call is taken once. Within a conversation timestamps must increase; what
 * the table of conversations forgets, when it is full, leaves behind the
 * latest timestamp of its user, and no new conversation may begin before that
 * (or before the server was started: the server before it may have seen it).
 * So a copy of a call is refused for ever, whatever is forgotten. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_SERVER_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "p17-rpc-auth/authdh/keys.h"

struct authdh_server_options {
	const struct keys *publics;      /* of the clients; outlive it */
	const struct keys_entry *secret; /* the server's; copied */
	/* Zero takes the default in brackets. */
	size_t conversations;  /* [256] of all clients */
	uint32_t max_window_s; /* [300] a longer one of a client's is cut */
	/* Microseconds since 1970; threads call it. [CLOCK_REALTIME] */
	int64_t (*now_us)(void *arg);
	void *arg;
};

struct authdh_server; /* opaque */

/* Returns 0, -ENOMEM or -errno of getrandom(2). */
int authdh_server_open(struct authdh_server **server,
		       const struct authdh_server_options *options);
void authdh_server_close(struct authdh_server *server); /* NULL is allowed */

/* For rpc_dispatch; valid as long as the server. Its answers:
 *	AUTH_BADCRED	  no such name, or not by who has its secret key
 *	AUTH_REJECTEDCRED a nickname that is not known (any more): begin anew
 *	AUTH_BADVERF	  a verifier that is none, or not by who has the key
 *	AUTH_REJECTEDVERF a timestamp outside the window, or not a new one
 * An identity has a uid if its netname has; a gid it has not. */
const struct rpc_auth_flavor *authdh_server_flavor(
	const struct authdh_server *server);

/* How many conversations are known. */
size_t authdh_server_count(struct authdh_server *server);

#endif
