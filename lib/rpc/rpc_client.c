/* rpc_client.c - calls in flight, found by their xid: a table in which a call
 * has the place that the last bits of its xid say. A xid whose place is taken
 * is passed over.
 *
 * On its way down a call passes rpc_client, rpc_message, and rpc_stream or
 * rpc_datagram; its reply comes up the same way, and nobody below calls
 * back. What the others know nothing of is decided here: which address, when to
 * connect, when it is too late, and whether a call that has ended may have been
 * done. A call is done only when the server has all of its record, so one that
 * did not leave as a whole was not done. */
#include "lib/rpc/rpc_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_address.h"
#include "lib/rpc/rpc_clnt.h"
#include "lib/rpc/rpc_datagram.h"
#include "lib/rpc/rpc_lookup.h"
#include "lib/rpc/rpc_record.h"
#include "lib/rpc/rpc_stream.h"
#include "lib/tick.h"

enum {
	MAX_RECORD_BYTES = 1 << 20,
	MAX_IN_FLIGHT = 64,
	MAX_IN_FLIGHT_LIMIT = 1 << 16,
	QUEUE_BYTES = 256 * 1024, /* beside one record of the largest size */
	/* So much is sent without waiting for more. */
	TOGETHER_BYTES = 16 * 1024,
	NO_CREDENTIALS = 16, /* bytes of AUTH_NONE, twice */
	/* A connection that was quiet for so long is looked at before it is
	 * used: the server may have closed it. */
	QUIET_MS = 500,
	BACK_OFF_MAX_MS = 2000,
};

/* One in flight. */
struct call {
	bool is_used;
	bool was_refreshed;
	bool is_of_flavor;   /* one that the flavor makes before others */
	bool is_denied;      /* to be tried again when that is done */
	bool is_lost;        /* its connection has gone */
	bool must_move;      /* UDP: nobody was at this address */
	unsigned int others; /* UDP: addresses that were not tried */
	uint32_t xid;
	int64_t deadline;
	uint64_t token; /* the flavor's */
	uint64_t end;   /* streams: where its record ends among all */
	struct rpc_datagram_call datagram;
	struct rpc_client_request request;
};

struct rpc_client {
	struct rpc_client_options options; /* no zeroes left; strings ours */
	struct rpc_address addresses[RPC_ADDRESS_MOST];
	uint16_t ports[RPC_ADDRESS_MOST]; /* 0: to be asked for */
	size_t n_addresses;               /* 0: to be resolved */
	size_t index;                     /* of the one that is called */
	struct rpc_stream stream;
	struct rpc_datagram datagram; /* one of the two is used */
	struct call *calls;           /* max_in_flight of them */
	size_t in_flight;
	unsigned int n_ended; /* calls, so far */
	uint32_t xid;         /* the last one */
	int64_t next_at;      /* nothing is due before that */
	int64_t last_at;      /* when something came */
	int64_t spent_ns;     /* for opening, of the first call's time */
	int64_t latest;       /* end of the call that a flavor prepares */
	bool is_preparing, is_restarting;
	bool is_held; /* what is started is sent a little later, together */
	/* For poll loops; -1: nobody has asked for it. */
	int poll_fd, timer_fd;
	int watched_fd; /* the socket in poll_fd; -1: none */
	uint32_t watched;
	int64_t armed_at;
	bool has_flavor; /* else AUTH_NONE */
	struct rpc_auth_client flavor;
	AUTH *none; /* libtirpc's one and only AUTH_NONE */
	CLIENT handle;
	struct rpc_fault fault;
};

static enum rpc_fault_kind fail(struct rpc_fault *fault,
				enum rpc_fault_kind kind, int error,
				bool was_sent)
{
	*fault = (struct rpc_fault){
		.kind = kind, .error = error, .was_sent = was_sent};
	return kind;
}

static bool is_datagram(const struct rpc_client *client)
{
	return client->options.transport == RPC_UDP;
}

/* For a procedure without arguments, or without a result. */
static bool_t xdr_nothing(XDR *xdrs, void *nothing)
{
	(void)xdrs, (void)nothing;
	return TRUE;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- finding and connecting ---- */

static bool is_open(const struct rpc_client *client)
{
	return is_datagram(client) ? rpc_datagram_is_open(&client->datagram)
				   : rpc_stream_is_open(&client->stream);
}

static void disconnect(struct rpc_client *client)
{
	rpc_stream_close(&client->stream);
	rpc_datagram_close(&client->datagram);
	client->watched_fd = -1; /* the kernel takes it out itself */
}

static enum rpc_fault_kind resolve(struct rpc_client *client, int64_t deadline,
				   struct rpc_fault *fault)
{
	int error = 0, n;

	client->index = 0;
	if (client->options.transport == RPC_UNIX) {
		n = rpc_address_of_path(&client->addresses[0],
					client->options.unix_path);
		if (n < 0)
			return fail(fault, RPC_FAULT_LOCAL, -n, false);
		client->n_addresses = 1;
		return RPC_FAULT_NONE;
	}
	n = rpc_address_resolve(client->addresses, client->options.host,
				deadline, &error);
	if (n < 0)
		return fail(fault,
			    n == -EINTR ? RPC_FAULT_INTERRUPTED
					: RPC_FAULT_LOCAL,
			    n == -EINTR ? 0 : -n, false);
	if (n == 0)
		return fail(fault, RPC_FAULT_HOST, error ? error : EAI_NONAME,
			    false);
	client->n_addresses = (size_t)n;
	for (int i = 0; i < n; i++)
		client->ports[i] = client->options.port;
	return RPC_FAULT_NONE;
}

static enum rpc_fault_kind find_port(struct rpc_client *client, size_t i,
				     int64_t deadline, struct rpc_fault *fault)
{
	const struct rpc_lookup what = {
		.program = client->options.program,
		.version = client->options.version,
		.transport = client->options.transport,
		.rpcbind_port = client->options.rpcbind_port,
	};

	if (client->options.transport == RPC_UNIX)
		return RPC_FAULT_NONE;
	if (!client->ports[i] &&
	    rpc_lookup_port(&what, &client->addresses[i], deadline,
			    &client->ports[i], fault))
		return fault->kind;
	rpc_address_set_port(&client->addresses[i], client->ports[i]);
	return RPC_FAULT_NONE;
}

static enum rpc_fault_kind connect_to(struct rpc_client *client, size_t i,
				      int64_t deadline, struct rpc_fault *fault)
{
	int rc;

	if (find_port(client, i, deadline, fault))
		return fault->kind;
	if (is_datagram(client)) {
		rc = rpc_datagram_connect(&client->datagram,
					  &client->addresses[i]);
	} else {
		rc = rpc_stream_connect(&client->stream, &client->addresses[i],
					deadline);
		if (!rc && client->options.secure)
			rc = client->options.secure(&client->stream, deadline,
						    client->options.arg);
	}
	if (!rc) {
		client->index = i;
		client->last_at = tick_now();
		return RPC_FAULT_NONE;
	}
	disconnect(client);
	if (rc == -EINTR)
		return fail(fault, RPC_FAULT_INTERRUPTED, 0, false);
	return fail(fault, RPC_FAULT_UNREACHABLE, -rc, false);
}

/* Of the failures of several addresses the one that says most. */
static int weight(const struct rpc_fault *fault)
{
	switch (fault->kind) {
	case RPC_FAULT_NONE:
		return 0;
	case RPC_FAULT_NO_RPCBIND:
		return fault->error == EPROTONOSUPPORT ? 2 : 1;
	case RPC_FAULT_NOT_REGISTERED:
		return 3;
	default:
		return 4;
	}
}

/* To the first address that takes us; each gets its share of the time. */
static enum rpc_fault_kind connect_any(struct rpc_client *client,
				       int64_t deadline,
				       struct rpc_fault *fault)
{
	struct rpc_fault worst = {.kind = RPC_FAULT_NONE};

	if (client->n_addresses == 0 && resolve(client, deadline, fault))
		return fault->kind;
	for (size_t i = client->index; i < client->n_addresses; i++) {
		int64_t share = tick_left(deadline) /
				(int64_t)(client->n_addresses - i);

		*fault = (struct rpc_fault){0};
		connect_to(client, i, tick_after(share), fault);
		if (fault->kind == RPC_FAULT_NONE ||
		    fault->kind == RPC_FAULT_INTERRUPTED)
			return fault->kind;
		if (weight(fault) >= weight(&worst))
			worst = *fault;
	}
	/* Perhaps they are somewhere else by now. */
	client->n_addresses = 0;
	*fault = worst;
	return fault->kind;
}

static enum rpc_fault_kind be_connected(struct rpc_client *client,
					int64_t deadline,
					struct rpc_fault *fault)
{
	*fault = (struct rpc_fault){0};
	if (is_open(client) && !is_datagram(client) && client->in_flight == 0 &&
	    tick_now() - client->last_at > QUIET_MS * TICK_MS &&
	    rpc_stream_is_gone(&client->stream))
		disconnect(client);
	if (is_open(client))
		return RPC_FAULT_NONE;
	return connect_any(
		client,
		earlier(deadline, tick_after(client->options.connect_ns)),
		fault);
}

/* ---- calls in the table ---- */

static struct call *place_of(struct rpc_client *client, uint32_t xid)
{
	return &client->calls[xid & (client->options.max_in_flight - 1)];
}

/* There is one that is free. */
static struct call *take_place(struct rpc_client *client,
			       const struct rpc_client_request *request,
			       int64_t deadline)
{
	struct call *call;
	struct rpc_buffer kept;

	do
		call = place_of(client, ++client->xid);
	while (call->is_used);
	kept = call->datagram.message;
	*call = (struct call){
		.is_used = true,
		.others = (unsigned int)client->n_addresses,
		.xid = client->xid,
		.deadline = deadline,
		.datagram = {.message = kept, .next_at = TICK_NEVER},
		.request = *request,
	};
	client->in_flight++;
	return call;
}

static void leave_place(struct rpc_client *client, struct call *call)
{
	call->is_used = false;
	rpc_buffer_relax(&call->datagram.message, 0);
	if (--client->in_flight == 0)
		client->next_at = TICK_NEVER;
}

static void finish(struct rpc_client *client, struct call *call,
		   const struct rpc_fault *fault)
{
	struct rpc_client_request request = call->request;
	struct rpc_fault copy = *fault;

	leave_place(client, call);
	client->n_ended++;
	request.done(&copy, request.arg);
}

static void finish_by(struct rpc_client *client, struct call *call,
		      enum rpc_fault_kind kind, int error, bool was_sent)
{
	struct rpc_fault fault;

	fail(&fault, kind, error, was_sent);
	finish(client, call, &fault);
}

/* Nothing of call is due before that. */
static void note_time(struct rpc_client *client, const struct call *call)
{
	client->next_at =
		earlier(client->next_at,
			earlier(call->deadline, call->datagram.next_at));
}

/* Whether all of it has left us. */
static bool was_sent(const struct rpc_client *client, const struct call *call)
{
	return is_datagram(client)
		       ? call->datagram.sent > call->datagram.refused
		       : client->stream.n_sent >= call->end;
}

/* The connection is of no use: all that are in flight end. Their callbacks may
 * start others, on another connection. */
static void lose(struct rpc_client *client, enum rpc_fault_kind kind_if_sent,
		 int error)
{
	struct call *calls = client->calls;
	uint64_t n_sent = client->stream.n_sent;

	disconnect(client);
	for (size_t i = 0; i < client->options.max_in_flight; i++)
		calls[i].is_lost = calls[i].is_used;
	for (size_t i = 0; i < client->options.max_in_flight; i++) {
		bool is_sent = n_sent >= calls[i].end;

		if (calls[i].is_used && calls[i].is_lost)
			finish_by(client, &calls[i],
				  is_sent ? kind_if_sent
					  : RPC_FAULT_UNREACHABLE,
				  error, is_sent);
	}
}

/* It has no time left, or is not waited for any more. A stream with half of a
 * call in its queue is closed, if nobody else needs it: then it is known that
 * the call was not done. And where all of it was sent, the reply is not to keep
 * the next call waiting. */
static void give_up(struct rpc_client *client, struct call *call,
		    enum rpc_fault_kind kind)
{
	bool is_sent = was_sent(client, call),
	     is_alone = client->in_flight == 1;

	if (!is_datagram(client) && is_alone)
		disconnect(client);
	else if (!is_datagram(client))
		is_sent = true; /* now or later */
	if (kind == RPC_FAULT_TIMED_OUT && !is_sent)
		finish_by(client, call, RPC_FAULT_UNREACHABLE,
			  is_datagram(client) ? ECONNREFUSED : ETIMEDOUT,
			  false);
	else
		finish_by(client, call, kind, 0, is_sent);
}

/* ---- a call as bytes ---- */

/* Returns the length of the message, -EMSGSIZE when it has no room (or cannot
 * be encoded), or another -errno. */
static ssize_t encode(struct rpc_client *client, struct call *call, uint8_t *to,
		      size_t room)
{
	const struct rpc_call header = {
		.xid = call->xid,
		.rpc_version = RPC_MESSAGE_VERSION,
		.program = client->options.program,
		.version = client->options.version,
		.procedure = call->request.procedure,
	};
	const struct rpc_auth_client *flavor =
		client->has_flavor ? &client->flavor : NULL;
	void *args = (void *)(uintptr_t)call->request.args; /* only read */
	ssize_t n = rpc_message_encode_call(to, room, &header);
	bool is_whole;
	XDR xdrs;

	if (n > 0 && flavor)
		n = flavor->seal(flavor->state, &call->token, to,
				 (size_t)n - NO_CREDENTIALS, room);
	if (n < 0)
		return n;
	xdrmem_create(&xdrs, (char *)to + n, (u_int)(room - (size_t)n),
		      XDR_ENCODE);
	if (flavor && flavor->wrap)
		is_whole = flavor->wrap(flavor->state, call->token, &xdrs,
					call->request.xdr_args, args);
	else
		is_whole = call->request.xdr_args(&xdrs, args);
	return is_whole ? n + (ssize_t)xdr_getpos(&xdrs) : -EMSGSIZE;
}

/* Where a message of size bytes can be written. */
static uint8_t *reserve(struct rpc_client *client, struct call *call,
			size_t size)
{
	if (!is_datagram(client))
		return rpc_stream_reserve(&client->stream, size);
	return rpc_buffer_reserve(&call->datagram.message, size)
		       ? NULL
		       : call->datagram.message.bytes;
}

/* Written again into more room, if there was too little. Returns the length and
 * *at, or -errno: -EAGAIN when others are in the way. */
static ssize_t write_message(struct rpc_client *client, struct call *call,
			     uint8_t **at)
{
	size_t most = is_datagram(client) ? (size_t)RPC_DATAGRAM_MAX
					  : client->options.max_record_bytes;
	size_t size = RPC_BUFFER_START - RPC_RECORD_MARK;
	ssize_t n;

	for (;; size *= 2) {
		if (size > most)
			size = most;
		*at = reserve(client, call, size);
		if (!*at)
			return client->in_flight > 1 ? -EAGAIN : -ENOMEM;
		n = encode(client, call, *at, size);
		if (n != -EMSGSIZE || size == most)
			return n;
	}
}

static void trace(const struct rpc_client *client, bool is_sent,
		  const uint8_t *message, size_t n)
{
	if (client->options.trace)
		client->options.trace(is_sent, message, n, client->options.arg);
}

/* ---- sending ---- */

/* What is in the stream's queue. */
static void flush(struct rpc_client *client)
{
	int rc = 0;

	if (!client->is_held && is_open(client) && !is_datagram(client))
		rc = rpc_stream_flush(&client->stream);
	if (rc)
		lose(client, RPC_FAULT_LOST, rc == -EPIPE ? 0 : -rc);
}

/* UDP: nobody is at that address: take the next, or look where they are. */
static enum rpc_fault_kind move_on(struct rpc_client *client, int64_t deadline,
				   struct rpc_fault *fault)
{
	disconnect(client);
	if (client->index + 1 < client->n_addresses)
		client->index++;
	else
		client->n_addresses = 0;
	return be_connected(client, deadline, fault);
}

static void send_again(struct rpc_client *client, struct call *call);

/* UDP: the kernel says that nobody is there. Whom that is about is known only
 * if one call is in flight; of more, each waits until it is sent again. */
static void refused(struct rpc_client *client, struct call *call, int error)
{
	struct rpc_datagram_call *datagram = &call->datagram;

	if (client->in_flight > 1)
		return;
	datagram->refused++;
	call->must_move = true;
	if (call->others > 1) {
		/* At once, and not counted: to find the server. */
		call->others--;
		datagram->resends_left++;
		send_again(client, call);
	} else if (datagram->resends_left == 0) {
		if (datagram->sent > datagram->refused)
			finish_by(client, call, RPC_FAULT_TIMED_OUT, 0, true);
		else
			finish_by(client, call, RPC_FAULT_UNREACHABLE, error,
				  false);
	}
}

static void after_send(struct rpc_client *client, struct call *call, int rc)
{
	note_time(client, call);
	if (rc == -EMSGSIZE)
		finish_by(client, call, RPC_FAULT_ARGS, EMSGSIZE,
			  call->datagram.sent > call->datagram.refused + 1);
	else if (rc)
		refused(client, call, -rc);
}

static void send_again(struct rpc_client *client, struct call *call)
{
	struct rpc_fault fault;

	if (call->must_move && move_on(client, call->deadline, &fault)) {
		/* It may have been done before that. */
		if (call->datagram.sent > call->datagram.refused)
			fail(&fault, RPC_FAULT_TIMED_OUT, 0, true);
		finish(client, call, &fault);
		return;
	}
	call->must_move = false;
	trace(client, true, call->datagram.message.bytes, call->datagram.n);
	after_send(client, call,
		   rpc_datagram_send(&client->datagram, &call->datagram));
}

/* Returns 0, or why it could not be put on its way: then it has no place any
 * more. */
static enum rpc_fault_kind put(struct rpc_client *client, struct call *call,
			       struct rpc_fault *fault)
{
	uint8_t *at;
	ssize_t n = write_message(client, call, &at);

	if (n < 0) {
		leave_place(client, call);
		if (n == -EAGAIN || n == -ENOMEM)
			return fail(fault, RPC_FAULT_LOCAL, (int)-n, false);
		return fail(fault, RPC_FAULT_ARGS, n == -EMSGSIZE ? 0 : (int)-n,
			    false);
	}
	trace(client, true, at, (size_t)n);
	if (is_datagram(client)) {
		call->datagram.n = (size_t)n;
		after_send(client, call,
			   rpc_datagram_start(&client->datagram,
					      &call->datagram,
					      client->options.retry_ns,
					      client->options.retries));
		return RPC_FAULT_NONE;
	}
	rpc_stream_put(&client->stream, (size_t)n);
	call->end = client->stream.n_put;
	note_time(client, call);
	if (client->in_flight == 1 ||
	    call->end - client->stream.n_sent >= TOGETHER_BYTES)
		flush(client);
	return RPC_FAULT_NONE;
}

static void restart(struct rpc_client *client, struct call *call);

/* Those that were denied while the flavor was at work. */
static void restart_denied(struct rpc_client *client,
			   const struct rpc_fault *fault)
{
	/* Each that is started anew comes by here. */
	if (client->is_restarting)
		return;
	client->is_restarting = true;
	for (size_t i = 0; i < client->options.max_in_flight; i++) {
		struct call *call = &client->calls[i];

		if (!call->is_used || !call->is_denied)
			continue;
		if (fault->kind)
			finish(client, call, fault);
		else
			restart(client, call);
	}
	client->is_restarting = false;
}

static enum rpc_fault_kind prepare(struct rpc_client *client, int64_t deadline,
				   struct rpc_fault *fault)
{
	enum rpc_fault_kind kind;

	if (!client->has_flavor || !client->flavor.prepare ||
	    client->is_preparing)
		return RPC_FAULT_NONE;
	client->is_preparing = true;
	client->latest = deadline;
	kind = client->flavor.prepare(client->flavor.state, client, fault);
	client->is_preparing = false;
	client->latest = TICK_NEVER;
	restart_denied(client, fault);
	return kind;
}

static enum rpc_fault_kind start(struct rpc_client *client,
				 const struct rpc_client_request *request,
				 int64_t deadline, bool was_refreshed,
				 struct rpc_fault *fault)
{
	struct call *call;

	*fault = (struct rpc_fault){0};
	if (client->in_flight == client->options.max_in_flight)
		return fail(fault, RPC_FAULT_LOCAL, EAGAIN, false);
	if (prepare(client, deadline, fault) ||
	    be_connected(client, deadline, fault))
		return fault->kind;
	call = take_place(client, request, deadline);
	call->was_refreshed = was_refreshed;
	call->is_of_flavor = client->is_preparing;
	return put(client, call, fault);
}

/* With another xid, and what is left of its time. */
static void restart(struct rpc_client *client, struct call *call)
{
	struct rpc_client_request request = call->request;
	int64_t deadline = call->deadline;
	struct rpc_fault fault;

	leave_place(client, call);
	if (start(client, &request, deadline, true, &fault)) {
		client->n_ended++;
		request.done(&fault, request.arg);
	}
}

/* ---- replies ---- */

static enum rpc_fault_kind decode(struct rpc_client *client,
				  const struct call *call,
				  const struct rpc_reply *reply,
				  struct rpc_fault *fault)
{
	const struct rpc_auth_client *flavor =
		client->has_flavor ? &client->flavor : NULL;
	xdrproc_t xdr_result = call->request.xdr_result;
	void *result = call->request.result;
	bool is_whole;
	XDR xdrs;

	if (flavor && flavor->validate &&
	    !flavor->validate(flavor->state, call->token, &reply->verf))
		return fail(fault, RPC_FAULT_VERIFIER, 0, true);
	xdrmem_create(&xdrs, (char *)(uintptr_t)reply->results,
		      (u_int)reply->results_bytes, XDR_DECODE);
	if (flavor && flavor->unwrap)
		is_whole = flavor->unwrap(flavor->state, call->token, &xdrs,
					  xdr_result, result);
	else
		is_whole = xdr_result(&xdrs, result);
	if (is_whole)
		return RPC_FAULT_NONE;
	xdr_free(xdr_result, result);
	return fail(fault, RPC_FAULT_BAD_REPLY, 0, true);
}

/* A denial: other credentials may do. Whether the call is on its way again, or
 * will be. */
static bool tries_again(struct rpc_client *client, struct call *call,
			const struct rpc_fault *fault)
{
	if (fault->kind != RPC_FAULT_AUTH || call->was_refreshed ||
	    call->is_of_flavor || !client->has_flavor ||
	    !client->flavor.refresh ||
	    !client->flavor.refresh(client->flavor.state, call->token,
				    fault->why))
		return false;
	if (client->is_preparing)
		call->is_denied = true;
	else
		restart(client, call);
	return true;
}

/* Replies to calls that were given up are passed over. */
static void take_reply(struct rpc_client *client, const uint8_t *message,
		       size_t n)
{
	struct rpc_reply reply;
	struct rpc_fault fault;
	struct call *call;

	trace(client, false, message, n);
	if (n < RPC_MESSAGE_WORD)
		return;
	call = place_of(client, rpc_message_get32(message));
	if (!call->is_used || call->xid != rpc_message_get32(message))
		return;
	client->last_at = tick_now();
	if (rpc_message_decode_reply(message, n, &reply)) {
		finish_by(client, call, RPC_FAULT_BAD_REPLY, EBADMSG, true);
		if (!is_datagram(client))
			lose(client, RPC_FAULT_LOST, EBADMSG);
		return;
	}
	fault = rpc_fault_of_reply(&reply);
	if (fault.kind == RPC_FAULT_NONE)
		decode(client, call, &reply, &fault);
	if (!tries_again(client, call, &fault))
		finish(client, call, &fault);
}

static void take_records(struct rpc_client *client)
{
	uint8_t *record;
	ssize_t n;

	while ((n = rpc_stream_next(&client->stream, &record)) >= 0)
		take_reply(client, record, (size_t)n);
	if (n != -EAGAIN)
		lose(client, RPC_FAULT_BAD_REPLY, (int)-n);
}

/* What comes until then. Returns 0, -ETIMEDOUT or -EINTR. */
static int receive(struct rpc_client *client, int64_t until)
{
	uint8_t *message;
	ssize_t n;

	if (is_datagram(client)) {
		n = rpc_datagram_receive(&client->datagram, until, &message);
		if (n >= 0)
			take_reply(client, message, (size_t)n);
		else if (n != -ETIMEDOUT && n != -EINTR)
			for (size_t i = 0; i < client->options.max_in_flight;
			     i++)
				if (client->calls[i].is_used) {
					refused(client, &client->calls[i],
						(int)-n);
					break;
				}
	} else {
		n = rpc_stream_fill(&client->stream, until);
		if (!n)
			take_records(client);
		else if (n != -ETIMEDOUT && n != -EINTR)
			lose(client, RPC_FAULT_LOST, n == -EPIPE ? 0 : (int)-n);
	}
	return n == -ETIMEDOUT || n == -EINTR ? (int)n : 0;
}

/* ---- time ---- */

static void run_timers(struct rpc_client *client)
{
	client->next_at = TICK_NEVER;
	for (size_t i = 0; i < client->options.max_in_flight; i++) {
		struct call *call = &client->calls[i];

		if (!call->is_used)
			continue;
		if (tick_is_over(call->deadline))
			give_up(client, call, RPC_FAULT_TIMED_OUT);
		else if (tick_is_over(call->datagram.next_at))
			send_again(client, call);
		else
			note_time(client, call);
	}
}

/* Wait until something comes or is due, and do what has to be done. Returns 0,
 * -ETIMEDOUT or -EINTR. */
static int step(struct rpc_client *client, int64_t until)
{
	int64_t first = earlier(until, client->next_at);
	int rc = 0;

	client->is_held = true;
	if (is_open(client))
		rc = receive(client, first);
	if (tick_is_over(client->next_at))
		run_timers(client);
	client->is_held = false;
	flush(client);
	if (rc == -ETIMEDOUT && !tick_is_over(until))
		rc = 0;
	return rc;
}

/* ---- one at a time ---- */

struct outcome {
	bool is_over;
	struct rpc_fault fault;
};

static void note_outcome(const struct rpc_fault *fault, void *arg)
{
	struct outcome *outcome = arg;

	outcome->is_over = true;
	outcome->fault = *fault;
}

static void interrupt(struct rpc_client *client, const struct outcome *outcome)
{
	for (size_t i = 0; i < client->options.max_in_flight; i++)
		if (client->calls[i].is_used &&
		    client->calls[i].request.arg == outcome)
			give_up(client, &client->calls[i],
				RPC_FAULT_INTERRUPTED);
}

static void call_once(struct rpc_client *client,
		      const struct rpc_client_request *request,
		      int64_t deadline, struct outcome *outcome)
{
	*outcome = (struct outcome){.is_over = false};
	if (start(client, request, deadline, false, &outcome->fault))
		return;
	while (!outcome->is_over)
		if (step(client, deadline) == -EINTR && !outcome->is_over)
			interrupt(client, outcome);
}

/* Wait before another attempt; longer from time to time. */
static bool back_off(const struct rpc_client *client, unsigned int attempt,
		     int64_t deadline, struct rpc_fault *fault)
{
	int64_t wait = client->options.retry_ns;

	while (attempt-- > 0 && wait < BACK_OFF_MAX_MS * TICK_MS)
		wait *= 2;
	if (tick_left(deadline) <= wait)
		return false;
	if (tick_sleep_until(tick_after(wait)) == -EINTR) {
		fail(fault, RPC_FAULT_INTERRUPTED, 0, fault->was_sent);
		return false;
	}
	return true;
}

/* Datagrams are sent again on their way. */
static bool may_try_again(const struct rpc_client *client,
			  const struct rpc_fault *fault, unsigned int attempt)
{
	if (is_datagram(client) || attempt >= client->options.retries)
		return false;
	switch (fault->kind) {
	case RPC_FAULT_LOST:
		return client->options.may_repeat;
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_NO_RPCBIND:
	case RPC_FAULT_NOT_REGISTERED:
	case RPC_FAULT_HOST:
		return true;
	default:
		return false;
	}
}

static void call_often(struct rpc_client *client,
		       const struct rpc_client_request *request,
		       int64_t deadline, struct outcome *outcome)
{
	uint32_t xid = client->xid;
	bool was_lost = false;

	for (unsigned int attempt = 0;; attempt++) {
		/* The same, so that a server may know it again. */
		client->xid = xid;
		call_once(client, request, deadline, outcome);
		outcome->fault.was_sent |= was_lost;
		was_lost = outcome->fault.was_sent;
		if (!may_try_again(client, &outcome->fault, attempt) ||
		    !back_off(client, attempt, deadline, &outcome->fault))
			break;
	}
	/* It was sent once, and that the server could not be found again does
	 * not change that. */
	switch (outcome->fault.kind) {
	case RPC_FAULT_UNREACHABLE:
	case RPC_FAULT_NO_RPCBIND:
	case RPC_FAULT_NOT_REGISTERED:
	case RPC_FAULT_HOST:
		if (was_lost)
			outcome->fault.kind = RPC_FAULT_LOST;
		break;
	default:
		break;
	}
}

static int64_t deadline_of(struct rpc_client *client)
{
	int64_t left = client->options.timeout_ns - client->spent_ns;

	client->spent_ns = 0;
	return earlier(tick_after(left > 0 ? left : 1), client->latest);
}

static struct rpc_client_request fill_in_request(
	struct rpc_client_request request)
{
	if (!request.xdr_args)
		request.xdr_args = (xdrproc_t)xdr_nothing;
	if (!request.xdr_result)
		request.xdr_result = (xdrproc_t)xdr_nothing;
	return request;
}

enum rpc_fault_kind rpc_client_call(struct rpc_client *client,
				    uint32_t procedure, xdrproc_t xdr_args,
				    const void *args, xdrproc_t xdr_result,
				    void *result, struct rpc_fault *fault)
{
	struct outcome outcome;
	const struct rpc_client_request request =
		fill_in_request((struct rpc_client_request){
			.procedure = procedure,
			.xdr_args = xdr_args,
			.args = args,
			.xdr_result = xdr_result,
			.result = result,
			.done = note_outcome,
			.arg = &outcome,
		});

	call_often(client, &request, deadline_of(client), &outcome);
	client->fault = *fault = outcome.fault;
	return fault->kind;
}

/* ---- many in flight ---- */

/* Keep poll_fd at what there is to wait for. */
static void watch(struct rpc_client *client)
{
	int fd = rpc_client_fd(client);
	struct epoll_event event = {.events = EPOLLIN};

	if (client->poll_fd < 0)
		return;
	if (rpc_stream_has_output(&client->stream))
		event.events |= EPOLLOUT;
	if (fd >= 0 &&
	    (fd != client->watched_fd || event.events != client->watched)) {
		epoll_ctl(client->poll_fd,
			  fd == client->watched_fd ? EPOLL_CTL_MOD
						   : EPOLL_CTL_ADD,
			  fd, &event);
		client->watched_fd = fd;
		client->watched = event.events;
	}
	if (client->next_at < client->armed_at ||
	    tick_is_over(client->armed_at)) {
		/* Zero would be never, which is what TICK_NEVER wants. */
		struct itimerspec at = {0};

		if (client->next_at != TICK_NEVER)
			at.it_value = tick_to_timespec(client->next_at);
		timerfd_settime(client->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
		client->armed_at = client->next_at;
	}
}

enum rpc_fault_kind rpc_client_start(struct rpc_client *client,
				     const struct rpc_client_request *request,
				     struct rpc_fault *fault)
{
	const struct rpc_client_request whole = fill_in_request(*request);

	start(client, &whole, deadline_of(client), false, fault);
	watch(client);
	return fault->kind;
}

size_t rpc_client_in_flight(const struct rpc_client *client)
{
	return client->in_flight;
}

unsigned int rpc_client_process(struct rpc_client *client)
{
	unsigned int before = client->n_ended;

	/* Also with none in flight: the server may have closed. */
	step(client, 0);
	watch(client);
	return client->n_ended - before;
}

int rpc_client_wait(struct rpc_client *client, int64_t deadline)
{
	unsigned int before = client->n_ended;
	int rc = 0;

	while (client->in_flight > 0 && client->n_ended == before && !rc)
		rc = step(client, deadline);
	watch(client);
	return client->n_ended != before ? (int)(client->n_ended - before) : rc;
}

int rpc_client_poll_fd(struct rpc_client *client)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd, timer;

	if (client->poll_fd >= 0)
		return client->poll_fd;
	fd = epoll_create1(EPOLL_CLOEXEC);
	fd = fd < 0 ? -errno : fdio_above_std(fd);
	if (fd < 0)
		return fd;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timer = timer < 0 ? -errno : fdio_above_std(timer);
	if (timer >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, timer, &event))
		fdio_close(&timer);
	if (timer < 0) {
		fdio_close(&fd);
		return timer == -1 ? -ENOSPC : timer;
	}
	client->poll_fd = fd;
	client->timer_fd = timer;
	client->armed_at = TICK_NEVER;
	watch(client);
	return fd;
}

/* ---- settings ---- */

void rpc_client_set_version(struct rpc_client *client, uint32_t version)
{
	client->options.version = version;
}

void rpc_client_set_timeout(struct rpc_client *client, int64_t timeout_ns)
{
	client->options.timeout_ns = timeout_ns;
	client->spent_ns = 0;
}

void rpc_client_set_repeat(struct rpc_client *client, bool may_repeat)
{
	client->options.may_repeat = may_repeat;
}

void rpc_client_set_xid(struct rpc_client *client, uint32_t xid)
{
	client->xid = xid - 1;
}

static void drop_flavor(struct rpc_client *client)
{
	if (client->has_flavor && client->flavor.destroy)
		client->flavor.destroy(client->flavor.state);
	client->has_flavor = false;
	client->handle.cl_auth = client->none;
}

void rpc_client_set_flavor(struct rpc_client *client,
			   const struct rpc_auth_client *flavor)
{
	drop_flavor(client);
	if (!flavor)
		return;
	client->flavor = *flavor;
	client->has_flavor = true;
}

void rpc_client_set_auth(struct rpc_client *client, AUTH *auth)
{
	if (auth && auth == client->handle.cl_auth)
		return;
	drop_flavor(client);
	if (!auth || auth == client->none)
		return;
	client->flavor = rpc_clnt_flavor(auth);
	client->has_flavor = true;
	client->handle.cl_auth = auth;
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
	return client->ports[client->index];
}

int rpc_client_fd(const struct rpc_client *client)
{
	return is_datagram(client) ? client->datagram.socket.fd
				   : client->stream.socket.fd;
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

static void fill_in(struct rpc_client_options *options)
{
	unsigned int most =
		options->max_in_flight ? options->max_in_flight : MAX_IN_FLIGHT;

	if (!options->timeout_ns)
		options->timeout_ns = 25 * TICK_S;
	if (!options->connect_ns)
		options->connect_ns = 5 * TICK_S;
	options->connect_ns = earlier(options->connect_ns, options->timeout_ns);
	if (!options->retry_ns)
		options->retry_ns = options->transport == RPC_UDP
					    ? 500 * TICK_MS
					    : 50 * TICK_MS;
	if (!options->max_record_bytes)
		options->max_record_bytes = MAX_RECORD_BYTES;
	for (options->max_in_flight = 1;
	     options->max_in_flight < most &&
	     options->max_in_flight < MAX_IN_FLIGHT_LIMIT;)
		options->max_in_flight *= 2;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* Returns NULL: no memory. */
static struct rpc_client *create(const struct rpc_client_options *options)
{
	struct rpc_client *client = calloc(1, sizeof(*client));
	size_t most;

	if (!client)
		return NULL;
	client->options = *options;
	fill_in(&client->options);
	most = client->options.max_record_bytes;
	client->options.host =
		copy(options->host ? options->host : "localhost");
	client->options.unix_path = copy(options->unix_path);
	client->calls =
		calloc(client->options.max_in_flight, sizeof(*client->calls));
	rpc_stream_init(&client->stream, most, most + QUEUE_BYTES);
	rpc_datagram_init(&client->datagram);
	client->xid = first_xid();
	client->next_at = client->latest = TICK_NEVER;
	client->poll_fd = client->timer_fd = client->watched_fd = -1;
	client->none = authnone_create();
	rpc_clnt_init(&client->handle, client);
	client->handle.cl_auth = client->none;
	if (!client->options.host || !client->calls ||
	    (options->unix_path && !client->options.unix_path)) {
		client->options.max_in_flight = 0;
		rpc_client_close(client);
		return NULL;
	}
	for (size_t i = 0; i < client->options.max_in_flight; i++)
		rpc_buffer_init(&client->calls[i].datagram.message,
				RPC_DATAGRAM_MAX);
	return client;
}

enum rpc_fault_kind rpc_client_open(struct rpc_client **out,
				    const struct rpc_client_options *options,
				    struct rpc_fault *fault)
{
	struct rpc_client *client = create(options);
	int64_t begun = tick_now();

	*out = NULL;
	if (!client)
		return fail(fault, RPC_FAULT_LOCAL, ENOMEM, false);
	if (be_connected(client, TICK_NEVER, fault)) {
		rpc_client_close(client);
		return fault->kind;
	}
	client->spent_ns = tick_now() - begun;
	*out = client;
	return RPC_FAULT_NONE;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	for (size_t i = 0; i < client->options.max_in_flight; i++)
		if (client->calls[i].is_used)
			finish_by(client, &client->calls[i], RPC_FAULT_LOCAL,
				  ECANCELED,
				  was_sent(client, &client->calls[i]));
	for (size_t i = 0; i < client->options.max_in_flight; i++)
		rpc_buffer_fini(&client->calls[i].datagram.message);
	drop_flavor(client);
	rpc_stream_fini(&client->stream);
	rpc_datagram_fini(&client->datagram);
	fdio_close(&client->poll_fd);
	fdio_close(&client->timer_fd);
	free((char *)(uintptr_t)client->options.host);
	free((char *)(uintptr_t)client->options.unix_path);
	free(client->calls);
	free(client);
}
