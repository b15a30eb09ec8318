/* rpc_flight.c - a table in which a call has the place that the last bits of
 * its xid say. A xid whose place is taken is passed over.
 *
 * A call is done only when the server has all of its record, so one that did
 * not leave as a whole was not done; of one that did, and has no reply, nobody
 * knows. */
#include "lib/rpc/rpc_flight.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_record.h"
#include "lib/tick.h"

enum {
	/* So much is sent without waiting for more. */
	TOGETHER_BYTES = 16 * 1024,
	NO_CREDENTIALS = 16, /* bytes of AUTH_NONE, twice */
};

/* One in flight. */
struct rpc_flight_call {
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

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- calls in the table ---- */

static struct rpc_flight_call *place_of(struct rpc_flight *flight, uint32_t xid)
{
	return &flight->calls[xid & (flight->options->max_in_flight - 1)];
}

/* There is one that is free. */
static struct rpc_flight_call *take_place(
	struct rpc_flight *flight, const struct rpc_client_request *request,
	int64_t deadline)
{
	struct rpc_flight_call *call;
	struct rpc_buffer kept;

	do
		call = place_of(flight, ++flight->xid);
	while (call->is_used);
	kept = call->datagram.message;
	*call = (struct rpc_flight_call){
		.is_used = true,
		.others = (unsigned int)flight->link.n_addresses,
		.xid = flight->xid,
		.deadline = deadline,
		.datagram = {.message = kept, .next_at = TICK_NEVER},
		.request = *request,
	};
	flight->in_flight++;
	return call;
}

static void leave_place(struct rpc_flight *flight, struct rpc_flight_call *call)
{
	call->is_used = false;
	rpc_buffer_relax(&call->datagram.message, 0);
	if (--flight->in_flight == 0)
		flight->next_at = TICK_NEVER;
}

static void finish(struct rpc_flight *flight, struct rpc_flight_call *call,
		   const struct rpc_fault *fault)
{
	struct rpc_client_request request = call->request;
	struct rpc_fault copy = *fault;

	leave_place(flight, call);
	flight->n_ended++;
	request.done(&copy, request.arg);
}

static void finish_by(struct rpc_flight *flight, struct rpc_flight_call *call,
		      enum rpc_fault_kind kind, int error, bool was_sent)
{
	struct rpc_fault fault;

	rpc_fault_set(&fault, kind, error, was_sent);
	finish(flight, call, &fault);
}

/* Nothing of call is due before that. */
static void note_time(struct rpc_flight *flight,
		      const struct rpc_flight_call *call)
{
	flight->next_at =
		earlier(flight->next_at,
			earlier(call->deadline, call->datagram.next_at));
}

/* Whether all of it has left us. */
static bool was_sent(const struct rpc_flight *flight,
		     const struct rpc_flight_call *call)
{
	return rpc_link_is_datagram(&flight->link)
		       ? call->datagram.sent > call->datagram.refused
		       : flight->link.stream.n_sent >= call->end;
}

/* The connection is of no use: all that are in flight end. Their callbacks may
 * start others, on another connection. */
static void lose(struct rpc_flight *flight, enum rpc_fault_kind kind_if_sent,
		 int error)
{
	struct rpc_flight_call *calls = flight->calls;
	uint64_t n_sent = flight->link.stream.n_sent;

	rpc_link_close(&flight->link);
	for (size_t i = 0; i < flight->options->max_in_flight; i++)
		calls[i].is_lost = calls[i].is_used;
	for (size_t i = 0; i < flight->options->max_in_flight; i++) {
		bool is_sent = n_sent >= calls[i].end;

		if (calls[i].is_used && calls[i].is_lost)
			finish_by(flight, &calls[i],
				  is_sent ? kind_if_sent
					  : RPC_FAULT_UNREACHABLE,
				  error, is_sent);
	}
}

/* It has no time left, or is not waited for any more. A stream with half of a
 * call in its queue is closed, if nobody else needs it: then it is known that
 * the call was not done. And where all of it was sent, the reply is not to keep
 * the next call waiting. */
static void give_up(struct rpc_flight *flight, struct rpc_flight_call *call,
		    enum rpc_fault_kind kind)
{
	bool is_sent = was_sent(flight, call),
	     is_alone = flight->in_flight == 1;

	if (!rpc_link_is_datagram(&flight->link) && is_alone)
		rpc_link_close(&flight->link);
	else if (!rpc_link_is_datagram(&flight->link))
		is_sent = true; /* now or later */
	if (kind == RPC_FAULT_TIMED_OUT && !is_sent)
		finish_by(flight, call, RPC_FAULT_UNREACHABLE,
			  rpc_link_is_datagram(&flight->link) ? ECONNREFUSED
							      : ETIMEDOUT,
			  false);
	else
		finish_by(flight, call, kind, 0, is_sent);
}

/* ---- a call as bytes ---- */

/* Returns the length of the message, -EMSGSIZE when it has no room (or cannot
 * be encoded), or another -errno. */
static ssize_t encode(struct rpc_flight *flight, struct rpc_flight_call *call,
		      uint8_t *to, size_t room)
{
	const struct rpc_call header = {
		.xid = call->xid,
		.rpc_version = RPC_MESSAGE_VERSION,
		.program = flight->options->program,
		.version = flight->options->version,
		.procedure = call->request.procedure,
	};
	const struct rpc_auth_client *flavor =
		flight->has_flavor ? &flight->flavor : NULL;
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
static uint8_t *reserve(struct rpc_flight *flight, struct rpc_flight_call *call,
			size_t size)
{
	if (!rpc_link_is_datagram(&flight->link))
		return rpc_stream_reserve(&flight->link.stream, size);
	return rpc_buffer_reserve(&call->datagram.message, size)
		       ? NULL
		       : call->datagram.message.bytes;
}

/* Written again into more room, if there was too little. Returns the length and
 * *at, or -errno: -EAGAIN when others are in the way. */
static ssize_t write_message(struct rpc_flight *flight,
			     struct rpc_flight_call *call, uint8_t **at)
{
	size_t most = rpc_link_is_datagram(&flight->link)
			      ? (size_t)RPC_DATAGRAM_MAX
			      : flight->options->max_record_bytes;
	size_t size = RPC_BUFFER_START - RPC_RECORD_MARK;
	ssize_t n;

	for (;; size *= 2) {
		if (size > most)
			size = most;
		*at = reserve(flight, call, size);
		if (!*at)
			return flight->in_flight > 1 ? -EAGAIN : -ENOMEM;
		n = encode(flight, call, *at, size);
		if (n != -EMSGSIZE || size == most)
			return n;
	}
}

static void trace(const struct rpc_flight *flight, bool is_sent,
		  const uint8_t *message, size_t n)
{
	if (flight->options->trace)
		flight->options->trace(is_sent, message, n,
				       flight->options->arg);
}

/* ---- sending ---- */

/* What is in the stream's queue. */
static void flush(struct rpc_flight *flight)
{
	int rc = 0;

	if (!flight->is_held && rpc_link_is_open(&flight->link) &&
	    !rpc_link_is_datagram(&flight->link))
		rc = rpc_stream_flush(&flight->link.stream);
	if (rc)
		lose(flight, RPC_FAULT_LOST, rc == -EPIPE ? 0 : -rc);
}

static void retransmit(struct rpc_flight *flight, struct rpc_flight_call *call);

/* UDP: a datagram of that call has come to nobody, or has not even left. */
static void refused(struct rpc_flight *flight, struct rpc_flight_call *call,
		    int error)
{
	struct rpc_datagram_call *datagram = &call->datagram;
	bool is_alone = flight->in_flight == 1;

	datagram->refused++;
	/* Others may be heard from that address. */
	call->must_move = is_alone;
	if (is_alone && call->others > 1) {
		/* At once, and not counted: to find the server. */
		call->others--;
		datagram->transmissions_left++;
		retransmit(flight, call);
	} else if (datagram->transmissions_left == 0 &&
		   datagram->sent == datagram->refused) {
		finish_by(flight, call, RPC_FAULT_UNREACHABLE, error, false);
	} else if (datagram->transmissions_left == 0 && is_alone) {
		finish_by(flight, call, RPC_FAULT_TIMED_OUT, 0, true);
	}
}

static void after_send(struct rpc_flight *flight, struct rpc_flight_call *call,
		       int rc)
{
	note_time(flight, call);
	if (rc == -EMSGSIZE)
		finish_by(flight, call, RPC_FAULT_ARGS, EMSGSIZE,
			  call->datagram.sent > call->datagram.refused + 1);
	else if (rc)
		refused(flight, call, -rc);
}

static void retransmit(struct rpc_flight *flight, struct rpc_flight_call *call)
{
	struct rpc_fault fault;

	if (call->must_move &&
	    rpc_link_move_on(&flight->link, call->deadline, &fault)) {
		/* It may have been done before that. */
		if (call->datagram.sent > call->datagram.refused)
			rpc_fault_set(&fault, RPC_FAULT_TIMED_OUT, 0, true);
		finish(flight, call, &fault);
		return;
	}
	call->must_move = false;
	trace(flight, true, call->datagram.message.bytes, call->datagram.n);
	after_send(flight, call,
		   rpc_datagram_send(&flight->link.datagram, &call->datagram));
}

/* Returns 0, or why it could not be put on its way: then it has no place any
 * more. */
static enum rpc_fault_kind put(struct rpc_flight *flight,
			       struct rpc_flight_call *call,
			       struct rpc_fault *fault)
{
	uint8_t *at;
	ssize_t n = write_message(flight, call, &at);

	if (n < 0) {
		leave_place(flight, call);
		if (n == -EAGAIN || n == -ENOMEM)
			return rpc_fault_set(fault, RPC_FAULT_LOCAL, (int)-n,
					     false);
		return rpc_fault_set(fault, RPC_FAULT_ARGS,
				     n == -EMSGSIZE ? 0 : (int)-n, false);
	}
	trace(flight, true, at, (size_t)n);
	if (rpc_link_is_datagram(&flight->link)) {
		call->datagram.n = (size_t)n;
		after_send(flight, call,
			   rpc_datagram_start(&flight->link.datagram,
					      &call->datagram,
					      flight->options->retry_ns,
					      flight->options->retries));
		return RPC_FAULT_NONE;
	}
	rpc_stream_put(&flight->link.stream, (size_t)n);
	call->end = flight->link.stream.n_put;
	note_time(flight, call);
	if (flight->in_flight == 1 ||
	    call->end - flight->link.stream.n_sent >= TOGETHER_BYTES)
		flush(flight);
	return RPC_FAULT_NONE;
}

static void restart(struct rpc_flight *flight, struct rpc_flight_call *call);

/* Those that were denied while the flavor was at work. */
static void restart_denied(struct rpc_flight *flight,
			   const struct rpc_fault *fault)
{
	/* Each that is started anew comes by here. */
	if (flight->is_restarting)
		return;
	flight->is_restarting = true;
	for (size_t i = 0; i < flight->options->max_in_flight; i++) {
		struct rpc_flight_call *call = &flight->calls[i];

		if (!call->is_used || !call->is_denied)
			continue;
		if (fault->kind)
			finish(flight, call, fault);
		else
			restart(flight, call);
	}
	flight->is_restarting = false;
}

static enum rpc_fault_kind connect_link(struct rpc_flight *flight,
					int64_t deadline,
					struct rpc_fault *fault)
{
	if (flight->in_flight == 0)
		rpc_link_check(&flight->link);
	return rpc_link_connect(&flight->link, deadline, fault);
}

static enum rpc_fault_kind prepare(struct rpc_flight *flight, int64_t deadline,
				   struct rpc_fault *fault)
{
	enum rpc_fault_kind kind;

	if (!flight->has_flavor || !flight->flavor.prepare ||
	    flight->is_preparing)
		return RPC_FAULT_NONE;
	flight->is_preparing = true;
	flight->latest = deadline;
	kind = flight->flavor.prepare(flight->flavor.state, flight->client,
				      fault);
	flight->is_preparing = false;
	flight->latest = TICK_NEVER;
	/* Of the call that it was for, whatever became of its own. */
	if (kind)
		fault->was_sent = false;
	restart_denied(flight, fault);
	return kind;
}

static enum rpc_fault_kind start(struct rpc_flight *flight,
				 const struct rpc_client_request *request,
				 int64_t deadline, bool was_refreshed,
				 struct rpc_fault *fault)
{
	struct rpc_flight_call *call;

	*fault = (struct rpc_fault){0};
	if (flight->is_closing)
		return rpc_fault_set(fault, RPC_FAULT_LOCAL, ECANCELED, false);
	if (flight->in_flight == flight->options->max_in_flight)
		return rpc_fault_set(fault, RPC_FAULT_LOCAL, EAGAIN, false);
	if (prepare(flight, deadline, fault) ||
	    connect_link(flight, deadline, fault))
		return fault->kind;
	call = take_place(flight, request, deadline);
	call->was_refreshed = was_refreshed;
	call->is_of_flavor = flight->is_preparing;
	return put(flight, call, fault);
}

/* With another xid, and what is left of its time. */
static void restart(struct rpc_flight *flight, struct rpc_flight_call *call)
{
	struct rpc_client_request request = call->request;
	int64_t deadline = call->deadline;
	struct rpc_fault fault;

	leave_place(flight, call);
	if (start(flight, &request, deadline, true, &fault)) {
		flight->n_ended++;
		request.done(&fault, request.arg);
	}
}

/* ---- replies ---- */

static enum rpc_fault_kind decode(struct rpc_flight *flight,
				  const struct rpc_flight_call *call,
				  const struct rpc_reply *reply,
				  struct rpc_fault *fault)
{
	const struct rpc_auth_client *flavor =
		flight->has_flavor ? &flight->flavor : NULL;
	xdrproc_t xdr_result = call->request.xdr_result;
	void *result = call->request.result;
	bool is_whole;
	XDR xdrs;

	if (flavor && flavor->validate &&
	    !flavor->validate(flavor->state, call->token, &reply->verf))
		return rpc_fault_set(fault, RPC_FAULT_VERIFIER, 0, true);
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
	return rpc_fault_set(fault, RPC_FAULT_BAD_REPLY, 0, true);
}

/* A denial: other credentials may do. Whether the call is on its way again, or
 * will be. */
static bool tries_again(struct rpc_flight *flight, struct rpc_flight_call *call,
			const struct rpc_fault *fault)
{
	if (fault->kind != RPC_FAULT_AUTH || call->was_refreshed ||
	    call->is_of_flavor || !flight->has_flavor ||
	    !flight->flavor.refresh ||
	    !flight->flavor.refresh(flight->flavor.state, call->token,
				    fault->why))
		return false;
	if (flight->is_preparing)
		call->is_denied = true;
	else
		restart(flight, call);
	return true;
}

/* Replies to calls that were given up are passed over. */
static void take_reply(struct rpc_flight *flight, const uint8_t *message,
		       size_t n)
{
	struct rpc_reply reply;
	struct rpc_fault fault;
	struct rpc_flight_call *call;

	trace(flight, false, message, n);
	if (n < RPC_MESSAGE_WORD)
		return;
	call = place_of(flight, rpc_message_get32(message));
	if (!call->is_used || call->xid != rpc_message_get32(message))
		return;
	flight->link.last_at = tick_now();
	if (rpc_message_decode_reply(message, n, &reply)) {
		finish_by(flight, call, RPC_FAULT_BAD_REPLY, EBADMSG, true);
		if (!rpc_link_is_datagram(&flight->link))
			lose(flight, RPC_FAULT_LOST, EBADMSG);
		return;
	}
	fault = rpc_fault_of_reply(&reply);
	if (fault.kind == RPC_FAULT_NONE)
		decode(flight, call, &reply, &fault);
	if (!tries_again(flight, call, &fault))
		finish(flight, call, &fault);
}

static void take_records(struct rpc_flight *flight)
{
	uint8_t *record;
	ssize_t n;

	while ((n = rpc_stream_next(&flight->link.stream, &record)) >= 0)
		take_reply(flight, record, (size_t)n);
	if (n != -EAGAIN)
		lose(flight, RPC_FAULT_BAD_REPLY, (int)-n);
}

/* UDP: the kernel says that nobody is there. Whom that is about is known only
 * if one call is in flight; of more, each waits for its retransmission. */
static void hear_refusal(struct rpc_flight *flight, int error)
{
	struct rpc_flight_call *call = flight->calls;

	if (flight->in_flight != 1)
		return;
	while (!call->is_used)
		call++;
	refused(flight, call, error);
}

/* What comes until then. Returns 0, -ETIMEDOUT or -EINTR. */
static int receive(struct rpc_flight *flight, int64_t until)
{
	uint8_t *message;
	ssize_t n;

	if (rpc_link_is_datagram(&flight->link)) {
		n = rpc_datagram_receive(&flight->link.datagram, until,
					 &message);
		if (n >= 0)
			take_reply(flight, message, (size_t)n);
		else if (n != -ETIMEDOUT && n != -EINTR)
			hear_refusal(flight, (int)-n);
	} else {
		n = rpc_stream_fill(&flight->link.stream, until);
		if (!n)
			take_records(flight);
		else if (n != -ETIMEDOUT && n != -EINTR)
			lose(flight, RPC_FAULT_LOST, n == -EPIPE ? 0 : (int)-n);
	}
	return n == -ETIMEDOUT || n == -EINTR ? (int)n : 0;
}

/* ---- time ---- */

static void run_timers(struct rpc_flight *flight)
{
	flight->next_at = TICK_NEVER;
	for (size_t i = 0; i < flight->options->max_in_flight; i++) {
		struct rpc_flight_call *call = &flight->calls[i];

		if (!call->is_used)
			continue;
		if (tick_is_over(call->deadline))
			give_up(flight, call, RPC_FAULT_TIMED_OUT);
		else if (tick_is_over(call->datagram.next_at))
			retransmit(flight, call);
		else
			note_time(flight, call);
	}
}

int rpc_flight_step(struct rpc_flight *flight, int64_t until)
{
	int64_t first = earlier(until, flight->next_at);
	int rc = 0;

	flight->is_held = true;
	if (rpc_link_is_open(&flight->link))
		rc = receive(flight, first);
	if (tick_is_over(flight->next_at))
		run_timers(flight);
	flight->is_held = false;
	flush(flight);
	if (rc == -ETIMEDOUT && !tick_is_over(until))
		rc = 0;
	return rc;
}

/* ---- for the client ---- */

enum rpc_fault_kind rpc_flight_start(struct rpc_flight *flight,
				     const struct rpc_client_request *request,
				     int64_t deadline, struct rpc_fault *fault)
{
	return start(flight, request, deadline, false, fault);
}

void rpc_flight_interrupt(struct rpc_flight *flight, const void *arg)
{
	for (size_t i = 0; i < flight->options->max_in_flight; i++)
		if (flight->calls[i].is_used &&
		    flight->calls[i].request.arg == arg)
			give_up(flight, &flight->calls[i],
				RPC_FAULT_INTERRUPTED);
}

void rpc_flight_set_flavor(struct rpc_flight *flight,
			   const struct rpc_auth_client *flavor)
{
	if (flight->has_flavor && flight->flavor.destroy)
		flight->flavor.destroy(flight->flavor.state);
	flight->has_flavor = flavor;
	if (flavor)
		flight->flavor = *flavor;
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

int rpc_flight_init(struct rpc_flight *flight,
		    const struct rpc_client_options *options,
		    struct rpc_client *client)
{
	*flight = (struct rpc_flight){
		.options = options,
		.client = client,
		.xid = first_xid(),
		.next_at = TICK_NEVER,
		.latest = TICK_NEVER,
	};
	rpc_link_init(&flight->link, options);
	flight->calls = calloc(options->max_in_flight, sizeof(*flight->calls));
	if (!flight->calls)
		return -ENOMEM;
	for (size_t i = 0; i < options->max_in_flight; i++)
		rpc_buffer_init(&flight->calls[i].datagram.message,
				RPC_DATAGRAM_MAX);
	return 0;
}

void rpc_flight_fini(struct rpc_flight *flight)
{
	size_t n = flight->calls ? flight->options->max_in_flight : 0;

	flight->is_closing = true;
	for (size_t i = 0; i < n; i++)
		if (flight->calls[i].is_used)
			finish_by(flight, &flight->calls[i], RPC_FAULT_LOCAL,
				  ECANCELED,
				  was_sent(flight, &flight->calls[i]));
	for (size_t i = 0; i < n; i++)
		rpc_buffer_fini(&flight->calls[i].datagram.message);
	rpc_flight_set_flavor(flight, NULL);
	rpc_link_fini(&flight->link);
	free(flight->calls);
}
