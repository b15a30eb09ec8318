/* service.h - the procedures of kv.x over an engine.
 *
 * A call is looked at here, where all that can be wrong with it alone is refused
 * (KV_INVALID, with a text), and then given to the engine; what servers ask of
 * each other goes to the node. The functions themselves, kv_write_1_svc and
 * so on, are declared in kv.h; a server's dispatch carries a struct service as
 * its arg.
 *
 * Clients and servers are served on ports of their own, as etcd and the cluster
 * bus of Redis have it: whatever clients do to theirs, silent, slow or by the
 * thousand, a server's connections have a listener, a table and memory that no
 * client takes from. */
#ifndef UNIXIPC_P18_RPC_KV_SERVICE_H
#define UNIXIPC_P18_RPC_KV_SERVICE_H

#include <stdint.h>

#include "lib/rpc/rpc_dispatch.h"
#include "p18-rpc-kv/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	SERVICE_TIMEOUT_MAX_MS = 60 * 1000, /* what is more is taken as this */
	SERVICE_PEER_PORT = 10000,          /* lies so much further up */
	SERVICE_PORT_MAX = UINT16_MAX - SERVICE_PEER_PORT,
};

struct cluster;

/* Both outlive the servers that call. */
struct service {
	struct engine *engine;
	struct cluster *cluster; /* NULL: no other server speaks to this
				  * engine */
};

/* Where servers listen for each other, of whom clients know this port: 10000
 * further up, as in Redis. So clients' ports end at SERVICE_PORT_MAX. */
uint16_t service_peer_port(uint16_t port);

/* The tables for a server of clients and for one of peers, who also ask on behalf
 * of clients (forward.h); and how many connections that one has to take. */
struct rpc_dispatch service_clients(struct service *service);
struct rpc_dispatch service_peers(struct service *service);
unsigned int service_peer_connections(void);

#ifdef __cplusplus
}
#endif

#endif
