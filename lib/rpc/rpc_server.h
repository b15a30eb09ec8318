/* rpc_server.h - serve programs over TCP, UDP and a Unix socket.
 *
 * Connections are served by a thread each, or by event loops: the same code but
 * for what waits. Either way a client that sends half a call, or never reads
 * its replies, holds up nobody but itself. One thread more receives all
 * datagrams.
 *
 * What a client can cost is limited: connections, bytes of a record, time for
 * a record, time for a reply to be taken, time between calls, calls under way.
 * All clients together have one budget of memory, whatever they have proved:
 * where it is used up they wait, and if that lasts, the newest of those that
 * take much is closed: a caller that has proved nothing before one that has,
 * and of the peer address with the most connections. Every table has a share
 * for each peer address (rpc_share.h): where connections or descriptors run
 * out, the peer with the most of them loses the one that has been idle
 * longest.
 *
 * A thread for each connection: a procedure that takes long holds up its own
 * connection. Event loops: what is RPC_QUICK is served in the loop and must
 * not wait; all else by workers, so many at the same time, and holds up its own
 * connection from max_in_flight calls on. Over UDP the same, but that others
 * serve, and at most 32 more wait, of one peer no more than are free besides;
 * what comes beyond is lost, as a datagram may be. */
#ifndef UNIXIPC_LIB_RPC_RPC_SERVER_H
#define UNIXIPC_LIB_RPC_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_bind.h"
#include "lib/rpc/rpc_dispatch.h"
#include "lib/rpc/rpc_layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is worth a line in a log. */
enum rpc_server_event {
	RPC_SERVER_BAD_RECORD, /* closed: record marks or a message that are
				* none; error says what */
	RPC_SERVER_SLOW,       /* closed: half a record, or a reply not read */
	RPC_SERVER_IDLE,       /* closed: no call for idle_ns */
	RPC_SERVER_EVICTED,    /* closed: to make room for another */
	RPC_SERVER_NO_MEMORY,  /* closed: memory was used up */
	RPC_SERVER_REFUSED,    /* no room, nobody to evict, or not to be
				* secured; error says why */
};

struct rpc_server_options {
	struct rpc_dispatch dispatch;
	/* Address to listen on with TCP and UDP, numeric, of IPv4 or IPv6
	 * ("::": all of IPv6, and that alone); NULL: all of IPv4. */
	const char *host;
	bool has_tcp, has_udp;
	uint16_t tcp_port, udp_port; /* 0: the kernel chooses */
	const char *unix_path;       /* NULL: no Unix socket */
	unsigned int unix_mode;      /* of the socket's file; 0: 0666 */
	/* Event loops, a thread each, among which connections are dealt out;
	 * where there are as many processors (sched_getaffinity(2)) they keep
	 * apart, and a connection moves to where its bytes come in. 0: no loop,
	 * but a thread for each connection. */
	unsigned int loops;
	/* Zero takes the default in brackets. */
	unsigned int workers;         /* [4] threads beside the loops, and as
				       * many beside the one for datagrams */
	unsigned int max_in_flight;   /* [1] calls of a connection with workers;
				     * with 1 they are answered in their order */
	unsigned int max_connections; /* [1000], fewer where RLIMIT_NOFILE
				       * leaves less */
	size_t memory_bytes;          /* [64 MiB, or more where so many
				       * connections need it] for all clients;
				       * where it is little, there are fewer
				       * connections */
	size_t max_record_bytes;      /* [the largest of the tables; 1 MiB where
				       * they do not say], calls and replies */
	int64_t idle_ns;              /* [5 min] from call to call */
	int64_t record_ns;            /* [10 s] for a record to get whole */
	int64_t write_ns;             /* [10 s] for a reply to be taken */
	size_t drc_entries;           /* [2048] of the duplicate request cache
				       * (rpc_drc.h); one peer has half of
				       * them at most */
	/* Lose this reply, after the call was served: a datagram is not sent,
	 * a connection closed. For tests and demonstrations. Threads call it
	 * at the same time. NULL: never. */
	bool (*loses_reply)(const struct rpc_call *call, void *arg);
	/* NULL: nobody listens. Threads call it at the same time. */
	void (*on_event)(enum rpc_server_event event,
			 const struct rpc_peer *peer, int error, void *arg);
	/* Each message that has come, and each reply that goes out. Threads call
	 * it at the same time. NULL: nobody looks. */
	void (*trace)(bool is_sent, const uint8_t *message, size_t n,
		      void *arg);
	/* Not UDP: put a layer under a new connection, as TLS. *layer is all
	 * zero, and where it stays so, there is none. The layer begins where
	 * the connection is served, within record_ns. Must not wait: the
	 * thread that accepts calls it. Returns 0, or -errno: the connection
	 * is closed. NULL: no layers. */
	int (*secure)(const struct rpc_peer *peer, struct rpc_layer *layer,
		      void *arg);
	/* The Unix socket's file was gone and is made anew: another file, for
	 * who keeps a note of it. The thread that runs the server calls it.
	 * NULL: nobody keeps one. */
	void (*on_renewed)(const char *unix_path, void *arg);
	void *arg; /* of these five */
};

struct rpc_server_counts {
	uint64_t calls;       /* answered, in whatever way */
	uint64_t repeated;    /* of which datagrams answered from memory */
	uint64_t connections; /* accepted so far */
	uint64_t open;        /* of which still there */
	uint64_t closed_by_us;
	uint64_t large_bytes; /* of the budget, taken by large calls now */
};

struct rpc_server; /* opaque */

/* Bind and listen: clients may connect when it returns, and are served once
 * rpc_server_run() is called. *options is copied, what it points to must
 * outlive the server. A Unix socket that a dead server of ours left at unix_path
 * is replaced. Returns 0, -EADDRINUSE (a live server has it), -EINVAL (no
 * transport, host is no address), -ENAMETOOLONG (unix_path), -ENOTSOCK or -EPERM
 * (something else lies there, or another user's), -EACCES, -ENOMEM, … */
int rpc_server_open(struct rpc_server **out,
		    const struct rpc_server_options *options);

/* The port, 0 for a transport that is not served (and RPC_UNIX). */
uint16_t rpc_server_port(const struct rpc_server *server,
			 enum rpc_transport transport);

/* What to register with rpcbind; valid as long as the server. */
void rpc_server_service(const struct rpc_server *server,
			struct rpc_bind_service *service);

/* Serve until stop_fd (-1: never) is readable; from the thread that calls,
 * once. Its threads block all signals. Calls in hand are then finished and
 * answered. Returns 0 when all threads have ended, or -errno.
 *
 * Meanwhile it looks whether the Unix socket's path still leads to it: within a
 * second a file that was removed is made anew; where that fails, or another lies
 * there (-ESTALE), the serving ends. Connections that are there do not notice. */
int rpc_server_run(struct rpc_server *server, int stop_fd);

/* Any thread, also while it runs. */
void rpc_server_count(struct rpc_server *server,
		      struct rpc_server_counts *counts);

/* Close the listeners, remove the Unix socket. Not while it runs. NULL is
 * allowed. */
void rpc_server_close(struct rpc_server *server);

#ifdef __cplusplus
}
#endif

#endif
