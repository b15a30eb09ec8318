/* rpc_exchange.h - bytes of a call out, bytes of its reply in: finding the
 * server, connecting, sending again, all by a deadline.
 *
 * For rpc_client.c, which knows what the bytes mean. */
#ifndef UNIXIPC_LIB_RPC_RPC_EXCHANGE_H
#define UNIXIPC_LIB_RPC_RPC_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_connect.h"
#include "lib/rpc/rpc_record.h"

/* A call that is sent: n bytes behind RPC_RECORD_MARK bytes of room. */
struct rpc_exchange_message {
	uint8_t *bytes;
	size_t n;
	/* Make it anew, with the same xid, before it is sent over another
	 * connection: its credentials may be good for once. 0 or -errno. */
	int (*remake)(struct rpc_exchange_message *message, void *arg);
	void *arg;
};

struct rpc_exchange {
	struct rpc_client_options options; /* no zeroes left; strings ours */
	struct rpc_connect_target target;
	size_t index;       /* of the address that datagrams go to */
	uint16_t port;      /* as given or found */
	int fd;             /* -1: not connected */
	int64_t receive_ns; /* SO_RCVTIMEO, as it is set */
	int64_t last_at;    /* when something came */
	bool must_look_up;  /* the port, again: nobody was there */
	struct rpc_record_reader reader;
};

/* Find the server; streams connect as well. Returns 0 or the kind of
 * *fault. */
enum rpc_fault_kind rpc_exchange_open(struct rpc_exchange *exchange,
				      const struct rpc_client_options *options,
				      struct rpc_fault *fault);

/* Send the message, and wait for the reply with the same xid, its first four
 * bytes. Returns its length and *reply, valid until the next call; or -1, and
 * *fault. */
ssize_t rpc_exchange_call(struct rpc_exchange *exchange,
			  struct rpc_exchange_message *message,
			  int64_t deadline, uint8_t **reply,
			  struct rpc_fault *fault);

/* The connection is of no use. The next call makes another. */
void rpc_exchange_drop(struct rpc_exchange *exchange);

void rpc_exchange_close(struct rpc_exchange *exchange);

/* ---- for rpc_resend.c ---- */

/* Set *fault; returns -1. */
int rpc_exchange_fail(struct rpc_fault *fault, enum rpc_fault_kind kind,
		      int error, bool was_sent);

/* Connect, looking up the port before that if must_look_up. Returns 0 or the
 * kind of *fault. */
enum rpc_fault_kind rpc_exchange_connect(struct rpc_exchange *exchange,
					 int64_t deadline,
					 struct rpc_fault *fault);

/* Have recv(2) wait no longer than that. */
int rpc_exchange_set_receive(struct rpc_exchange *exchange, int64_t ns);

#endif
