/* authdh_client.h - AUTH_DH as an AUTH of the client, for
 * rpc_client_set_auth() or a CLIENT's cl_auth.
 *
 * The first call goes with the full name, those after it with the nickname
 * that the server has given, and each has a timestamp of its own, also when
 * the clock stands still or goes back. The verifier of each reply is checked:
 * nobody answers without the server's secret key. When the server
 * denies a call with a nickname, it is tried once more with the full name.
 *
 * One thread at a time, as its client. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_CLIENT_H
#define UNIXIPC_P17_RPC_AUTH_AUTHDH_AUTHDH_CLIENT_H

#include <rpc/rpc.h>
#include <stdint.h>

#include "p17-rpc-auth/authdh/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

struct authdh_client_options {
	const struct keys_entry *secret; /* ours, with our name */
	const struct keys_entry *server; /* its public key */
	uint32_t window_s; /* how long a call is valid; 0: 60 seconds */
	/* Microseconds since 1970. NULL: CLOCK_REALTIME */
	int64_t (*now_us)(void *arg);
	void *arg;
};

/* Nothing in options is needed afterwards, but now_us. Returns 0 and *auth,
 * to be freed by auth_destroy(), -EBADMSG for a public key that is no good,
 * -ENOMEM, or -errno of getrandom(2). */
int authdh_client_create(AUTH **auth,
			 const struct authdh_client_options *options);

/* How many calls went with the full name: for tests. */
unsigned int authdh_client_fullnames(const AUTH *auth);

#ifdef __cplusplus
}
#endif

#endif
