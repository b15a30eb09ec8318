/* rpc_dispatch.h - from the bytes of a call to the bytes of its reply, with
 * tables of procedures in between.
 *
 * What rpcgen's own dispatcher gets wrong is done here: arguments are freed
 * also when they could not be decoded, and nothing exits. A dispatch is read
 * only, and any number of threads answer at the same time, each with a
 * struct rpc_scratch of its own. */
#ifndef UNIXIPC_LIB_RPC_RPC_DISPATCH_H
#define UNIXIPC_LIB_RPC_RPC_DISPATCH_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_buffer.h"
#include "lib/rpc/rpc_message.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_procedure;

/* One call, for those who serve it. Valid until they return. */
struct rpc_request {
	const struct rpc_call *call;
	const struct rpc_procedure *procedure;
	const struct rpc_peer *peer;
	const struct rpc_identity *who;
	void *arg; /* of the dispatch */
};

enum rpc_procedure_flags {
	/* To do it twice is the same as to do it once: a repeated datagram is
	 * served again, and its reply takes no room among the kept ones. */
	RPC_IDEMPOTENT = 1,
	/* It never waits, for anything or anybody: an event loop serves it
	 * itself, and its reply may wait for those of calls that came along
	 * with it. */
	RPC_QUICK = 2,
};

struct rpc_procedure {
	uint32_t number;
	const char *name;
	xdrproc_t xdr_args;   /* NULL: there are none */
	size_t args_bytes;    /* sizeof the decoded arguments, may be 0 */
	xdrproc_t xdr_result; /* NULL: there is none */
	size_t result_bytes;
	/* Fill in *result, which is all zero; what it points to must come
	 * from malloc, as xdr_free() releases it after it was sent, and *args
	 * as well. Returns 0, or -errno for the answer SYSTEM_ERR (the result
	 * is freed too). Threads call it at the same time. NULL does nothing,
	 * which is what procedure 0 is for. */
	int (*serve)(const struct rpc_request *request, void *args,
		     void *result);
	unsigned int flags; /* enum rpc_procedure_flags */
	/* What arguments and result take on the wire at most, as the .x file
	 * bounds them. 0: unknown, and as much as the server allows. From the
	 * largest of them the server knows which records are none of its
	 * clients'; and it begins a call only when there is memory for the
	 * result. */
	size_t max_args_bytes, max_result_bytes;
};

/* Procedure 0, with no arguments and no results, as every program has it. */
#define RPC_DISPATCH_NULL                                            \
	{                                                            \
		.number = 0, .name = "null", .flags = RPC_IDEMPOTENT \
	}

/* One version of a program. */
struct rpc_program {
	uint32_t program, version;
	const struct rpc_procedure *procedures;
	size_t n_procedures;
};

struct rpc_dispatch {
	const struct rpc_program *programs; /* every version there is */
	size_t n_programs;
	/* NULL: rpc_auth_none and rpc_auth_sys. Any other flavor is denied
	 * with AUTH_REJECTEDCRED. */
	const struct rpc_auth_flavor *const *flavors;
	size_t n_flavors;
	/* May this caller call that? After program, version and procedure are
	 * known to exist, and before arguments are decoded. Returns AUTH_OK, or
	 * what to deny the call with: AUTH_TOOWEAK, AUTH_REJECTEDCRED, …
	 * Threads call it at the same time. NULL: everybody may. */
	enum auth_stat (*authorise)(const struct rpc_request *request);
	void *arg; /* into each request */
};

/* What one thread needs to answer calls, kept between them. */
struct rpc_scratch {
	struct rpc_identity who;  /* of the last call; all zero: denied */
	struct rpc_buffer values; /* decoded arguments, result */
	struct rpc_buffer plain;  /* for flavors that unseal */
};

void rpc_dispatch_scratch_init(struct rpc_scratch *scratch);
void rpc_dispatch_scratch_fini(struct rpc_scratch *scratch);

/* Answer the call, which rpc_message_decode_call() has made of a message. The reply is
 * put into reply->bytes from offset on, the buffer growing as needed; bytes
 * before offset are left alone. Blocks as long as serve does. Returns the
 * length of the reply, 0 for a call that gets none (its flavor says so), or
 * -ENOMEM, -ENOBUFS or -EMSGSIZE when there is no room for even an error and
 * nothing was done. A result that has no room within reply's limit is answered
 * SYSTEM_ERR. */
ssize_t rpc_dispatch_answer(const struct rpc_dispatch *dispatch,
			    const struct rpc_peer *peer,
			    const struct rpc_call *call,
			    struct rpc_scratch *scratch,
			    struct rpc_buffer *reply, size_t offset);

/* The procedure that a call is for, or NULL. */
const struct rpc_procedure *rpc_dispatch_find(
	const struct rpc_dispatch *dispatch, const struct rpc_call *call);

/* Whether answering it never waits: by its procedure, which is RPC_QUICK or
 * does nothing or does not exist, and by its flavor. */
bool rpc_dispatch_is_quick(const struct rpc_dispatch *dispatch,
			   const struct rpc_call *call);

/* The largest call, and the largest reply to this call (NULL: to any), of all
 * that the tables say; 0 where one of them does not say it. */
size_t rpc_dispatch_max_call(const struct rpc_dispatch *dispatch);
size_t rpc_dispatch_max_reply(const struct rpc_dispatch *dispatch,
			      const struct rpc_call *call);

#ifdef __cplusplus
}
#endif

#endif
