/* rpc_listen.h - the sockets that a server waits at. */
#ifndef UNIXIPC_LIB_RPC_RPC_LISTEN_H
#define UNIXIPC_LIB_RPC_RPC_LISTEN_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"
#include "lib/rpc/rpc_auth.h"

struct rpc_listener {
	enum rpc_transport transport;
	int fd;        /* non-blocking but for RPC_UDP; -1: not in use */
	uint16_t port; /* as bound; 0 for RPC_UNIX */
	/* RPC_UNIX: where its file is, and which file that is. */
	const char *path;
	struct identity_object file;
};

/* TCP or UDP at host (numeric; NULL: any IPv4) and port (0: any). Returns 0,
 * -EINVAL (host), -EADDRINUSE, -EACCES, … */
int rpc_listen_inet(struct rpc_listener *listener, enum rpc_transport transport,
		    const char *host, uint16_t port);

/* A Unix socket at path, which must outlive the listener. What a dead server of
 * the same user left there is replaced. It has this mode, whatever the umask.
 * Returns 0, -EADDRINUSE (somebody is bound to it, be it without listening, or
 * that cannot be told), -EPERM (nobody is, but it is another user's), -ENOTSOCK
 * (another kind of file), -ESTALE (somebody put another file there meanwhile,
 * which stays as it is), -ENAMETOOLONG, …
 *
 * A name can be looked at and removed only in two steps: a user who may write
 * the folder, and puts a file there within those microseconds, loses it. */
int rpc_listen_unix(struct rpc_listener *listener, const char *path,
		    mode_t mode);

/* For a server that goes on serving, now and then: see whether the path still
 * leads to this socket, as it may have been removed, or replaced, and then no
 * client finds it. What is gone is made anew, as rpc_listen_unix() does it and
 * with what it returns; clients that still wait at the old one are dropped.
 * Returns 0 (it is ours, or that cannot be told), 1 (it is made anew: fd and file
 * are others now), or -ESTALE (another file is there, which stays). */
int rpc_listen_renew(struct rpc_listener *listener, mode_t mode);

/* Take a connection, blocking and close-on-exec, with its peer; never waits.
 * Returns the descriptor, -EAGAIN, -EMFILE, … */
int rpc_listen_accept(const struct rpc_listener *listener,
		      struct rpc_peer *peer);

/* Close, and remove the file if it is still the same. */
void rpc_listen_close(struct rpc_listener *listener);

#endif
