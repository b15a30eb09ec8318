/* The parent listens for all of them before it forks, so that no port is lost to
 * anybody meanwhile; each server closes what is not its own, and the parent all. */
#include "suite/storage/kv_servers.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"

enum { PORT_FIRST = 13200, PORT_LAST = 14200 };

/* ---- a server ---- */

static void note(const char *line, void *arg)
{
	(void)line;
	(void)arg;
}

static void fail(const char *why, void *arg)
{
	(void)why;
	(void)arg;
	_exit(1);
}

static void close_listeners(struct kv_listeners *listeners)
{
	rpc_server_close(listeners->clients);
	rpc_server_close(listeners->peers);
	*listeners = (struct kv_listeners){0};
}

static void *run_for_peers(void *peers)
{
	rpc_server_run(peers, -1);
	return NULL;
}

static int open_cluster(struct kv_servers *servers)
{
	const unsigned int number = servers->number;
	char data[300], why[CLUSTER_WHY];
	const struct cluster_options options = {
		.data = data,
		.id = servers->member[number].id,
		.members = servers->member,
		.n = KV_SERVERS,
		.port = servers->at[number].port,
		.election_ns = 100 * TICK_MS,
		.heartbeat_ns = 20 * TICK_MS,
		.slow_ns = TICK_S,
		.snapshot_entries = 20000,
		.segment_bytes = 1 << 20,
		.note = note,
		.fail = fail,
	};
	struct service *service = &servers->service;
	int error;

	if (snprintf(data, sizeof(data), "%s/%u", servers->folder, number) >=
	    (int)sizeof(data))
		return -ENAMETOOLONG;
	error = cluster_open(&service->cluster, &options, why);
	if (!error)
		service->engine = cluster_engine(service->cluster);
	return error;
}

/* Until it is killed. */
static int run(void *arg)
{
	struct kv_servers *servers = arg;
	struct kv_listeners *own = &servers->listeners[servers->number];
	pthread_t thread;

	for (unsigned int i = 0; i < KV_SERVERS; i++)
		if (i != servers->number)
			close_listeners(&servers->listeners[i]);
	if (open_cluster(servers) ||
	    pthread_create(&thread, NULL, run_for_peers, own->peers))
		return 1;
	rpc_server_run(own->clients, -1);
	return 1;
}

/* ---- the parent ---- */

static int listen_at(struct rpc_server **server, uint16_t port,
		     struct rpc_dispatch dispatch, unsigned int connections)
{
	const struct rpc_server_options options = {
		.dispatch = dispatch,
		.host = "127.0.0.1",
		.has_tcp = true,
		.tcp_port = port,
		.max_connections = connections,
		.memory_bytes = 64 << 20,
	};

	return rpc_server_open(server, &options);
}

/* At a port for clients and the one for peers that belongs to it, from *port
 * on, which becomes the next. */
static int listen_somewhere(struct kv_servers *servers, unsigned int i,
			    uint16_t *port)
{
	struct kv_listeners *listeners = &servers->listeners[i];
	struct service *service = &servers->service;
	struct parse_endpoint *at = &servers->at[i];
	int error = -EADDRINUSE;

	for (; error == -EADDRINUSE && *port < PORT_LAST; ++*port) {
		error = listen_at(&listeners->clients, *port,
				  service_clients(service), 100);
		if (!error)
			error = listen_at(&listeners->peers,
					  service_peer_port(*port),
					  service_peers(service),
					  service_peer_connections());
		if (error)
			close_listeners(listeners);
		else
			*at = (struct parse_endpoint){.port = *port};
	}
	servers->member[i].id = i + 1;
	snprintf(servers->member[i].address, sizeof(servers->member[i].address),
		 "localhost:%u", at->port);
	return error;
}

int kv_servers_start(struct kv_servers *servers, const char *folder)
{
	uint16_t port = PORT_FIRST;
	int error = 0;

	*servers = (struct kv_servers){.folder = folder};
	for (unsigned int i = 0; i < KV_SERVERS && !error; i++)
		error = listen_somewhere(servers, i, &port);
	for (unsigned int i = 0; i < KV_SERVERS && !error; i++) {
		servers->number = i;
		error = child_fork(run, servers, &servers->pids[i]);
	}
	for (unsigned int i = 0; i < KV_SERVERS; i++)
		close_listeners(&servers->listeners[i]);
	if (error)
		kv_servers_end(servers);
	return error;
}

void kv_servers_end(struct kv_servers *servers)
{
	int status;

	for (unsigned int i = 0; i < KV_SERVERS; i++) {
		if (servers->pids[i] > 0)
			child_end(servers->pids[i], 0, &status);
		servers->pids[i] = 0;
	}
}
