/* rpc_udp.c - one thread, so that a call is either done or not begun
 * when it comes again: a duplicate never meets the original at work.
 *
 * The replies that are kept are found by address, xid, program, version and
 * procedure, and by a hash of all the message: a client that is started anew
 * with the same port and xid does not get its forerunner's answer. */
#include "lib/rpc/rpc_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* How long a stop may take if the shutdown should not wake us. */
enum { LOOK_UP_US = 250 * 1000, KEEP_BYTES_EACH = 2048 };

/* A datagram with where it came from, and to which address of ours. */
struct envelope {
	struct rpc_peer peer;
	struct iovec part;
	struct msghdr header;
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

static ssize_t receive(struct rpc_udp *datagram, struct envelope *from)
{
	ssize_t n;

	memset(&from->peer, 0, sizeof(from->peer));
	from->peer.transport = RPC_UDP;
	from->part =
		(struct iovec){datagram->request.bytes, datagram->request.size};
	from->header = (struct msghdr){
		.msg_name = &from->peer.address,
		.msg_namelen = sizeof(from->peer.address),
		.msg_iov = &from->part,
		.msg_iovlen = 1,
		.msg_control = &from->control,
		.msg_controllen = sizeof(from->control),
	};
	n = recvmsg(datagram->fd, &from->header, 0);
	from->peer.address_bytes = from->header.msg_namelen;
	return n < 0 ? -errno : n;
}

/* From the address that was asked: clients look at it. What recvmsg has left
 * as control is what sendmsg wants, but for the interface. */
static void send_reply(struct rpc_udp *datagram, struct envelope *to,
		       size_t bytes)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&to->header);

	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	to->part = (struct iovec){datagram->reply.bytes, bytes};
	to->header.msg_flags = 0;
	/* A datagram may get lost, and this is one of the ways. */
	(void)sendmsg(datagram->fd, &to->header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- answering ---- */

/* Returns the length of the reply, or -errno: none. */
static ssize_t answer_once(struct rpc_udp *datagram,
			   const struct rpc_peer *peer,
			   const struct rpc_call *call, const struct key *key)
{
	const struct rpc_dispatch *dispatch =
		&datagram->conns->options->dispatch;
	size_t bytes = 0;
	ssize_t n;
	int rc = rpc_replies_begin(datagram->replies, rpc_share_owner(peer),
				   key, sizeof(*key), datagram->reply.bytes,
				   datagram->reply.size, &bytes);

	if (rc == RPC_REPLIES_KNOWN) {
		atomic_fetch_add_explicit(&datagram->conns->repeated, 1,
					  memory_order_relaxed);
		return (ssize_t)bytes;
	}
	if (rc != RPC_REPLIES_NEW)
		return rc < 0 ? rc : -EBUSY;
	n = rpc_dispatch_answer(dispatch, peer, call, &datagram->scratch,
				&datagram->reply, 0);
	if (n <= 0)
		rpc_replies_abandon(datagram->replies, key, sizeof(*key));
	else
		rpc_replies_finish(datagram->replies, key, sizeof(*key),
				   datagram->reply.bytes, (size_t)n);
	return n;
}

static void serve_one(struct rpc_udp *datagram, struct envelope *envelope,
		      size_t bytes)
{
	const struct rpc_server_options *options = datagram->conns->options;
	const struct rpc_procedure *procedure;
	struct rpc_call call;
	struct key key;
	ssize_t n;

	if (rpc_message_decode_call(datagram->request.bytes, bytes, &call)) {
		rpc_conn_tell(datagram->conns, RPC_SERVER_BAD_RECORD,
			      &envelope->peer, EBADMSG);
		return;
	}
	procedure = rpc_dispatch_find(&options->dispatch, &call);
	if (procedure && !(procedure->flags & RPC_IDEMPOTENT)) {
		make_key(&key, &envelope->peer, &call, datagram->request.bytes,
			 bytes);
		n = answer_once(datagram, &envelope->peer, &call, &key);
	} else {
		n = rpc_dispatch_answer(&options->dispatch, &envelope->peer,
					&call, &datagram->scratch,
					&datagram->reply, 0);
	}
	if (n <= 0)
		return;
	atomic_fetch_add_explicit(&datagram->conns->calls, 1,
				  memory_order_relaxed);
	if (options->loses_reply && options->loses_reply(&call, options->arg))
		return;
	send_reply(datagram, envelope, (size_t)n);
}

static void *run(void *arg)
{
	struct rpc_udp *datagram = arg;
	struct envelope envelope;
	ssize_t n;

	while (!atomic_load_explicit(&datagram->conns->is_stopping,
				     memory_order_relaxed)) {
		n = receive(datagram, &envelope);
		/* Errors are about what was sent before, or there is nothing
		 * and it is time to look whether to stop. */
		if (n > 0)
			serve_one(datagram, &envelope, (size_t)n);
	}
	return NULL;
}

/* ---- life ---- */

int rpc_udp_init(struct rpc_udp *datagram, struct rpc_conns *conns, int fd)
{
	const struct timeval tv = {.tv_usec = LOOK_UP_US};
	size_t replies = conns->options->replies;
	int rc;

	*datagram = (struct rpc_udp){.conns = conns, .fd = fd};
	rpc_buffer_init(&datagram->request, RPC_UDP_MAX);
	rpc_buffer_init(&datagram->reply, RPC_UDP_MAX);
	rpc_dispatch_scratch_init(&datagram->scratch);
	rc = rpc_buffer_reserve(&datagram->request, RPC_UDP_MAX);
	/* At once as large as it gets: a reply may come from memory. */
	if (!rc)
		rc = rpc_buffer_reserve(&datagram->reply, RPC_UDP_MAX);
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
	rpc_buffer_fini(&datagram->request);
	rpc_buffer_fini(&datagram->reply);
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
