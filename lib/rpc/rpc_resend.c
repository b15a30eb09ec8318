/* rpc_resend.c - the socket is connected to one address, so that only from
 * there replies are heard, and so that the kernel can tell us that nobody is
 * there (ECONNREFUSED, from the answer to something sent before). */
#include "lib/rpc/rpc_resend.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_message.h"
#include "lib/tick.h"

enum { DATAGRAM_MAX = 65507 };

/* What is known of a call so far. */
struct attempts {
	unsigned int sent;    /* how often */
	unsigned int refused; /* of those, nobody was there */
};

/* The reply with that xid until the moment, which is about span from now. */
static ssize_t await_reply(struct rpc_exchange *exchange, uint32_t xid,
			   int64_t span, int64_t until, uint8_t **reply)
{
	struct rpc_buffer *buffer = &exchange->reader.buffer;
	int rc = rpc_exchange_set_receive(exchange, span);
	ssize_t n;

	if (rc)
		return rc;
	for (;;) {
		n = recv(exchange->fd, buffer->bytes, buffer->size, 0);
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n >= 4 && rpc_message_get32(buffer->bytes) == xid) {
			*reply = buffer->bytes;
			return n;
		}
		/* An old one, or rubbish: the time goes on. */
		rc = rpc_exchange_set_receive(exchange, tick_left(until));
		if (rc || tick_is_over(until))
			return rc ? rc : -ETIMEDOUT;
	}
}

/* Nobody is at that address: take the next, or look where they are. */
static enum rpc_fault_kind move_on(struct rpc_exchange *exchange,
				   int64_t deadline, struct rpc_fault *fault)
{
	rpc_exchange_drop(exchange);
	if (exchange->index + 1 < exchange->target.n) {
		exchange->index++;
	} else {
		exchange->index = 0;
		exchange->must_look_up = exchange->options.port == 0;
	}
	return rpc_exchange_connect(exchange, deadline, fault);
}

static int ready(struct rpc_exchange *exchange, int64_t deadline,
		 struct rpc_fault *fault)
{
	if (exchange->fd < 0 && rpc_exchange_connect(exchange, deadline, fault))
		return -1;
	if (rpc_buffer_reserve(&exchange->reader.buffer, DATAGRAM_MAX) &&
	    exchange->reader.buffer.size < 1024)
		return rpc_exchange_fail(fault, RPC_FAULT_LOCAL, ENOMEM, false);
	return 0;
}

static ssize_t give_up(const struct attempts *attempts, int error,
		       struct rpc_fault *fault)
{
	bool was_sent = attempts->sent > attempts->refused;

	if (error == EINTR)
		return rpc_exchange_fail(fault, RPC_FAULT_INTERRUPTED, 0,
					 attempts->sent > 0);
	if (error == EMSGSIZE)
		return rpc_exchange_fail(fault, RPC_FAULT_ARGS, error,
					 was_sent);
	if (was_sent)
		return rpc_exchange_fail(fault, RPC_FAULT_TIMED_OUT, 0, true);
	return rpc_exchange_fail(fault, RPC_FAULT_UNREACHABLE, error, false);
}

/* The server cannot be found (again): *fault says why. */
static ssize_t lose_sight(const struct attempts *attempts,
			  struct rpc_fault *fault)
{
	/* It may have been done before that. */
	if (attempts->sent > attempts->refused)
		return rpc_exchange_fail(fault, RPC_FAULT_TIMED_OUT, 0, true);
	return -1;
}

/* Send it once and listen until the moment. Returns the reply's length or
 * -errno. */
static ssize_t send_once(struct rpc_exchange *exchange, const uint8_t *message,
			 size_t n, int64_t span, int64_t until, uint8_t **reply,
			 struct attempts *attempts)
{
	ssize_t got;

	attempts->sent++;
	if (send(exchange->fd, message, n, MSG_NOSIGNAL) < 0)
		got = -errno;
	else
		got = await_reply(exchange, rpc_message_get32(message), span,
				  until, reply);
	if (got < 0 && got != -ETIMEDOUT && got != -EINTR)
		attempts->refused++;
	return got;
}

ssize_t rpc_resend_call(struct rpc_exchange *exchange, const uint8_t *message,
			size_t n, int64_t deadline, uint8_t **reply,
			struct rpc_fault *fault)
{
	const unsigned int retries = exchange->options.retries;
	int64_t wait = exchange->options.retry_ns, until, span;
	struct attempts attempts = {0};
	size_t others = exchange->target.n;
	unsigned int resent = 0;
	ssize_t got;

	for (;;) {
		if (ready(exchange, deadline, fault))
			return lose_sight(&attempts, fault);
		/* The same from call to call: see try_once() of streams. */
		span = exchange->options.timeout_ns;
		if (resent < retries && wait < span)
			span = wait;
		until = tick_after(span);
		if (until > deadline) {
			until = deadline;
			span = resent ? tick_left(deadline) : span;
		}
		got = send_once(exchange, message, n, span, until, reply,
				&attempts);
		if (got >= 0)
			return got;
		if (got == -EINTR || got == -EMSGSIZE || tick_is_over(deadline))
			break;
		if (got != -ETIMEDOUT && others > 1) {
			/* At once, and not counted: to find the server. */
			others--;
			if (move_on(exchange, deadline, fault))
				return lose_sight(&attempts, fault);
			continue;
		}
		if (resent++ >= retries)
			break;
		if (got != -ETIMEDOUT) {
			if (tick_sleep_until(until) == -EINTR) {
				got = -EINTR;
				break;
			}
			if (move_on(exchange, deadline, fault))
				return lose_sight(&attempts, fault);
		}
		wait *= 2;
	}
	return give_up(&attempts, (int)-got, fault);
}
