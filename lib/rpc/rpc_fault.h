/* rpc_fault.h - the ways in which a call can fail, told apart.
 *
 * What matters most to a caller is whether the call was done: for sure not,
 * or nobody knows. */
#ifndef UNIXIPC_LIB_RPC_RPC_FAULT_H
#define UNIXIPC_LIB_RPC_RPC_FAULT_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_message.h"

/* The kinds, and the exit status of a command that ends by one. */
enum rpc_fault_kind {
	RPC_FAULT_NONE,           /* 0 */
	RPC_FAULT_TIMED_OUT,      /* 3  sent, no reply: outcome unknown */
	RPC_FAULT_LOST,           /* 3  connection gone: outcome unknown */
	RPC_FAULT_HOST,           /* 4  no such host; error: of getaddrinfo */
	RPC_FAULT_UNREACHABLE,    /* 4  no connection; error: errno */
	RPC_FAULT_NO_RPCBIND,     /* 5  nobody to ask for the port; error:
				   *    EPROTONOSUPPORT: it is there, and
				   *    not on the network */
	RPC_FAULT_NOT_REGISTERED, /* 5  rpcbind does not know the program */
	RPC_FAULT_VERSION,        /* 6  low, high: what the server has */
	RPC_FAULT_PROGRAM,        /* 6  the server has other programs */
	RPC_FAULT_PROCEDURE,      /* 6  no such procedure */
	RPC_FAULT_AUTH,           /* 7  refused; why */
	RPC_FAULT_GARBAGE_ARGS,   /* 8  it cannot decode the arguments */
	RPC_FAULT_SYSTEM,         /* 8  it failed in itself */
	RPC_FAULT_ARGS,           /* 8  our arguments cannot be encoded, or
				   *    are too large for the transport */
	RPC_FAULT_BAD_REPLY,      /* 8  the reply cannot be understood */
	RPC_FAULT_INTERRUPTED,    /* 1  a handler ran: look at your stop flag;
				   *    outcome unknown if a call was sent */
	RPC_FAULT_LOCAL,          /* 1  this side; error: errno */
};

struct rpc_fault {
	enum rpc_fault_kind kind;
	int error;          /* positive errno, or EAI_… of getaddrinfo */
	enum auth_stat why; /* RPC_FAULT_AUTH */
	uint32_t low, high; /* RPC_FAULT_VERSION */
	bool was_sent;      /* the call, or part of it, has left us */
};

/* What the server says: the kind is RPC_FAULT_NONE for SUCCESS. */
struct rpc_fault rpc_fault_of_reply(const struct rpc_reply *reply);

/* One sentence without a dot at the end: "RPC: Authentication error; why =
 * Client credential too weak". Returns buf. */
const char *rpc_fault_text(const struct rpc_fault *fault, char *buf,
			   size_t size);

/* The exit status above. */
int rpc_fault_status(const struct rpc_fault *fault);

/* Whether the call may have been done. When not, it was not. */
bool rpc_fault_is_unknown(const struct rpc_fault *fault);

/* As libtirpc would say it. */
enum clnt_stat rpc_fault_clnt_stat(const struct rpc_fault *fault);

/* "Client credential too weak" and so on; the reasons of an auth_stat. */
const char *rpc_fault_auth_text(enum auth_stat why);

#endif
