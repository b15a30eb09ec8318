/* rpc_bind_lookup.c - asking rpcbind in version 2, the old port mapper's, over
 * TCP: it has the transport in its question, where version 3 answers for the
 * one it was asked over. It knows IPv4 only. */
#include "lib/rpc/rpc_bind.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <rpc/pmap_prot.h>
#include <string.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_connect.h"
#include "lib/tick.h"

/* Not 0, which stands for the default. */
static int64_t left(int64_t deadline)
{
	int64_t ns = tick_left(deadline);

	return ns > 0 ? ns : 1;
}

/* Ask the rpcbind at one address. */
static enum rpc_fault_kind ask(const char *host, uint16_t rpcbind_port,
			       struct pmap *what, int64_t deadline,
			       uint16_t *port, struct rpc_fault *fault)
{
	struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = host,
		.port = rpcbind_port ? rpcbind_port : PMAPPORT,
		.program = PMAPPROG,
		.version = PMAPVERS,
		.connect_ns = left(deadline),
	};
	struct rpc_client *client;
	u_int found = 0;

	if (rpc_client_open(&client, &options, fault) == 0) {
		rpc_client_set_timeout(client, left(deadline));
		rpc_client_call(client, PMAPPROC_GETPORT, (xdrproc_t)xdr_pmap,
				what, (xdrproc_t)xdr_u_int, &found, fault);
		rpc_client_close(client);
	}
	fault->was_sent = false;
	if (fault->kind == RPC_FAULT_NONE && (found == 0 || found > UINT16_MAX))
		fault->kind = RPC_FAULT_NOT_REGISTERED;
	else if (fault->kind == RPC_FAULT_TIMED_OUT)
		*fault = (struct rpc_fault){.kind = RPC_FAULT_NO_RPCBIND,
					    .error = ETIMEDOUT};
	else if (fault->kind != RPC_FAULT_NONE &&
		 fault->kind != RPC_FAULT_INTERRUPTED)
		fault->kind = RPC_FAULT_NO_RPCBIND;
	*port = (uint16_t)found;
	return fault->kind;
}

/* On this machine there is more to say than that TCP was refused. */
static bool is_deaf(const struct sockaddr_storage *address,
		    uint16_t rpcbind_port, int64_t deadline)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;

	return ntohl(in->sin_addr.s_addr) >> IN_CLASSA_NSHIFT ==
		       IN_LOOPBACKNET &&
	       (rpcbind_port == 0 || rpcbind_port == PMAPPORT) &&
	       rpc_bind_check(deadline) == -EPROTONOSUPPORT;
}

enum rpc_fault_kind rpc_bind_lookup(const char *host, uint16_t rpcbind_port,
				    uint32_t program, uint32_t version,
				    const char *netid, int64_t deadline,
				    uint16_t *port, struct rpc_fault *fault)
{
	struct pmap what = {
		.pm_prog = program,
		.pm_vers = version,
		.pm_prot = strncmp(netid, "udp", 3) == 0 ? IPPROTO_UDP
							 : IPPROTO_TCP,
	};
	struct rpc_connect_target target;
	char number[NI_MAXHOST];
	int rc = rpc_connect_resolve(&target, RPC_TCP, host, 0, AF_INET);

	*fault = (struct rpc_fault){.kind = RPC_FAULT_HOST, .error = rc};
	for (size_t i = 0; i < target.n; i++) {
		if (getnameinfo((const void *)&target.addresses[i],
				target.bytes[i], number, sizeof(number), NULL,
				0, NI_NUMERICHOST))
			continue;
		if (ask(number, rpcbind_port, &what, deadline, port, fault) !=
		    RPC_FAULT_NO_RPCBIND)
			break;
		if (fault->error == ECONNREFUSED &&
		    is_deaf(&target.addresses[i], rpcbind_port, deadline))
			fault->error = EPROTONOSUPPORT;
	}
	return fault->kind;
}
