/* rpc_client.h - calls to a program, each with a deadline: one at a time, or
 * many in flight.
 *
 * Not libtirpc's client: that one connects for minutes, dies with the first
 * broken connection and tells too few failures apart. But its AUTH does the
 * credentials, and rpc_client_handle() is a CLIENT for rpcgen's stubs, so
 * that `add_1(&operands, &result, rpc_client_handle(client))` works.
 *
 * rpc_client_call() waits for its reply. rpc_client_start() does not: its
 * callback is called when the call has ended, from rpc_client_process(), which
 * a poll loop of the caller's calls when rpc_client_poll_fd() is readable, or
 * from any other function that waits for a reply. Replies may come in any
 * order.
 *
 * TCP and Unix: a connection that is lost is made again by the next call,
 * waiting longer from time to time. UDP: a call without a reply is
 * retransmitted: the same bytes, with the same xid, which the duplicate request
 * cache of the server (rpc_drc.h) recognises.
 * A call whose connection broke after it was sent is repeated only by
 * rpc_client_call(), and if the caller says that may be (may_repeat), as
 * nobody knows whether it was done; with the same xid and arguments, and
 * credentials made anew. A call that was started is never repeated over another
 * connection: it ends, and its fault says whether it may have been done.
 *
 * A client is for one thread at a time, and after fork(2) for one of the two
 * processes. No signal is raised; a signal handler that runs ends the call that
 * is waited for (RPC_FAULT_INTERRUPTED). */
#ifndef UNIXIPC_LIB_RPC_RPC_CLIENT_H
#define UNIXIPC_LIB_RPC_RPC_CLIENT_H

#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "lib/rpc/rpc_fault.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_stream;

struct rpc_client_options {
	enum rpc_transport transport;
	const char *host; /* RPC_TCP, RPC_UDP: a name, 127.0.0.1, ::1 or [::1];
			   * all its addresses are tried. NULL: localhost */
	uint16_t port;    /* 0: ask rpcbind on that host */
	uint16_t rpcbind_port; /* 0: 111 */
	const char *unix_path; /* RPC_UNIX */
	uint32_t program, version;
	/* Zero takes the default in brackets. */
	int64_t connect_ns; /* [5 s] for resolving, asking rpcbind and
			       * connecting together; timeout_ns at most */
	int64_t timeout_ns; /* [25 s] for a call, with all its repetitions, and
			       * with connecting where that is needed. The first
			       * call has so much less as opening took */
	int64_t retry_ns;   /* [500 ms] UDP: until a retransmission; doubled
			      * each time. Others: before the second attempt
			      * to connect [50 ms] */
	unsigned int retries; /* 0: none. UDP: retransmissions of a call.
			       * Others: how often a connection is tried again
			       * in one call, and a lost call repeated */
	bool may_repeat; /* calls may be repeated after a lost connection */
	size_t max_record_bytes;    /* [1 MiB] of a call or a reply */
	unsigned int max_in_flight; /* [64] rounded up to a power of two */
	/* Each message that is sent (also again) or has come. NULL: nobody
	 * looks. */
	void (*trace)(bool is_sent, const uint8_t *message, size_t n,
		      void *arg);
	/* Not UDP: after each connect, and before any call: start TLS, by
	 * records on the stream or rpc_stream_set_layer(). Returns 0, or
	 * -errno: nobody is called. NULL: nothing is to be done. */
	int (*secure)(struct rpc_stream *stream, int64_t deadline, void *arg);
	void *arg; /* of these two */
};

struct rpc_client; /* opaque */

/* Find the program and connect. *options is copied with its strings. Returns 0
 * and *out, or the kind of *fault. UDP connects to nobody: only the first call
 * shows that no server is there. */
enum rpc_fault_kind rpc_client_open(struct rpc_client **out,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault);

/* ---- one call at a time ---- */

/* Call a procedure and decode its result, of which the caller frees what it
 * points to by xdr_free(). NULL for xdr_args or xdr_result: there is none.
 * *result must be zeroed before. Returns 0, or the
 * kind of *fault, with *result unchanged (but freed and to be zeroed again
 * after RPC_FAULT_BAD_REPLY). Other calls may be in flight, and end meanwhile. */
enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault);

/* ---- many in flight ---- */

struct rpc_client_request {
	uint32_t procedure;
	xdrproc_t xdr_args, xdr_result; /* as above */
	const void *args;               /* until done is called */
	void *result;
	/* The call has ended: fault->kind is RPC_FAULT_NONE, and *result as
	 * above, or it says what is known. It may start other calls, and must
	 * not close the client. */
	void (*done)(const struct rpc_fault *fault, void *arg);
	void *arg;
};

/* Start a call, whose time runs from now. Does not wait for the server, but
 * for a connection where there is none (connect_ns), or for calls that the
 * flavor makes first. On a stream where other calls are in flight it may leave
 * only with the next rpc_client_process() or rpc_client_wait() (poll_fd is
 * readable then), together with them: one system call for all. Returns 0: done
 * is called once, perhaps before this returns; or the kind of *fault: it was
 * not sent, and done is not called. RPC_FAULT_LOCAL with EAGAIN: max_in_flight
 * are, or no more can be queued before the server takes some. */
enum rpc_fault_kind rpc_client_start(struct rpc_client *client,
				     const struct rpc_client_request *request,
				     struct rpc_fault *fault);

size_t rpc_client_in_flight(const struct rpc_client *client);

/* A descriptor, always the same, that is readable when rpc_client_process() has
 * something to do: a reply has come, the server takes more, or time is over. It
 * is the client's and is made by the first call. Returns it or -errno. */
int rpc_client_poll_fd(struct rpc_client *client);

/* Do what can be done without waiting. Returns how many calls have ended. */
unsigned int rpc_client_process(struct rpc_client *client);

/* Wait until a call has ended, or until the deadline. Returns how many have, 0
 * when none is in flight, -ETIMEDOUT or -EINTR (a signal handler ran, or we were
 * stopped, as by Ctrl-Z, and go on: signal(7)). */
int rpc_client_wait(struct rpc_client *client, int64_t deadline);

/* ---- settings, for the calls that follow ---- */

void rpc_client_set_version(struct rpc_client *client, uint32_t version);
void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns);
void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat);

/* The credentials: authunix_create() or one of your own; NULL: AUTH_NONE. The
 * client destroys it (auth_destroy()) when it gets another, or closes. A
 * denial is passed to its refresh operation once, and the call sent again
 * (with a new xid) when that succeeds. An AUTH knows nothing of many calls in
 * flight: one that ties a reply to the call before it takes one at a time. */
void rpc_client_set_auth(struct rpc_client *client, AUTH *auth);

/* The same for a flavor of ours, which is copied. */
void rpc_client_set_flavor(struct rpc_client *client,
			   const struct rpc_auth_client *flavor);

/* The next xid will be this one: tests repeat a call by it. */
void rpc_client_set_xid(struct rpc_client *client, uint32_t xid);

/* A client handle of rpc(3) over the same connection, owned by the client: for
 * rpcgen's stubs and clnt_call(). The timeout of clnt_call() is not looked at:
 * it is that of the client (clnt_control(CLSET_TIMEOUT) sets it).
 * clnt_destroy() does nothing; its cl_auth is what rpc_client_set_auth() was
 * given. After a stub has failed rpc_client_fault() says how. */
CLIENT *rpc_client_handle(struct rpc_client *client);
const struct rpc_fault *rpc_client_fault(const struct rpc_client *client);

/* The port that is called, as given or found; 0 for RPC_UNIX. */
uint16_t rpc_client_port(const struct rpc_client *client);

/* Where datagrams go or the connection leads, and the socket: for tests. -1
 * while there is none. */
int rpc_client_fd(const struct rpc_client *client);

/* Calls in flight end first, by RPC_FAULT_LOCAL with ECANCELED, and so does what
 * their callbacks start. NULL is allowed. */
void rpc_client_close(struct rpc_client *client);

#ifdef __cplusplus
}
#endif

#endif
