/* rpc_client.h - calls to a program, each with a deadline.
 *
 * Not libtirpc's client: that one connects for minutes, dies with the first
 * broken connection and tells too few failures apart. But its AUTH does the
 * credentials, and rpc_client_handle() is a CLIENT for rpcgen's stubs, so
 * that `add_1(&operands, &result, rpc_client_handle(client))` works.
 *
 * TCP and Unix: a connection that is lost is made again, waiting longer from
 * time to time. UDP: a call without a reply is sent again with the same xid,
 * which the server's rpc_replies recognise: the same bytes. A call whose
 * connection broke after it was sent is repeated only if the caller says that
 * may be (may_repeat), as nobody knows whether it was done; with the same xid
 * and arguments, and credentials made anew.
 *
 * A client is for one thread at a time. No signal is raised; a signal handler
 * that runs ends the call (RPC_FAULT_INTERRUPTED). */
#ifndef UNIXIPC_LIB_RPC_RPC_CLIENT_H
#define UNIXIPC_LIB_RPC_RPC_CLIENT_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_fault.h"

struct rpc_client_options {
	enum rpc_transport transport;
	const char *host;      /* RPC_TCP, RPC_UDP: name or address */
	uint16_t port;         /* 0: ask rpcbind on that host */
	uint16_t rpcbind_port; /* 0: 111 */
	const char *unix_path; /* RPC_UNIX */
	uint32_t program, version;
	/* Zero takes the default in brackets. */
	int64_t connect_ns;   /* [5 s] resolving not included */
	int64_t timeout_ns;   /* [25 s] for a call, with all its repetitions */
	int64_t retry_ns;     /* [500 ms] UDP: until it is sent again; doubled
			      * each time. Others: before the second attempt
			      * to connect [50 ms] */
	unsigned int retries; /* 0: none. UDP: how often a call is sent again.
			       * Others: how often a connection is tried again
			       * in one call, and a lost call repeated */
	bool may_repeat; /* calls may be repeated after a lost connection */
	size_t max_record_bytes; /* [1 MiB] of a reply */
};

struct rpc_client; /* opaque */

/* Find the program and connect. Returns 0 and *out, or the kind of
 * *fault. UDP connects to nobody: only the first call shows that no server is
 * there. */
enum rpc_fault_kind rpc_client_open(struct rpc_client **out,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault);

/* Call a procedure and decode its result, of which the caller frees what it
 * points to by xdr_free(). NULL for xdr_args or xdr_result: there is none.
 * *result must be zeroed before. Returns 0, or the
 * kind of *fault, with *result unchanged (but freed and to be zeroed again
 * after RPC_FAULT_BAD_REPLY). */
enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault);

/* For the calls that follow. */
void rpc_client_set_version(struct rpc_client *client, uint32_t version);
void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns);
void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat);

/* The credentials: authunix_create() or one of your own; NULL: AUTH_NONE. The
 * client destroys it (auth_destroy()) when it gets another, or closes. A
 * denial is passed to its refresh operation once, and the call sent again
 * (with a new xid) when that succeeds. */
void rpc_client_set_auth(struct rpc_client *client, AUTH *auth);

/* The next xid will be this one: tests repeat a call by it. */
void rpc_client_set_xid(struct rpc_client *client, uint32_t xid);

/* A CLIENT over the same connection, owned by the client: for rpcgen's stubs
 * and clnt_call(). The timeout of clnt_call() is not looked at: it is that of
 * the client (clnt_control(CLSET_TIMEOUT) sets it). clnt_destroy() does
 * nothing; its cl_auth is what rpc_client_set_auth() was given. After a stub
 * has failed rpc_client_fault() says how. */
CLIENT *rpc_client_handle(struct rpc_client *client);
const struct rpc_fault *rpc_client_fault(const struct rpc_client *client);

/* The port that is called, as given or found; 0 for RPC_UNIX. */
uint16_t rpc_client_port(const struct rpc_client *client);

/* Where datagrams go or the connection leads, and the socket: for tests. -1
 * while there is none. */
int rpc_client_fd(const struct rpc_client *client);

void rpc_client_close(struct rpc_client *client); /* NULL is allowed */

#endif
