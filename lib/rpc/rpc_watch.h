/* rpc_watch.h - one descriptor for a poll loop, that is readable when a socket
 * is, or when a moment has come.
 *
 * For rpc_client.c. An epoll(7) descriptor with the socket and a timer in it,
 * which stays the same while sockets come and go. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_WATCH_H
#define UNIXIPC_LIB_RPC_RPC_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct rpc_watch {
	int fd; /* -1: nobody has asked for it */
	int timer_fd;
	int socket_fd;           /* that is in it; -1: none */
	unsigned int generation; /* of the socket */
	bool wants_output;
	int64_t armed_at;
};

void rpc_watch_init(struct rpc_watch *watch);
void rpc_watch_fini(struct rpc_watch *watch);

/* Make it, once. Returns the descriptor or -errno. */
int rpc_watch_open(struct rpc_watch *watch);

/* What is waited for: a socket (-1: none) with something to be read, or with
 * room for more; and the moment, TICK_NEVER: none. Another socket has another
 * generation, as the descriptor may be the same number. Nothing is done unless
 * the watch is open. */
void rpc_watch_set(struct rpc_watch *watch, int socket_fd,
		   unsigned int generation, bool wants_output, int64_t moment);

#endif
