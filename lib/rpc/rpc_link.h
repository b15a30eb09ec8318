/* rpc_link.h - the way to a server: the addresses of its host, its port at each
 * of them, and the connection to one, or the socket for datagrams.
 *
 * For rpc_flight.c, which sends calls over it. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_LINK_H
#define UNIXIPC_LIB_RPC_RPC_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_address.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_datagram.h"
#include "lib/rpc/rpc_stream.h"

struct rpc_link {
	const struct rpc_client_options *options; /* no zeroes left */
	struct rpc_address addresses[RPC_ADDRESS_MOST];
	uint16_t ports[RPC_ADDRESS_MOST]; /* 0: to be asked for */
	size_t n_addresses;               /* 0: to be resolved */
	size_t index;                     /* of the one that is called */
	unsigned int n_opened;            /* sockets, so far */
	int64_t last_at;                  /* when something came */
	struct rpc_stream stream;
	struct rpc_datagram datagram; /* one of the two is used */
};

/* *options outlive the link. Does not connect. */
void rpc_link_init(struct rpc_link *link,
		   const struct rpc_client_options *options);
void rpc_link_fini(struct rpc_link *link);

bool rpc_link_is_datagram(const struct rpc_link *link);
bool rpc_link_is_open(const struct rpc_link *link);

/* If it is not open: resolve, ask rpcbind and connect, as far as that is needed,
 * to the first address that takes us; each gets its share of the time, which is
 * connect_ns at most. Returns 0 or the kind of *fault. */
enum rpc_fault_kind rpc_link_connect(struct rpc_link *link, int64_t deadline,
				     struct rpc_fault *fault);

/* Close a stream that was quiet, and whose server has closed it meanwhile. Not
 * while calls are in flight. */
void rpc_link_check(struct rpc_link *link);

/* UDP: nobody is at that address: take the next, or look where they are. Returns
 * as rpc_link_connect(). */
enum rpc_fault_kind rpc_link_move_on(struct rpc_link *link, int64_t deadline,
				     struct rpc_fault *fault);

void rpc_link_close(struct rpc_link *link);

int rpc_link_fd(const struct rpc_link *link); /* -1: not open */
uint16_t rpc_link_port(const struct rpc_link *link);

#endif
