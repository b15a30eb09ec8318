/* rpc_exchange.c - streams. A call is done only when the server has all of
 * its record, so one whose sending failed may be sent again on another
 * connection without a second thought. One that was sent whole, and then the
 * connection broke, may have been done. */
#include "lib/rpc/rpc_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_bind.h"
#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_resend.h"
#include "lib/tick.h"

enum {
	MAX_RECORD_BYTES = 1 << 20,
	/* A connection that was quiet for so long is looked at before it is
	 * used: the server may have closed it. */
	QUIET_MS = 500,
	BACK_OFF_MAX_MS = 2000,
};

int rpc_exchange_fail(struct rpc_fault *fault, enum rpc_fault_kind kind,
		      int error, bool was_sent)
{
	*fault = (struct rpc_fault){
		.kind = kind, .error = error, .was_sent = was_sent};
	return -1;
}

/* ---- finding and connecting ---- */

static enum rpc_fault_kind locate(struct rpc_exchange *exchange,
				  int64_t deadline, struct rpc_fault *fault)
{
	const struct rpc_client_options *options = &exchange->options;
	const char *netid = options->transport == RPC_UDP ? "udp" : "tcp";
	/* rpcbind was asked about IPv4. */
	int rc, family = options->port ? AF_UNSPEC : AF_INET;

	if (options->transport == RPC_UNIX) {
		rc = rpc_connect_path(&exchange->target, options->unix_path);
		if (rc)
			rpc_exchange_fail(fault, RPC_FAULT_LOCAL, -rc, false);
		return rc ? RPC_FAULT_LOCAL : RPC_FAULT_NONE;
	}
	exchange->port = options->port;
	if (!options->port &&
	    rpc_bind_lookup(options->host, options->rpcbind_port,
			    options->program, options->version, netid, deadline,
			    &exchange->port, fault))
		return fault->kind;
	rc = rpc_connect_resolve(&exchange->target, options->transport,
				 options->host, exchange->port, family);
	if (rc)
		rpc_exchange_fail(fault, RPC_FAULT_HOST, rc, false);
	exchange->index = 0;
	exchange->must_look_up = false;
	return rc ? RPC_FAULT_HOST : RPC_FAULT_NONE;
}

static enum rpc_fault_kind connect_failed(struct rpc_exchange *exchange, int rc,
					  struct rpc_fault *fault)
{
	/* Perhaps it is somewhere else by now. */
	exchange->must_look_up = exchange->options.transport != RPC_UNIX &&
				 exchange->options.port == 0;
	rpc_exchange_fail(fault,
			  rc == -EINTR ? RPC_FAULT_INTERRUPTED
				       : RPC_FAULT_UNREACHABLE,
			  -rc, false);
	return fault->kind;
}

enum rpc_fault_kind rpc_exchange_connect(struct rpc_exchange *exchange,
					 int64_t deadline,
					 struct rpc_fault *fault)
{
	const struct rpc_client_options *options = &exchange->options;
	int64_t until = tick_after(options->connect_ns);
	int rc;

	if (until > deadline)
		until = deadline;
	if (exchange->must_look_up && locate(exchange, until, fault))
		return fault->kind;
	if (options->transport == RPC_UDP)
		rc = rpc_connect_datagram(&exchange->target, exchange->index);
	else
		rc = rpc_connect_stream(&exchange->target, until);
	if (rc < 0)
		return connect_failed(exchange, rc, fault);
	exchange->fd = rc;
	exchange->receive_ns = 0;
	exchange->last_at = tick_now();
	rpc_record_fini(&exchange->reader);
	rpc_record_init(&exchange->reader, exchange->fd,
			options->max_record_bytes, TICK_NEVER);
	return RPC_FAULT_NONE;
}

int rpc_exchange_set_receive(struct rpc_exchange *exchange, int64_t ns)
{
	struct timespec ts;
	struct timeval tv;

	if (exchange->receive_ns == ns)
		return 0;
	/* Zero would be for ever. */
	ts = tick_to_timespec(ns > TICK_US ? ns : TICK_US);
	tv.tv_sec = ts.tv_sec;
	tv.tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
	if (setsockopt(exchange->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		return -errno;
	exchange->receive_ns = ns;
	return 0;
}

void rpc_exchange_drop(struct rpc_exchange *exchange)
{
	fdio_close(&exchange->fd);
	rpc_record_fini(&exchange->reader);
}

/* ---- one call over a stream ---- */

/* Whether the server has closed meanwhile; it sends nothing unasked, so what
 * is there to be read is a late reply. */
static bool is_gone(const struct rpc_exchange *exchange)
{
	char byte;
	ssize_t n = recv(exchange->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Replies to calls that were given up are passed over. */
static ssize_t await_reply(struct rpc_exchange *exchange, uint32_t xid,
			   int64_t deadline, uint8_t **reply)
{
	ssize_t n;
	int rc;

	exchange->reader.until = deadline;
	for (;;) {
		n = rpc_record_read(&exchange->reader, reply);
		if (n < 0)
			return n == -EAGAIN ? -ETIMEDOUT : n;
		if (n >= 4 && rpc_message_get32(*reply) == xid)
			return n;
		rc = rpc_exchange_set_receive(exchange, tick_left(deadline));
		if (rc || tick_is_over(deadline))
			return rc ? rc : -ETIMEDOUT;
	}
}

/* span is about what is left until the deadline, and the same from call to
 * call, so that the socket's timeout need not be set anew. Returns the length
 * of the reply, -1 and *fault, or 0 and *fault when nothing was done and it
 * may be tried again. */
static ssize_t try_once(struct rpc_exchange *exchange,
			const struct rpc_exchange_message *message,
			int64_t span, int64_t deadline, uint8_t **reply,
			struct rpc_fault *fault)
{
	uint32_t xid = rpc_message_get32(message->bytes + RPC_RECORD_MARK);
	ssize_t got;
	int rc;

	rpc_record_mark(message->bytes, message->n);
	rc = rpc_exchange_set_receive(exchange, span);
	if (!rc)
		rc = rpc_record_send(exchange->fd, message->bytes,
				     message->n + RPC_RECORD_MARK,
				     tick_left(deadline));
	if (rc) {
		rpc_exchange_drop(exchange);
		if (rc == -EINTR)
			return rpc_exchange_fail(fault, RPC_FAULT_INTERRUPTED,
						 0, false);
		rpc_exchange_fail(fault, RPC_FAULT_UNREACHABLE, -rc, false);
		return rc == -ETIMEDOUT ? -1 : 0;
	}
	got = await_reply(exchange, xid, deadline, reply);
	if (got >= 0)
		return got;
	/* A reply that comes later still must not meet the next call. */
	rpc_exchange_drop(exchange);
	if (got == -ETIMEDOUT)
		return rpc_exchange_fail(fault, RPC_FAULT_TIMED_OUT, 0, true);
	if (got == -EINTR)
		return rpc_exchange_fail(fault, RPC_FAULT_INTERRUPTED, 0, true);
	if (got == -EMSGSIZE || got == -EBADMSG)
		return rpc_exchange_fail(fault, RPC_FAULT_BAD_REPLY, (int)-got,
					 true);
	rpc_exchange_fail(fault, RPC_FAULT_LOST, got == -EPIPE ? 0 : (int)-got,
			  true);
	return exchange->options.may_repeat ? 0 : -1;
}

/* Wait before another attempt; longer from time to time. */
static bool back_off(unsigned int attempt, int64_t first_ns, int64_t deadline,
		     struct rpc_fault *fault)
{
	int64_t wait = first_ns;

	while (attempt-- > 0 && wait < BACK_OFF_MAX_MS * TICK_MS)
		wait *= 2;
	if (tick_left(deadline) <= wait)
		return false;
	if (tick_sleep_until(tick_after(wait)) == -EINTR) {
		rpc_exchange_fail(fault, RPC_FAULT_INTERRUPTED, 0,
				  fault->was_sent);
		return false;
	}
	return true;
}

static ssize_t call_stream(struct rpc_exchange *exchange,
			   struct rpc_exchange_message *message,
			   int64_t deadline, uint8_t **reply,
			   struct rpc_fault *fault)
{
	struct rpc_fault last = {0};
	unsigned int attempt = 0;
	int64_t now = tick_now(), span = exchange->options.timeout_ns;
	ssize_t got = 0;

	if (exchange->fd >= 0 && now - exchange->last_at > QUIET_MS * TICK_MS &&
	    is_gone(exchange))
		rpc_exchange_drop(exchange);
	for (;; attempt++) {
		bool was_sent = last.was_sent;

		got = 0;
		if (exchange->fd >= 0 ||
		    rpc_exchange_connect(exchange, deadline, &last) == 0)
			got = try_once(exchange, message, span, deadline, reply,
				       &last);
		last.was_sent |= was_sent;
		if (got > 0) {
			exchange->last_at = now;
			return got;
		}
		if (got < 0 || last.kind == RPC_FAULT_INTERRUPTED ||
		    attempt >= exchange->options.retries ||
		    !back_off(attempt, exchange->options.retry_ns, deadline,
			      &last))
			break;
		if (message->remake(message, message->arg)) {
			last.kind = RPC_FAULT_ARGS;
			break;
		}
		span = tick_left(deadline);
	}
	/* It was sent once, and that the server could not be found again does
	 * not change that. */
	if (last.was_sent && (last.kind == RPC_FAULT_UNREACHABLE ||
			      !rpc_fault_is_unknown(&last)))
		last.kind = RPC_FAULT_LOST;
	*fault = last;
	return -1;
}

ssize_t rpc_exchange_call(struct rpc_exchange *exchange,
			  struct rpc_exchange_message *message,
			  int64_t deadline, uint8_t **reply,
			  struct rpc_fault *fault)
{
	if (exchange->options.transport == RPC_UDP)
		return rpc_resend_call(exchange,
				       message->bytes + RPC_RECORD_MARK,
				       message->n, deadline, reply, fault);
	return call_stream(exchange, message, deadline, reply, fault);
}

/* ---- life ---- */

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void fill_in(struct rpc_client_options *options)
{
	if (!options->connect_ns)
		options->connect_ns = 5 * TICK_S;
	if (!options->timeout_ns)
		options->timeout_ns = 25 * TICK_S;
	if (!options->retry_ns)
		options->retry_ns = options->transport == RPC_UDP
					    ? 500 * TICK_MS
					    : 50 * TICK_MS;
	if (!options->max_record_bytes)
		options->max_record_bytes = MAX_RECORD_BYTES;
}

enum rpc_fault_kind rpc_exchange_open(struct rpc_exchange *exchange,
				      const struct rpc_client_options *options,
				      struct rpc_fault *fault)
{
	int64_t deadline;

	*exchange = (struct rpc_exchange){.options = *options, .fd = -1};
	fill_in(&exchange->options);
	deadline = tick_after(exchange->options.connect_ns);
	exchange->options.host =
		copy(options->host ? options->host : "localhost");
	exchange->options.unix_path = copy(options->unix_path);
	if (!exchange->options.host ||
	    (options->unix_path && !exchange->options.unix_path))
		rpc_exchange_fail(fault, RPC_FAULT_LOCAL, ENOMEM, false);
	else if (locate(exchange, deadline, fault) == 0 &&
		 rpc_exchange_connect(exchange, deadline, fault) == 0)
		return RPC_FAULT_NONE;
	rpc_exchange_close(exchange);
	return fault->kind;
}

void rpc_exchange_close(struct rpc_exchange *exchange)
{
	rpc_exchange_drop(exchange);
	free((char *)(uintptr_t)exchange->options.host);
	free((char *)(uintptr_t)exchange->options.unix_path);
	exchange->options.host = exchange->options.unix_path = NULL;
}
