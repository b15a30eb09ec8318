/* rpc_lookup.c - one call on a connection of its own, by the same message,
 * stream and datagram as a client's: it stands below the client, which asks
 * here before it connects. */
#include "lib/rpc/rpc_lookup.h"

#include <errno.h>
#include <netinet/in.h>
#include <rpc/pmap_prot.h>
#include <rpc/rpcb_prot.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/rpc/rpc_bind.h"
#include "lib/rpc/rpc_datagram.h"
#include "lib/rpc/rpc_stream.h"
#include "lib/tick.h"

enum {
	ASK_MAX = 1024,          /* bytes of a question */
	ANSWER_MAX = 256 * 1024, /* of an answer: a list has many lines */
	RETRY_MS = 250,
	RETRIES = 16,
};

struct question {
	uint32_t program, version, procedure;
	xdrproc_t xdr_args, xdr_answer;
	void *args, *answer;
	uint32_t xid;
};

/* ---- bytes ---- */

static ssize_t encode(const struct question *q, uint8_t *to)
{
	const struct rpc_call call = {
		.xid = q->xid,
		.rpc_version = RPC_MESSAGE_VERSION,
		.program = q->program,
		.version = q->version,
		.procedure = q->procedure,
	};
	ssize_t n = rpc_message_encode_call(to, ASK_MAX, &call);
	XDR xdrs;

	if (n < 0)
		return n;
	xdrmem_create(&xdrs, (char *)to + n, (u_int)(ASK_MAX - n), XDR_ENCODE);
	if (q->xdr_args && !q->xdr_args(&xdrs, q->args))
		return -EMSGSIZE;
	return n + (ssize_t)xdr_getpos(&xdrs);
}

/* Returns 0, -EAGAIN for what is no answer to this question, or -EPROTO for
 * one that is not to be understood. */
static int decode(const struct question *q, const uint8_t *message, size_t n)
{
	struct rpc_reply reply;
	XDR xdrs;

	if (rpc_message_decode_reply(message, n, &reply) || reply.xid != q->xid)
		return -EAGAIN;
	if (!reply.results)
		return -EPROTO;
	xdrmem_create(&xdrs, (char *)(uintptr_t)reply.results,
		      (u_int)reply.results_bytes, XDR_DECODE);
	if (q->xdr_answer(&xdrs, q->answer))
		return 0;
	xdr_free(q->xdr_answer, q->answer);
	return -EPROTO;
}

/* ---- asking ---- */

static int await_record(struct rpc_stream *stream, const struct question *q,
			int64_t deadline)
{
	uint8_t *record;
	ssize_t n;
	int rc;

	for (;;) {
		while ((n = rpc_stream_next(stream, &record)) >= 0) {
			rc = decode(q, record, (size_t)n);
			if (rc != -EAGAIN)
				return rc;
		}
		rc = n == -EAGAIN ? rpc_stream_fill(stream, deadline) : (int)n;
		if (rc)
			return rc;
		/* A host that sends something else all the time does not keep
		 * us. */
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

static int ask_stream(const struct rpc_address *at, const struct question *q,
		      int64_t deadline)
{
	struct rpc_stream stream;
	uint8_t *to;
	ssize_t n;

	rpc_stream_init(&stream, ANSWER_MAX, ASK_MAX + RPC_MESSAGE_WORD);
	n = rpc_stream_connect(&stream, at, deadline);
	if (!n) {
		to = rpc_stream_reserve(&stream, ASK_MAX);
		n = to ? encode(q, to) : -ENOMEM;
	}
	if (n > 0) {
		rpc_stream_put(&stream, (size_t)n);
		n = await_record(&stream, q, deadline);
	}
	rpc_stream_fini(&stream);
	return (int)n;
}

static int await_datagram(struct rpc_datagram *datagram,
			  struct rpc_datagram_call *call,
			  const struct question *q, int64_t deadline)
{
	uint8_t *message;
	int64_t until;
	ssize_t n;
	int rc;

	for (;;) {
		until = call->next_at < deadline ? call->next_at : deadline;
		n = rpc_datagram_receive(datagram, until, &message);
		if (n >= 0) {
			rc = decode(q, message, (size_t)n);
			if (rc != -EAGAIN)
				return rc;
		} else if (n != -ETIMEDOUT) {
			return (int)n;
		}
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		if (!tick_is_over(call->next_at))
			continue;
		rc = rpc_datagram_send(datagram, call);
		if (rc)
			return rc;
	}
}

static int ask_datagram(const struct rpc_address *at, const struct question *q,
			int64_t deadline)
{
	struct rpc_datagram_call call = {.n = 0};
	struct rpc_datagram datagram;
	ssize_t n;

	rpc_datagram_init(&datagram);
	rpc_buffer_init(&call.message, ASK_MAX);
	n = rpc_datagram_connect(&datagram, at);
	if (!n)
		n = rpc_buffer_reserve(&call.message, ASK_MAX);
	if (!n)
		n = encode(q, call.message.bytes);
	if (n > 0) {
		call.n = (size_t)n;
		n = rpc_datagram_start(&datagram, &call, RETRY_MS * TICK_MS,
				       RETRIES);
		if (!n)
			n = await_datagram(&datagram, &call, q, deadline);
	}
	rpc_datagram_fini(&datagram);
	rpc_buffer_fini(&call.message);
	return (int)n;
}

/* ---- the questions ---- */

static int get_port(const struct rpc_lookup *what, const struct rpc_address *at,
		    struct question q, int64_t deadline, u_int *port)
{
	struct pmap args = {
		.pm_prog = what->program,
		.pm_vers = what->version,
		.pm_prot =
			what->transport == RPC_UDP ? IPPROTO_UDP : IPPROTO_TCP,
	};

	q.program = PMAPPROG;
	q.version = PMAPVERS;
	q.procedure = PMAPPROC_GETPORT;
	q.xdr_args = (xdrproc_t)xdr_pmap;
	q.args = &args;
	q.xdr_answer = (xdrproc_t)xdr_u_int;
	q.answer = port;
	return ask_stream(at, &q, deadline);
}

/* The number that text begins with, up to end; -1 when that is no byte. */
static int byte_of(const char *text, const char *end)
{
	char *stop;
	unsigned long value = strtoul(text, &stop, 10);

	return text[0] >= '0' && text[0] <= '9' && stop == end && value <= 255
		       ? (int)value
		       : -1;
}

/* The port in "host.high.low" (RFC 5665); 0: there is none. */
static u_int port_of(const char *address)
{
	const char *end = address + strlen(address);
	const char *low = strrchr(address, '.'), *high = low;
	int bytes[2];

	while (high && high > address && high[-1] != '.')
		high--;
	if (!high || high == address)
		return 0;
	bytes[0] = byte_of(high, low);
	bytes[1] = byte_of(low + 1, end);
	return bytes[0] < 0 || bytes[1] < 0 ? 0
					    : (u_int)(bytes[0] << 8 | bytes[1]);
}

static int get_address(const struct rpc_lookup *what,
		       const struct rpc_address *at, struct question q,
		       int64_t deadline, u_int *port)
{
	const char *netid = what->transport == RPC_UDP ? "udp6" : "tcp6";
	char nothing[] = "", *address = NULL;
	RPCB args = {
		.r_prog = what->program,
		.r_vers = what->version,
		.r_netid = (char *)(uintptr_t)netid, /* only read */
		.r_addr = nothing,
		.r_owner = nothing,
	};
	int rc;

	q.program = RPCBPROG;
	q.version = RPCBVERS4;
	q.procedure = RPCBPROC_GETADDR;
	q.xdr_args = (xdrproc_t)xdr_rpcb;
	q.args = &args;
	q.xdr_answer = (xdrproc_t)xdr_wrapstring;
	q.answer = &address;
	rc = what->transport == RPC_UDP ? ask_datagram(at, &q, deadline)
					: ask_stream(at, &q, deadline);
	*port = !rc && address ? port_of(address) : 0;
	if (!rc)
		xdr_free((xdrproc_t)xdr_wrapstring, (char *)&address);
	return rc;
}

/* Where /etc/services does not know sunrpc, rpcbind listens at its Unix socket
 * alone and tells nobody why. It lists itself as any program. */
static bool is_deaf(struct question q, int64_t deadline)
{
	struct rpc_address path;
	rpcblist_ptr list = NULL;
	bool is_for_others = false;

	q.program = RPCBPROG;
	q.version = RPCBVERS;
	q.procedure = RPCBPROC_DUMP;
	q.xdr_args = NULL;
	q.xdr_answer = (xdrproc_t)xdr_rpcblist_ptr;
	q.answer = &list;
	if (rpc_address_of_path(&path, RPC_BIND_SOCKET) ||
	    ask_stream(&path, &q, deadline))
		return false;
	for (rpcblist_ptr at = list; at; at = at->rpcb_next)
		is_for_others |=
			at->rpcb_map.r_prog == RPCBPROG &&
			(strncmp(at->rpcb_map.r_netid, "tcp", 3) == 0 ||
			 strncmp(at->rpcb_map.r_netid, "udp", 3) == 0);
	xdr_free((xdrproc_t)xdr_rpcblist_ptr, (char *)&list);
	return !is_for_others;
}

enum rpc_fault_kind rpc_lookup_port(const struct rpc_lookup *what,
				    const struct rpc_address *host,
				    int64_t deadline, uint16_t *port,
				    struct rpc_fault *fault)
{
	uint16_t at_port = what->rpcbind_port ? what->rpcbind_port : PMAPPORT;
	struct question q = {.xdr_args = NULL};
	struct rpc_address at = *host;
	u_int found = 0;
	int rc;

	/* Not to be guessed by who cannot see it. */
	if (getrandom(&q.xid, sizeof(q.xid), GRND_NONBLOCK) != sizeof(q.xid))
		q.xid = (uint32_t)tick_now();
	rpc_address_set_port(&at, at_port);
	rc = at.storage.ss_family == AF_INET6
		     ? get_address(what, &at, q, deadline, &found)
		     : get_port(what, &at, q, deadline, &found);
	if (rc == -ECONNREFUSED && at_port == PMAPPORT &&
	    rpc_address_is_loopback(host) && is_deaf(q, deadline))
		rc = -EPROTONOSUPPORT;
	*fault = (struct rpc_fault){0};
	if (rc == -EINTR)
		fault->kind = RPC_FAULT_INTERRUPTED;
	else if (rc)
		*fault = (struct rpc_fault){.kind = RPC_FAULT_NO_RPCBIND,
					    .error = -rc};
	else if (found == 0 || found > UINT16_MAX)
		fault->kind = RPC_FAULT_NOT_REGISTERED;
	*port = (uint16_t)found;
	return fault->kind;
}
