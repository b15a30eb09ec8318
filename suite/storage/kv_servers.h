/* kv_servers.h - three servers of P18's store, each a process of this machine. */
#ifndef UNIXIPC_SUITE_STORAGE_KV_SERVERS_H
#define UNIXIPC_SUITE_STORAGE_KV_SERVERS_H

#include <sys/types.h>

#include "lib/parse.h"
#include "p18-rpc-kv/cluster.h"
#include "p18-rpc-kv/service.h"

enum { KV_SERVERS = 3 };

struct kv_servers {
	struct parse_endpoint at[KV_SERVERS]; /* for clients */
	struct folder_member member[KV_SERVERS];
	struct kv_listeners {
		struct rpc_server *clients, *peers;
	} listeners[KV_SERVERS];
	struct service service; /* of the process that is one */
	const char *folder;     /* of their folders */
	unsigned int number;    /* of the one that is about to be started */
	pid_t pids[KV_SERVERS]; /* 0: not started, or ended */
};

/* Start them on ports of the loopback that are free, with their data in a folder
 * that is there. They have no cache in shared memory, and end with the thread
 * that called. When it returns clients may connect; a leader there may be later.
 * *servers must outlive them. Returns 0, or -errno with none left. */
int kv_servers_start(struct kv_servers *servers, const char *folder);

/* Kill them; what they wrote stays. */
void kv_servers_end(struct kv_servers *servers);

#endif
