/* rpc_client.c - what goes into a call and comes out of a reply. How the
 * bytes get there and back is rpc_exchange.c's. */
#include "lib/rpc/rpc_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/rpc/rpc_buffer.h"
#include "lib/rpc/rpc_exchange.h"
#include "lib/rpc/rpc_handle.h"
#include "lib/rpc/rpc_message.h"
#include "lib/tick.h"

enum { RPC_VERSION = 2, HEADER = 24, DATAGRAM_MAX = 65507 };

struct rpc_client {
	struct rpc_exchange exchange;
	struct rpc_buffer request; /* RPC_RECORD_MARK, then the message */
	uint32_t xid;
	AUTH *none; /* libtirpc's one and only AUTH_NONE */
	CLIENT handle;
	struct rpc_fault fault;
};

static enum rpc_fault_kind fail(struct rpc_fault *fault,
				enum rpc_fault_kind kind, int error,
				bool was_sent)
{
	rpc_exchange_fail(fault, kind, error, was_sent);
	return kind;
}

/* For a procedure without arguments, or without a result. */
static bool_t xdr_nothing(XDR *xdrs, void *nothing)
{
	(void)xdrs, (void)nothing;
	return TRUE;
}

/* ---- the call ---- */

static bool encode_into(struct rpc_client *client, XDR *xdrs,
			xdrproc_t xdr_args, void *args)
{
	AUTH *auth = client->handle.cl_auth;
	const uint32_t nobody[4] = {0};

	if (auth == client->none)
		return XDR_PUTBYTES(xdrs, (const char *)nobody,
				    sizeof(nobody)) &&
		       xdr_args(xdrs, args);
	return AUTH_MARSHALL(auth, xdrs) &&
	       AUTH_WRAP(auth, xdrs, xdr_args, args);
}

/* What is called, and with what. */
struct job {
	struct rpc_client *client;
	uint32_t procedure;
	xdrproc_t xdr_args;
	void *args;
};

/* Written again into more room, if there was too little. */
static int encode(struct rpc_exchange_message *message, void *arg)
{
	const struct job *job = arg;
	struct rpc_client *client = job->client;
	const struct rpc_client_options *options = &client->exchange.options;
	struct rpc_buffer *request = &client->request;
	size_t size = RPC_BUFFER_START;
	uint8_t *at;
	XDR xdrs = {0};

	do {
		if (rpc_buffer_reserve(request, size))
			return -EMSGSIZE;
		at = request->bytes + RPC_RECORD_MARK;
		at = rpc_message_put32(at, client->xid);
		at = rpc_message_put32(at, CALL);
		at = rpc_message_put32(at, RPC_VERSION);
		at = rpc_message_put32(at, options->program);
		at = rpc_message_put32(at, options->version);
		at = rpc_message_put32(at, job->procedure);
		xdrmem_create(&xdrs, (char *)at,
			      (u_int)(request->size - RPC_RECORD_MARK - HEADER),
			      XDR_ENCODE);
		if (encode_into(client, &xdrs, job->xdr_args, job->args)) {
			message->bytes = request->bytes;
			message->n = xdr_getpos(&xdrs) + HEADER;
			return 0;
		}
		size = request->size + 1;
	} while (request->size < request->limit);
	return -EMSGSIZE;
}

/* ---- the reply ---- */

static enum rpc_fault_kind decode(struct rpc_client *client,
				  const struct rpc_reply *reply,
				  xdrproc_t xdr_result, void *result,
				  struct rpc_fault *fault)
{
	struct opaque_auth verf = {
		.oa_flavor = (enum_t)reply->verf.flavor,
		.oa_base = (char *)(uintptr_t)reply->verf.body,
		.oa_length = reply->verf.bytes,
	};
	AUTH *auth = client->handle.cl_auth;
	bool is_whole;
	XDR xdrs;

	xdrmem_create(&xdrs, (char *)(uintptr_t)reply->results,
		      (u_int)reply->results_bytes, XDR_DECODE);
	if (auth == client->none) {
		is_whole = xdr_result(&xdrs, result);
	} else {
		if (!AUTH_VALIDATE(auth, &verf)) {
			fail(fault, RPC_FAULT_VERIFIER, 0, true);
			return fault->kind;
		}
		is_whole = AUTH_UNWRAP(auth, &xdrs, xdr_result, result);
	}
	if (is_whole)
		return RPC_FAULT_NONE;
	xdr_free(xdr_result, result);
	return fail(fault, RPC_FAULT_BAD_REPLY, 0, true);
}

/* Other credentials may do: libtirpc's flavors want the message for that. */
static bool refresh(struct rpc_client *client, const struct rpc_fault *fault)
{
	struct rpc_msg message = {.rm_xid = client->xid, .rm_direction = REPLY};
	AUTH *auth = client->handle.cl_auth;

	if (fault->kind != RPC_FAULT_AUTH || auth == client->none)
		return false;
	message.rm_reply.rp_stat = MSG_DENIED;
	message.rjcted_rply.rj_stat = AUTH_ERROR;
	message.rjcted_rply.rj_why = fault->why;
	return AUTH_REFRESH(auth, &message);
}

static enum rpc_fault_kind call_once(struct job *job, int64_t deadline,
				     struct rpc_reply *reply)
{
	struct rpc_exchange_message message = {.remake = encode, .arg = job};
	struct rpc_client *client = job->client;
	struct rpc_fault *fault = &client->fault;
	uint8_t *bytes;
	ssize_t n;

	client->xid++;
	if (encode(&message, job))
		return fail(fault, RPC_FAULT_ARGS, 0, false);
	n = rpc_exchange_call(&client->exchange, &message, deadline, &bytes,
			      fault);
	if (n < 0)
		return fault->kind;
	if (rpc_message_decode_reply(bytes, (size_t)n, reply)) {
		rpc_exchange_drop(&client->exchange);
		return fail(fault, RPC_FAULT_BAD_REPLY, EBADMSG, true);
	}
	*fault = rpc_fault_of_reply(reply);
	return fault->kind;
}

enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault)
{
	int64_t deadline = tick_after(client->exchange.options.timeout_ns);
	struct job job = {
		.client = client,
		.procedure = procedure,
		.xdr_args = xdr_args ? xdr_args : (xdrproc_t)xdr_nothing,
		.args = (void *)(uintptr_t)args, /* only read */
	};
	struct rpc_reply reply = {0};

	if (!xdr_result)
		xdr_result = (xdrproc_t)xdr_nothing;
	client->fault = (struct rpc_fault){0};
	if (call_once(&job, deadline, &reply) &&
	    refresh(client, &client->fault))
		call_once(&job, deadline, &reply);
	if (client->fault.kind == RPC_FAULT_NONE)
		decode(client, &reply, xdr_result, result, &client->fault);
	rpc_buffer_relax(&client->request, 0);
	*fault = client->fault;
	return fault->kind;
}

/* ---- settings ---- */

void rpc_client_set_version(struct rpc_client *client, uint32_t version)
{
	client->exchange.options.version = version;
}

void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns)
{
	client->exchange.options.timeout_ns = timeout_ns;
}

void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat)
{
	client->exchange.options.may_repeat = may_repeat;
}

void rpc_client_set_xid(struct rpc_client *client, uint32_t xid)
{
	client->xid = xid - 1;
}

void rpc_client_set_auth(struct rpc_client *client, AUTH *auth)
{
	AUTH *old = client->handle.cl_auth;

	client->handle.cl_auth = auth ? auth : client->none;
	if (old != client->none && old != auth)
		auth_destroy(old);
}

CLIENT *rpc_client_handle(struct rpc_client *client)
{
	return &client->handle;
}

const struct rpc_fault *rpc_client_fault(const struct rpc_client *client)
{
	return &client->fault;
}

uint16_t rpc_client_port(const struct rpc_client *client)
{
	return client->exchange.port;
}

int rpc_client_fd(const struct rpc_client *client)
{
	return client->exchange.fd;
}

/* ---- life ---- */

/* Not to be guessed, nor to be the same as that of the process before us. */
static uint32_t first_xid(void)
{
	uint32_t xid;

	if (getrandom(&xid, sizeof(xid), GRND_NONBLOCK) != sizeof(xid))
		xid = (uint32_t)tick_now();
	return xid;
}

enum rpc_fault_kind rpc_client_open(struct rpc_client **out,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	*out = NULL;
	*fault = (struct rpc_fault){0};
	if (!client)
		return fail(fault, RPC_FAULT_LOCAL, ENOMEM, false);
	if (rpc_exchange_open(&client->exchange, options, fault)) {
		free(client);
		return fault->kind;
	}
	rpc_buffer_init(
		&client->request,
		RPC_RECORD_MARK +
			(options->transport == RPC_UDP
				 ? (size_t)DATAGRAM_MAX
				 : client->exchange.options.max_record_bytes));
	client->xid = first_xid();
	client->none = authnone_create();
	rpc_handle_init(&client->handle, client);
	client->handle.cl_auth = client->none;
	*out = client;
	return RPC_FAULT_NONE;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	rpc_client_set_auth(client, NULL);
	rpc_exchange_close(&client->exchange);
	rpc_buffer_fini(&client->request);
	free(client);
}
