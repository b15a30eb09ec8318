/* rpc_lookup.h - ask rpcbind at which port a program is served.
 *
 * RFC 1833. Of an IPv4 address in version 2, the old port mapper's, over TCP:
 * it has the transport in its question and is known by everybody. Of an IPv6
 * address in version 4 (GETADDR), which answers for the transport that it was
 * asked over, and so over the program's own: UDP is asked in datagrams, which
 * are retransmitted. Either answers with another version of the program when it
 * does not know this one. Any thread may call. */
#ifndef UNIXIPC_LIB_RPC_RPC_LOOKUP_H
#define UNIXIPC_LIB_RPC_RPC_LOOKUP_H

#include <stdint.h>

#include "lib/rpc/rpc_address.h"
#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_fault.h"

struct rpc_lookup {
	uint32_t program, version;
	enum rpc_transport transport; /* RPC_TCP or RPC_UDP */
	uint16_t rpcbind_port;        /* 0: 111 */
};

/* Ask the rpcbind of the host with that address (of IPv4 or IPv6; its port is
 * not looked at), until the deadline. Returns 0 and *port, or the kind of
 * *fault: RPC_FAULT_NO_RPCBIND (error: why; EPROTONOSUPPORT when this machine's
 * listens on no network), RPC_FAULT_NOT_REGISTERED or RPC_FAULT_INTERRUPTED. */
enum rpc_fault_kind rpc_lookup_port(const struct rpc_lookup *what,
				    const struct rpc_address *host,
				    int64_t deadline, uint16_t *port,
				    struct rpc_fault *fault);

#endif
