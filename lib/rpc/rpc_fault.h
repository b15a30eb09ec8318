/* rpc_fault.h - the ways in which a call can fail, told apart: what struct
 * rpc_err is to libtirpc. It is no error of the house, which is a -errno; it
 * may hold one.
 *
 * What matters most to a caller is whether the call was done: for sure not,
 * refused by the server, or nobody knows. One table says it of each failure,
 * with the exit status of a command that ends by it, and the words. */
#ifndef UNIXIPC_LIB_RPC_RPC_FAULT_H
#define UNIXIPC_LIB_RPC_RPC_FAULT_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds, and the exit status of a command that ends by one, where it is
 * known that the call was not done. Where that is not known it is always
 * RPC_FAULT_STATUS_UNKNOWN. */
enum rpc_fault_kind {
	RPC_FAULT_NONE,           /* 0 */
	RPC_FAULT_TIMED_OUT,      /* 3  sent, no reply */
	RPC_FAULT_LOST,           /* 3  sent, connection gone */
	RPC_FAULT_HOST,           /* 4  no such host; error: of getaddrinfo */
	RPC_FAULT_UNREACHABLE,    /* 4  no connection; error: errno */
	RPC_FAULT_NO_RPCBIND,     /* 5  nobody to ask for the port; error:
				   *    EPROTONOSUPPORT: it is there, and
				   *    not on the network */
	RPC_FAULT_NOT_REGISTERED, /* 5  rpcbind does not know the program */
	RPC_FAULT_RPC_VERSION,    /* 6  the server speaks RPC low to high */
	RPC_FAULT_VERSION,        /* 6  low, high: what the server has */
	RPC_FAULT_PROGRAM,        /* 6  the server has other programs */
	RPC_FAULT_PROCEDURE,      /* 6  no such procedure */
	RPC_FAULT_AUTH,           /* 7  refused; why */
	RPC_FAULT_VERIFIER,       /* 3  the reply's verifier is not the
				   *    server's */
	RPC_FAULT_GARBAGE_ARGS,   /* 8  it cannot decode the arguments */
	RPC_FAULT_SYSTEM,         /* 3  it failed in itself, we do not know
				   *    where */
	RPC_FAULT_ARGS,           /* 8  our arguments cannot be encoded, or
				   *    are too large for the transport */
	RPC_FAULT_BAD_REPLY,      /* 3  the reply cannot be decoded */
	RPC_FAULT_REPLY_STAT,     /* 3  neither accepted nor denied; number */
	RPC_FAULT_ACCEPT_STAT,    /* 3  accepted, unknown status; number */
	RPC_FAULT_REJECT_STAT,    /* 8  denied, unknown status; number */
	RPC_FAULT_INTERRUPTED,    /* 1  a handler ran: look at your stop flag */
	RPC_FAULT_LOCAL,          /* 1  this side; error: errno. EAGAIN: as
				   *    many calls are in flight as may be */
};

enum { RPC_FAULT_STATUS_UNKNOWN = 3 };

struct rpc_fault {
	enum rpc_fault_kind kind;
	int error;          /* positive errno, or EAI_… of getaddrinfo */
	enum auth_stat why; /* RPC_FAULT_AUTH */
	uint32_t low, high; /* RPC_FAULT_VERSION, RPC_FAULT_RPC_VERSION */
	uint32_t number;    /* RPC_FAULT_…_STAT: what the server said */
	bool was_sent;      /* all of the call may have left us */
};

enum rpc_outcome {
	RPC_OUTCOME_DONE,
	RPC_OUTCOME_NOT_DONE, /* it never came to the procedure */
	RPC_OUTCOME_REFUSED,  /* the server said so, and did not do it */
	RPC_OUTCOME_UNKNOWN,
};

/* What the server says: the kind is RPC_FAULT_NONE for SUCCESS. */
struct rpc_fault rpc_fault_of_reply(const struct rpc_reply *reply);

/* Fill in *fault; returns kind. */
enum rpc_fault_kind rpc_fault_set(struct rpc_fault *fault,
				  enum rpc_fault_kind kind, int error,
				  bool was_sent);

enum rpc_outcome rpc_fault_outcome(const struct rpc_fault *fault);

/* Whether that is RPC_OUTCOME_UNKNOWN. */
bool rpc_fault_is_unknown(const struct rpc_fault *fault);

/* One sentence without a dot at the end: "RPC: Authentication error; why =
 * Client credential too weak". It says so where the outcome is unknown.
 * Returns buf. */
const char *rpc_fault_text(const struct rpc_fault *fault, char *buf,
			   size_t size);

/* The exit status above. */
int rpc_fault_status(const struct rpc_fault *fault);

/* As libtirpc would say it. */
enum clnt_stat rpc_fault_clnt_stat(const struct rpc_fault *fault);

/* "Client credential too weak" and so on; the reasons of an auth_stat. */
const char *rpc_fault_auth_text(enum auth_stat why);

#ifdef __cplusplus
}
#endif

#endif
