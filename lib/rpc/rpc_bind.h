/* rpc_bind.h - tell rpcbind where a program is served, and take it back.
 *
 * RFC 1833. Setting goes over rpcbind's Unix socket, where it knows who is
 * asking, and lets nobody else remove what we have set. What a killed server
 * left is found by calling it: nobody answers. All wait until the deadline at
 * most. One thread at a time for a service.
 *
 * An address is one of rpcbind's network namespace. In another one we can call
 * nobody there, so that what is registered counts as living, and is kept; a
 * path of a Unix socket is looked for in our own mount namespace. */
#ifndef UNIXIPC_LIB_RPC_RPC_BIND_H
#define UNIXIPC_LIB_RPC_RPC_BIND_H

#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_dispatch.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RPC_BIND_SOCKET "/run/rpcbind.sock"

struct rpc_bind_service {
	const struct rpc_program *programs; /* all versions of all programs */
	size_t n_programs;
	const char *host;            /* address it listens on; NULL: all */
	uint16_t tcp_port, udp_port; /* 0: not served */
	const char *unix_path;       /* NULL: not served */
	const char *rpcbind_path;    /* NULL: RPC_BIND_SOCKET */
};

/* Register everything, replacing what a dead server left. All or nothing.
 * Returns 0 or
 *	-ECONNREFUSED, -ENOENT	rpcbind does not run
 *	-EPROTONOSUPPORT	rpcbind listens on neither TCP nor UDP, where
 *			we do: it could tell nobody our ports
 *	-EADDRINUSE	a live server has registered the same program; one of
 *			the other family, IPv4 or IPv6, is left beside us
 *	-EXDEV		there is a registration, and rpcbind is in another
 *			network namespace than we, or we cannot see where
 *			(/proc/net/unix): whether it lives cannot be judged
 *	-EPERM		another user's registration is in the way
 *	-ETIMEDOUT, -EINTR, -EPROTO (rpcbind said something else), … */
int rpc_bind_set(const struct rpc_bind_service *service, int64_t deadline);

/* Take back what is still ours: another server may have registered since.
 * Returns as above. */
int rpc_bind_unset(const struct rpc_bind_service *service, int64_t deadline);

/* What is to be done where rpcbind fails by such an error: "start it (…)". */
const char *rpc_bind_remedy(int error);

#ifdef __cplusplus
}
#endif

#endif
