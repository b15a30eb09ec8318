/* authsys.h - AUTH_SYS, compared with what the kernel knows.
 *
 * On a Unix socket the kernel says who has connected (SO_PEERCRED), and an
 * AUTH_SYS credential that says something else is refused. On TCP and UDP
 * there is nothing to compare it with: whatever it says is taken. */
#ifndef UNIXIPC_P17_RPC_AUTH_AUTHSYS_H
#define UNIXIPC_P17_RPC_AUTH_AUTHSYS_H

#include "lib/rpc/rpc_auth.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For rpc_dispatch, without state. Its answers, besides those of
 * rpc_auth_sys: AUTH_BADCRED when uid or gid are not those of the peer at a Unix
 * socket, or the kernel does not say who he is. When they are, the identity is proved, and without the supplementary groups, for
 * which there is the caller's word alone. */
extern const struct rpc_auth_flavor authsys_flavor;

#ifdef __cplusplus
}
#endif

#endif
