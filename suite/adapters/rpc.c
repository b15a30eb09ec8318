/* A remote procedure call of p16, over TCP, UDP and a Unix socket: side A is
 * the client and calls CALC_ECHO, side B is the server.
 *
 * A message of A is a call, and B's message is the reply to it: a round trip is
 * one call. Where B has nothing to say and waits for A's next message, it
 * replies without bytes; so a stream is calls one after the other, as RPC has
 * it. B is the server's loop turned inside out, on the same functions, since
 * here receive() has to return in the middle of a call. Nobody is asked for
 * ports: the parent connects both ends. */
#include "suite/registry.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_record.h"
#include "p16-rpc-calc/calc.h"
#include "suite/adapters/rpc_ends.h"

enum {
	MESSAGE_MAX = CALC_ECHO_MAX,
	RECORD_MAX = MESSAGE_MAX + 1024,
	/* A datagram of 65507 bytes less a call's header and a length, and a
	 * block takes four bytes or eight or … */
	DATAGRAM_MAX = (65507 - 40 - 4) / 4 * 4,
};

struct channel {
	enum rpc_transport transport;
	size_t message_bytes;

	/* A */
	struct rpc_client *client;
	calc_bytes reply; /* what receive() will give */

	/* B */
	int server; /* its end */
	struct rpc_record_reader reader;
	struct sockaddr_in caller; /* UDP */
	bool owes;                 /* a reply to xid */
	uint32_t xid;
	uint8_t record[RECORD_MAX]; /* that is being received (UDP) or sent */
};

/* ---- life ---- */

static void destroy(void *channel)
{
	struct channel *c = channel;

	rpc_client_close(c->client);
	fdio_close(&c->server);
	rpc_record_fini(&c->reader);
	xdr_free((xdrproc_t)xdr_calc_bytes, (char *)&c->reply);
	free(c);
}

static int create(enum rpc_transport transport, void **channel,
		  size_t message_bytes)
{
	struct channel *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->transport = transport;
	c->message_bytes = message_bytes;
	c->server = -1;
	r = rpc_ends_open(transport, &c->client, &c->server);
	if (r == 0)
		rpc_record_init(&c->reader, c->server, RECORD_MAX,
				RPC_ENDS_PATIENCE_NS);
	if (r < 0) {
		destroy(c);
		return r;
	}
	*channel = c;
	return 0;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct channel *c = channel;

	if (side == MECHANISM_A) {
		fdio_close(&c->server);
	} else {
		rpc_client_close(c->client);
		c->client = NULL;
	}
	return 0;
}

/* ---- A: the client ---- */

/* The call ends when B replies: with a message, which receive() gives away, or
 * with nothing. */
static int call(struct channel *c, const void *message)
{
	calc_bytes bytes = {(u_int)c->message_bytes, (char *)message};
	struct rpc_fault fault;

	xdr_free((xdrproc_t)xdr_calc_bytes, (char *)&c->reply);
	c->reply = (calc_bytes){0};
	switch (rpc_client_call(c->client, CALC_ECHO, (xdrproc_t)xdr_calc_bytes,
				&bytes, (xdrproc_t)xdr_calc_bytes, &c->reply,
				&fault)) {
	case RPC_FAULT_NONE:
		return 0;
	case RPC_FAULT_LOST:
	case RPC_FAULT_UNREACHABLE:
		return -EPIPE;
	default:
		return fault.error > 0 ? -fault.error : -EPROTO;
	}
}

static int take_reply(struct channel *c, void *message)
{
	if (c->reply.calc_bytes_len != c->message_bytes)
		return -EBADMSG;
	memcpy(message, c->reply.calc_bytes_val, c->message_bytes);
	return 0;
}

/* ---- B: the server ---- */

static int put_record(struct channel *c, size_t bytes)
{
	ssize_t n;

	if (c->transport != RPC_UDP) {
		rpc_record_mark(c->record, bytes);
		return rpc_record_send(c->server, c->record,
				       RPC_RECORD_MARK + bytes,
				       RPC_ENDS_PATIENCE_NS);
	}
	n = sendto(c->server, c->record + RPC_RECORD_MARK, bytes, 0,
		   (struct sockaddr *)&c->caller, sizeof(c->caller));
	return n < 0 ? -errno : 0;
}

static int reply(struct channel *c, const void *message, size_t bytes)
{
	const struct rpc_reply accepted = {.xid = c->xid, .stat = MSG_ACCEPTED};
	uint8_t *header = c->record + RPC_RECORD_MARK;
	size_t n = (size_t)rpc_message_encode_reply(
		header, RPC_MESSAGE_REPLY_MAX, &accepted);
	calc_bytes result = {(u_int)bytes, (char *)message};
	XDR xdr;

	xdrmem_create(&xdr, (char *)header + n,
		      (u_int)(RECORD_MAX - RPC_RECORD_MARK - n), XDR_ENCODE);
	if (!xdr_calc_bytes(&xdr, &result))
		return -EMSGSIZE;
	c->owes = false;
	return put_record(c, n + xdr_getpos(&xdr));
}

/* The bytes of the next call, in *record. */
static ssize_t get_record(struct channel *c, uint8_t **record)
{
	socklen_t size = sizeof(c->caller);
	ssize_t n;

	do {
		if (c->transport == RPC_UDP) {
			*record = c->record;
			n = recvfrom(c->server, c->record, sizeof(c->record), 0,
				     (struct sockaddr *)&c->caller, &size);
			n = n < 0 ? -errno : n;
		} else {
			n = rpc_record_read(&c->reader, record);
		}
	} while (n == -EINTR || n == -EAGAIN);
	return n == -ECONNRESET ? -EPIPE : n;
}

static int take_call(struct channel *c, void *message)
{
	calc_bytes args = {(u_int)c->message_bytes, message};
	struct rpc_call header;
	uint8_t *record;
	ssize_t n = get_record(c, &record);
	XDR xdr;

	if (n < 0)
		return (int)n;
	if (rpc_message_decode_call(record, (size_t)n, &header) ||
	    header.program != CALC_PROG || header.procedure != CALC_ECHO ||
	    header.args_bytes < sizeof(uint32_t) ||
	    rpc_message_get32(header.args) != c->message_bytes)
		return -EBADMSG;
	xdrmem_create(&xdr, (char *)header.args, (u_int)header.args_bytes,
		      XDR_DECODE);
	if (!xdr_calc_bytes(&xdr, &args))
		return -EBADMSG;
	c->xid = header.xid;
	c->owes = true;
	return 0;
}

/* ---- both ---- */

static int send_message(void *channel, const void *message)
{
	struct channel *c = channel;

	if (c->client)
		return call(c, message);
	return c->owes ? reply(c, message, c->message_bytes) : -EPROTO;
}

static int receive_message(void *channel, void *message)
{
	struct channel *c = channel;
	int r = 0;

	if (c->client)
		return take_reply(c, message);
	if (c->owes)
		r = reply(c, NULL, 0);
	return r < 0 ? r : take_call(c, message);
}

static int check(size_t message_bytes, size_t max, const char *what, char *why,
		 size_t why_size)
{
	if (message_bytes <= max)
		return 0;
	snprintf(why, why_size, "message limit %zu bytes: %s", max, what);
	return -EMSGSIZE;
}

static int check_stream(size_t message_bytes, char *why, size_t why_size)
{
	return check(message_bytes, MESSAGE_MAX,
		     "what calc.x sends back, whose arrays are bounded", why,
		     why_size);
}

static int check_datagram(size_t message_bytes, char *why, size_t why_size)
{
	return check(message_bytes, DATAGRAM_MAX,
		     "a call has to fit one datagram; take rpc-tcp", why,
		     why_size);
}

static int create_tcp(void **channel, size_t message_bytes)
{
	return create(RPC_TCP, channel, message_bytes);
}

static int create_udp(void **channel, size_t message_bytes)
{
	return create(RPC_UDP, channel, message_bytes);
}

static int create_unix(void **channel, size_t message_bytes)
{
	return create(RPC_UNIX, channel, message_bytes);
}

const struct mechanism registry_rpc_tcp = {
	.name = "rpc-tcp",
	.title = "ONC RPC over TCP",
	.summary = "a remote procedure call (p16) over loopback; a message is "
		   "a call",
	/* socket bind listen accept rpc_client_open rpc_client_call
	 * rpc_record_read rpc_record_send rpc_client_close close */
	.cost = {.calls = 10, .keeps_boundaries = true, .can_poll = true},
	.check = check_stream,
	.create = create_tcp,
	.attach = attach,
	.send = send_message,
	.receive = receive_message,
	.destroy = destroy,
};

const struct mechanism registry_rpc_udp = {
	.name = "rpc-udp",
	.title = "ONC RPC over UDP",
	.summary = "the same in datagrams",
	/* socket bind rpc_client_open rpc_client_call recvfrom sendto
	 * rpc_client_close close */
	.cost = {.calls = 8, .keeps_boundaries = true, .can_poll = true},
	.check = check_datagram,
	.create = create_udp,
	.attach = attach,
	.send = send_message,
	.receive = receive_message,
	.destroy = destroy,
};

const struct mechanism registry_rpc_unix = {
	.name = "rpc-unix",
	.title = "ONC RPC over a Unix socket",
	.summary = "the same on one machine, through a socket with a name",
	.cost = {.calls = 11, /* as TCP, and unlink */
		 .names = 1,
		 .keeps_boundaries = true,
		 .can_poll = true},
	.check = check_stream,
	.create = create_unix,
	.attach = attach,
	.send = send_message,
	.receive = receive_message,
	.destroy = destroy,
};
