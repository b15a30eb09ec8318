/* nodes.h - three servers on this machine, ours or etcd's, with equal settings:
 * heartbeats of 50 ms, elections after 500 ms, everything durable, folders beside
 * each other. */
#ifndef UNIXIPC_P18_RPC_KV_BENCH_NODES_H
#define UNIXIPC_P18_RPC_KV_BENCH_NODES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { NODES = 3 };

struct nodes {
	bool is_etcd;
	char folder[128];      /* theirs */
	char programs[256];    /* where the drivers lie */
	uint16_t ports[NODES]; /* for clients */
	uint16_t peer_ports[NODES];
	pid_t pids[NODES]; /* 0: it does not run */
};

/* Start all, and wait until one leads. Ends the program where that fails, as all
 * of these do. */
void nodes_start(struct nodes *nodes);
void nodes_stop(struct nodes *nodes);

/* Which one leads; waits for it. */
int nodes_leader(const struct nodes *nodes);

void nodes_kill(struct nodes *nodes, int which);

/* Start it again, and wait until it follows. */
void nodes_restart(struct nodes *nodes, int which);

/* What a node has in memory, in MiB: the mean of all. */
double nodes_resident(const struct nodes *nodes);

/* Start its driver: which = -1 is for all nodes, the leader first. Its output
 * comes from *fd. */
pid_t nodes_drive(const struct nodes *nodes, const char *job, int clients,
		  const char *seconds, int which, int *fd);

#endif
