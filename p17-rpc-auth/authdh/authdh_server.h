/* authdh_server.h - AUTH_DH as a flavor of the server: a caller is the user of
 * a netname when he proves that he has the secret key to its public key here.
 *
 * A call is taken once. Within a conversation timestamps must increase; what
 * the table of conversations forgets, when it is full, leaves behind the
 * latest timestamp of its user, and no new conversation of his may begin before
 * that. In a file (floor.h) that outlives the server stands when the latest of
 * each user began. So a replayed call is refused for ever, whatever is
 * forgotten, also by the next server with this key and this file, and however
 * clocks are set. (A server elsewhere with the same key knows nothing of it.)
 *
 * Clocks: a timestamp is taken up to window seconds before and behind the
 * server's time, so that the clocks of both may be that far apart. A client
 * whose clock is further away is refused. So is, until its clock has caught up,
 * a client whose clock was set back, or a second machine of the same user whose
 * clock is behind the first's, once the server has forgotten the conversation
 * or was started again. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_SERVER_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "p17-rpc-auth/authdh/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

struct authdh_server_options {
	const struct keys *publics;      /* of the clients; outlive it */
	const struct keys_entry *secret; /* the server's; copied */
	/* Zero takes the default in brackets. */
	/* The file of floor.h, written once for each conversation. One server at
	 * a time has it. [none: for a server that makes a new secret at each
	 * start] */
	const char *floors_path;
	size_t conversations;  /* [256] of all clients */
	uint32_t max_window_s; /* [300] a longer one of a client's is cut */
	/* Microseconds since 1970; threads call it. [CLOCK_REALTIME] */
	int64_t (*now_us)(void *arg);
	void *arg;
};

struct authdh_server; /* opaque */

/* Returns 0, -ENOMEM, -errno of getrandom(2), or as floor_open(). */
int authdh_server_open(struct authdh_server **server,
		       const struct authdh_server_options *options);
void authdh_server_close(struct authdh_server *server); /* NULL is allowed */

/* For rpc_dispatch; valid as long as the server. Its answers:
 *	AUTH_BADCRED	  no such name, or not made with its secret key
 *	AUTH_REJECTEDCRED a nickname that is not known (any more): begin anew
 *	AUTH_BADVERF	  a verifier that is none, or not made with the key
 *	AUTH_REJECTEDVERF a timestamp outside the window, or not a new one
 *	AUTH_FAILED	  it could not be noted, so that it is not served
 * An identity has a uid if its netname has; a gid it has not. */
const struct rpc_auth_flavor *authdh_server_flavor(
	const struct authdh_server *server);

/* How many conversations are known. */
size_t authdh_server_count(struct authdh_server *server);

#ifdef __cplusplus
}
#endif

#endif
