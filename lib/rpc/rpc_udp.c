/* rpc_udp.c - one thread, so that a call is either done or not begun
 * when it comes again: a duplicate never meets the original at work. It takes as
 * many datagrams as are there, and sends the replies of quick calls together:
 * with many clients that is two system calls for all of them.
 *
 * The replies that are kept are found by address, xid, program, version and
 * procedure, and by a hash of all the message: a client that is started anew
 * with the same port and xid does not get its forerunner's answer. */
#include "lib/rpc/rpc_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* How long a stop may take if the shutdown should not wake us. */
enum { LOOK_UP_US = 250 * 1000, KEEP_BYTES_EACH = 2048, BATCH = 16 };

/* A datagram with where it came from, and to which address of ours. */
struct rpc_udp_envelope {
	struct rpc_peer peer;
	struct iovec part;
	struct rpc_buffer request, reply;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
};

struct key {
	uint8_t address[16];
	uint16_t port, family;
	uint32_t scope;
	uint32_t xid, program, version, procedure;
	uint64_t hash;
};

_Static_assert(sizeof(struct key) == 48, "no padding in it");
_Static_assert(sizeof(struct key) <= RPC_REPLIES_KEY, "it fits");

/* FNV-1a. Not against forgery: who can forge an address can do worse. */
static uint64_t hash(const uint8_t *bytes, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * 0x100000001b3u;
	return h;
}

static void make_key(struct key *key, const struct rpc_peer *peer,
		     const struct rpc_call *call, const uint8_t *message,
		     size_t bytes)
{
	memset(key, 0, sizeof(*key));
	key->family = peer->address.ss_family;
	if (key->family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&peer->address;

		memcpy(key->address, &in6->sin6_addr, 16);
		key->port = in6->sin6_port;
		key->scope = in6->sin6_scope_id;
	} else {
		const struct sockaddr_in *in = (const void *)&peer->address;

		memcpy(key->address, &in->sin_addr, 4);
		key->port = in->sin_port;
	}
	key->xid = call->xid;
	key->program = call->program;
	key->version = call->version;
	key->procedure = call->procedure;
	key->hash = hash(message, bytes);
}

/* ---- in and out ---- */

static void address_to_us(struct rpc_udp *datagram, unsigned int i)
{
	struct rpc_udp_envelope *envelope = &datagram->envelopes[i];

	memset(&envelope->peer, 0, sizeof(envelope->peer));
	envelope->peer.transport = RPC_UDP;
	envelope->part =
		(struct iovec){envelope->request.bytes, envelope->request.size};
	datagram->in[i].msg_hdr = (struct msghdr){
		.msg_name = &envelope->peer.address,
		.msg_namelen = sizeof(envelope->peer.address),
		.msg_iov = &envelope->part,
		.msg_iovlen = 1,
		.msg_control = &envelope->control,
		.msg_controllen = sizeof(envelope->control),
	};
}

/* Wait for one, and take those that are there with it. */
static int receive(struct rpc_udp *datagram)
{
	int n = recvmmsg(datagram->fd, datagram->in, BATCH, MSG_WAITFORONE,
			 NULL);

	for (int i = 0; i < n; i++)
		datagram->envelopes[i].peer.address_bytes =
			datagram->in[i].msg_hdr.msg_namelen;
	return n;
}

/* A datagram may get lost, and this is one of the ways: of one that cannot be
 * sent nothing is told. */
static void send_replies(struct rpc_udp *datagram)
{
	unsigned int sent = 0;
	int n;

	while (sent < datagram->n_out) {
		n = sendmmsg(datagram->fd, datagram->out + sent,
			     datagram->n_out - sent,
			     MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (unsigned int)n : 1;
	}
	datagram->n_out = 0;
}

/* From the address that was asked: clients look at it. What recvmmsg has left
 * as control is what sendmmsg wants, but for the interface. */
static void put_reply(struct rpc_udp *datagram, unsigned int i, size_t bytes)
{
	struct rpc_udp_envelope *envelope = &datagram->envelopes[i];
	struct msghdr *header = &datagram->out[datagram->n_out++].msg_hdr;
	struct cmsghdr *c;

	*header = datagram->in[i].msg_hdr;
	header->msg_flags = 0;
	c = CMSG_FIRSTHDR(header);
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	envelope->part = (struct iovec){envelope->reply.bytes, bytes};
}

/* ---- answering ---- */

/* Returns the length of the reply, 0 or -errno: none. */
static ssize_t answer_once(struct rpc_udp *datagram,
			   struct rpc_udp_envelope *envelope,
			   const struct rpc_call *call, const struct key *key)
{
	struct rpc_buffer *reply = &envelope->reply;
	size_t bytes = 0;
	ssize_t n;
	int rc = rpc_replies_begin(
		datagram->replies, rpc_share_owner(&envelope->peer), key,
		sizeof(*key), reply->bytes, reply->size, &bytes);

	if (rc == RPC_REPLIES_KNOWN) {
		atomic_fetch_add_explicit(&datagram->conns->repeated, 1,
					  memory_order_relaxed);
		return (ssize_t)bytes;
	}
	if (rc != RPC_REPLIES_NEW)
		return rc < 0 ? rc : -EBUSY;
	n = rpc_dispatch_answer(&datagram->conns->options->dispatch,
				&envelope->peer, call, &datagram->scratch,
				reply, 0);
	if (n <= 0)
		rpc_replies_abandon(datagram->replies, key, sizeof(*key));
	else
		rpc_replies_finish(datagram->replies, key, sizeof(*key),
				   reply->bytes, (size_t)n);
	return n;
}

/* Returns as above. */
static ssize_t answer(struct rpc_udp *datagram,
		      struct rpc_udp_envelope *envelope,
		      const struct rpc_call *call, size_t bytes)
{
	const struct rpc_dispatch *dispatch =
		&datagram->conns->options->dispatch;
	const struct rpc_procedure *procedure =
		rpc_dispatch_find(dispatch, call);
	struct key key;

	if (procedure && !(procedure->flags & RPC_IDEMPOTENT)) {
		make_key(&key, &envelope->peer, call, envelope->request.bytes,
			 bytes);
		return answer_once(datagram, envelope, call, &key);
	}
	return rpc_dispatch_answer(dispatch, &envelope->peer, call,
				   &datagram->scratch, &envelope->reply, 0);
}

static void serve_one(struct rpc_udp *datagram, unsigned int i)
{
	const struct rpc_server_options *options = datagram->conns->options;
	struct rpc_udp_envelope *envelope = &datagram->envelopes[i];
	size_t bytes = datagram->in[i].msg_len;
	struct rpc_call call;
	ssize_t n;

	/* Nothing has come: a stop has woken us. */
	if (bytes == 0)
		return;
	rpc_conn_trace(datagram->conns, false, envelope->request.bytes, bytes);
	if (rpc_message_decode_call(envelope->request.bytes, bytes, &call)) {
		rpc_conn_tell(datagram->conns, RPC_SERVER_BAD_RECORD,
			      &envelope->peer, EBADMSG);
		return;
	}
	/* It must not keep back the replies of others. */
	if (datagram->n_out > 0 &&
	    !rpc_dispatch_is_quick(&options->dispatch, &call))
		send_replies(datagram);
	n = answer(datagram, envelope, &call, bytes);
	if (n <= 0)
		return;
	atomic_fetch_add_explicit(&datagram->conns->calls, 1,
				  memory_order_relaxed);
	if (options->loses_reply && options->loses_reply(&call, options->arg))
		return;
	rpc_conn_trace(datagram->conns, true, envelope->reply.bytes, (size_t)n);
	put_reply(datagram, i, (size_t)n);
}

static void *run(void *arg)
{
	struct rpc_udp *datagram = arg;
	int n;

	for (unsigned int i = 0; i < BATCH; i++)
		address_to_us(datagram, i);
	while (!atomic_load_explicit(&datagram->conns->is_stopping,
				     memory_order_relaxed)) {
		/* Errors are about what was sent before, or there is nothing
		 * and it is time to look whether to stop. */
		n = receive(datagram);
		for (int i = 0; i < n; i++)
			serve_one(datagram, (unsigned int)i);
		send_replies(datagram);
		for (int i = 0; i < n; i++)
			address_to_us(datagram, (unsigned int)i);
	}
	return NULL;
}

/* ---- life ---- */

/* At once as large as it gets, as what is known of a datagram before it comes
 * is nothing; what is not touched takes no memory. */
static int init_envelopes(struct rpc_udp *datagram)
{
	int rc = 0;

	datagram->envelopes = calloc(BATCH, sizeof(*datagram->envelopes));
	datagram->in = calloc(BATCH, sizeof(*datagram->in));
	datagram->out = calloc(BATCH, sizeof(*datagram->out));
	if (!datagram->envelopes || !datagram->in || !datagram->out)
		return -ENOMEM;
	for (int i = 0; i < BATCH && !rc; i++) {
		struct rpc_udp_envelope *envelope = &datagram->envelopes[i];

		rpc_buffer_init(&envelope->request, RPC_UDP_MAX);
		rpc_buffer_init(&envelope->reply, RPC_UDP_MAX);
		rc = rpc_buffer_reserve(&envelope->request, RPC_UDP_MAX);
		if (!rc)
			rc = rpc_buffer_reserve(&envelope->reply, RPC_UDP_MAX);
	}
	return rc;
}

int rpc_udp_init(struct rpc_udp *datagram, struct rpc_conns *conns, int fd)
{
	const struct timeval tv = {.tv_usec = LOOK_UP_US};
	size_t replies = conns->options->replies;
	int rc;

	*datagram = (struct rpc_udp){.conns = conns, .fd = fd};
	rpc_dispatch_scratch_init(&datagram->scratch);
	rc = init_envelopes(datagram);
	if (!rc)
		rc = rpc_replies_open(&datagram->replies, replies,
				      replies * KEEP_BYTES_EACH + RPC_UDP_MAX);
	if (!rc && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		rc = -errno;
	if (rc)
		rpc_udp_fini(datagram);
	return rc;
}

void rpc_udp_fini(struct rpc_udp *datagram)
{
	for (int i = 0; datagram->envelopes && i < BATCH; i++) {
		rpc_buffer_fini(&datagram->envelopes[i].request);
		rpc_buffer_fini(&datagram->envelopes[i].reply);
	}
	free(datagram->envelopes);
	free(datagram->in);
	free(datagram->out);
	datagram->envelopes = NULL;
	datagram->in = datagram->out = NULL;
	rpc_dispatch_scratch_fini(&datagram->scratch);
	rpc_replies_close(datagram->replies);
	datagram->replies = NULL;
}

int rpc_udp_start(struct rpc_udp *datagram)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&datagram->thread, NULL, run, datagram);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -rc;
}

void rpc_udp_stop(struct rpc_udp *datagram)
{
	/* Says ENOTCONN, and wakes the reader all the same. */
	shutdown(datagram->fd, SHUT_RD);
	pthread_join(datagram->thread, NULL);
}
