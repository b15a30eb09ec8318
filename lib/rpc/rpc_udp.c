/* rpc_udp.c - the receiving thread takes as many datagrams as are there, and
 * sends the replies of quick calls together: with many clients that is two
 * system calls for all of them. Any other call goes with its envelope to a
 * worker, which sends the reply itself, and the thread takes a spare one.
 *
 * A call that must not be done twice is begun (rpc_drc.h) before it goes
 * there: its repetition meets it under way, and gets no answer, or gets the
 * reply that is kept. That is found by address, xid, program, version and
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
enum { LOOK_UP_US = 250 * 1000, KEEP_BYTES_EACH = 2048 };

struct key {
	uint8_t address[16];
	uint16_t port, family;
	uint32_t scope;
	uint32_t xid, program, version, procedure;
	uint64_t hash;
};

_Static_assert(sizeof(struct key) == 48, "no padding in it");
_Static_assert(sizeof(struct key) <= RPC_DRC_KEY, "it fits");

/* A datagram with where it came from, and to which address of ours. */
struct rpc_udp_envelope {
	struct rpc_job job;
	struct rpc_udp *datagram;
	struct rpc_udp_envelope *next; /* where it is spare */
	struct rpc_peer peer;
	struct iovec part;
	struct rpc_buffer request, reply;
	struct msghdr header; /* of the reply */
	struct rpc_call call; /* points into request */
	struct key key;
	bool is_begun; /* by key */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
};

/* FNV-1a. Not against forgery: who can forge an address can do worse. */
static uint64_t hash(const uint8_t *bytes, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * 0x100000001b3u;
	return h;
}

static void make_key(struct rpc_udp_envelope *envelope, size_t bytes)
{
	const struct rpc_peer *peer = &envelope->peer;
	const struct rpc_call *call = &envelope->call;
	struct key *key = &envelope->key;

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
	key->hash = hash(envelope->request.bytes, bytes);
}

/* ---- envelopes ---- */

/* At once as large as it gets, as what is known of a datagram before it comes
 * is nothing; what is not touched takes no memory. */
static struct rpc_udp_envelope *make_envelope(struct rpc_udp *datagram)
{
	struct rpc_udp_envelope *envelope = calloc(1, sizeof(*envelope));

	if (!envelope)
		return NULL;
	envelope->datagram = datagram;
	rpc_buffer_init(&envelope->request, RPC_UDP_MAX);
	rpc_buffer_init(&envelope->reply, RPC_UDP_MAX);
	if (rpc_buffer_reserve(&envelope->request, RPC_UDP_MAX) == 0 &&
	    rpc_buffer_reserve(&envelope->reply, RPC_UDP_MAX) == 0)
		return envelope;
	rpc_buffer_fini(&envelope->request);
	free(envelope);
	return NULL;
}

static void free_envelope(struct rpc_udp_envelope *envelope)
{
	if (!envelope)
		return;
	rpc_buffer_fini(&envelope->request);
	rpc_buffer_fini(&envelope->reply);
	free(envelope);
}

/* For one of this owner that is to wait. NULL where it has its share. */
static struct rpc_udp_envelope *take_spare(struct rpc_udp *datagram,
					   uint64_t owner)
{
	struct rpc_udp_envelope *spare = NULL;

	pthread_mutex_lock(&datagram->lock);
	if (rpc_share_get(&datagram->waiting, owner) < datagram->n_spare) {
		rpc_share_add(&datagram->waiting, owner, 1);
		spare = datagram->spare;
		datagram->spare = spare->next;
		datagram->n_spare--;
	}
	pthread_mutex_unlock(&datagram->lock);
	return spare;
}

static void put_spare(struct rpc_udp_envelope *envelope)
{
	struct rpc_udp *datagram = envelope->datagram;
	uint64_t owner = rpc_share_owner(&envelope->peer);

	pthread_mutex_lock(&datagram->lock);
	rpc_share_add(&datagram->waiting, owner, -1);
	envelope->next = datagram->spare;
	datagram->spare = envelope;
	datagram->n_spare++;
	pthread_mutex_unlock(&datagram->lock);
}

/* ---- in and out ---- */

static void address_to_us(struct rpc_udp *datagram, unsigned int i)
{
	struct rpc_udp_envelope *envelope = datagram->batch[i];

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
	int n = recvmmsg(datagram->fd, datagram->in, RPC_UDP_BATCH,
			 MSG_WAITFORONE, NULL);

	for (int i = 0; i < n; i++) {
		struct rpc_udp_envelope *envelope = datagram->batch[i];

		envelope->header = datagram->in[i].msg_hdr;
		envelope->peer.address_bytes = envelope->header.msg_namelen;
	}
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
 * as control is what sending wants, but for the interface. */
static void address_to_peer(struct rpc_udp_envelope *envelope, size_t bytes)
{
	struct msghdr *header = &envelope->header;
	struct cmsghdr *c = CMSG_FIRSTHDR(header);

	header->msg_flags = 0;
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	envelope->part = (struct iovec){envelope->reply.bytes, bytes};
}

/* ---- answering ---- */

/* Whether there is to be a reply of so many bytes, and then it is ready to be
 * sent. */
static bool is_to_be_sent(struct rpc_udp_envelope *envelope, size_t bytes)
{
	struct rpc_conns *conns = envelope->datagram->conns;
	const struct rpc_server_options *options = conns->options;

	if (bytes == 0)
		return false;
	atomic_fetch_add_explicit(&conns->calls, 1, memory_order_relaxed);
	if (options->loses_reply &&
	    options->loses_reply(&envelope->call, options->arg))
		return false;
	rpc_conn_trace(conns, true, envelope->reply.bytes, bytes);
	address_to_peer(envelope, bytes);
	return true;
}

/* Returns the length of the reply, or 0: none. */
static size_t answer(struct rpc_udp_envelope *envelope,
		     struct rpc_scratch *scratch)
{
	struct rpc_udp *datagram = envelope->datagram;
	const struct key *key = &envelope->key;
	ssize_t n = rpc_dispatch_answer(&datagram->conns->options->dispatch,
					&envelope->peer, &envelope->call,
					scratch, &envelope->reply, 0);

	if (n <= 0 && envelope->is_begun)
		rpc_drc_abandon(datagram->drc, key, sizeof(*key));
	else if (envelope->is_begun)
		rpc_drc_finish(datagram->drc, key, sizeof(*key),
			       envelope->reply.bytes, (size_t)n);
	return n > 0 ? (size_t)n : 0;
}

static void answer_in_worker(struct rpc_job *job, struct rpc_scratch *scratch)
{
	struct rpc_udp_envelope *envelope = (struct rpc_udp_envelope *)job;
	struct rpc_udp *datagram = envelope->datagram;
	const struct key *key = &envelope->key;

	/* One that has not been begun at a stop never came. */
	if (atomic_load_explicit(&datagram->conns->is_stopping,
				 memory_order_relaxed)) {
		if (envelope->is_begun)
			rpc_drc_abandon(datagram->drc, key, sizeof(*key));
	} else if (is_to_be_sent(envelope, answer(envelope, scratch))) {
		(void)sendmsg(datagram->fd, &envelope->header,
			      MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	put_spare(envelope);
}

static void leave_to_worker(struct rpc_udp *datagram, unsigned int i)
{
	struct rpc_udp_envelope *envelope = datagram->batch[i];
	struct rpc_udp_envelope *spare =
		take_spare(datagram, rpc_share_owner(&envelope->peer));

	if (!spare) {
		if (envelope->is_begun)
			rpc_drc_abandon(datagram->drc, &envelope->key,
					sizeof(envelope->key));
		return;
	}
	datagram->batch[i] = spare;
	envelope->job.run = answer_in_worker;
	rpc_workers_give(datagram->workers, &envelope->job);
}

/* Returns as rpc_drc_begin(), and RPC_DRC_NEW for a call that may be
 * done as often as it comes. */
static int begin(struct rpc_udp_envelope *envelope, size_t bytes,
		 size_t *reply_bytes)
{
	struct rpc_udp *datagram = envelope->datagram;
	const struct rpc_procedure *procedure = rpc_dispatch_find(
		&datagram->conns->options->dispatch, &envelope->call);
	int rc;

	envelope->is_begun = false;
	if (!procedure || procedure->flags & RPC_IDEMPOTENT)
		return RPC_DRC_NEW;
	make_key(envelope, bytes);
	rc = rpc_drc_begin(datagram->drc, rpc_share_owner(&envelope->peer),
			   &envelope->key, sizeof(envelope->key),
			   envelope->reply.bytes, envelope->reply.size,
			   reply_bytes);
	envelope->is_begun = rc == RPC_DRC_NEW;
	if (rc == RPC_DRC_KNOWN)
		atomic_fetch_add_explicit(&datagram->conns->repeated, 1,
					  memory_order_relaxed);
	return rc;
}

static void serve_one(struct rpc_udp *datagram, unsigned int i)
{
	const struct rpc_dispatch *dispatch =
		&datagram->conns->options->dispatch;
	struct rpc_udp_envelope *envelope = datagram->batch[i];
	size_t bytes = datagram->in[i].msg_len, n = 0;
	int rc;

	/* Nothing has come: a stop has woken us. */
	if (bytes == 0)
		return;
	rpc_conn_trace(datagram->conns, false, envelope->request.bytes, bytes);
	if (rpc_message_decode_call(envelope->request.bytes, bytes,
				    &envelope->call)) {
		rpc_conn_tell(datagram->conns, RPC_SERVER_BAD_RECORD,
			      &envelope->peer, EBADMSG);
		return;
	}
	rc = begin(envelope, bytes, &n);
	if (rc == RPC_DRC_NEW &&
	    !rpc_dispatch_is_quick(dispatch, &envelope->call)) {
		leave_to_worker(datagram, i);
		return;
	}
	if (rc == RPC_DRC_NEW)
		n = answer(envelope, &datagram->scratch);
	if (is_to_be_sent(envelope, n))
		datagram->out[datagram->n_out++].msg_hdr = envelope->header;
}

static void *run(void *arg)
{
	struct rpc_udp *datagram = arg;
	int n;

	for (unsigned int i = 0; i < RPC_UDP_BATCH; i++)
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

static int make_envelopes(struct rpc_udp *datagram)
{
	struct rpc_udp_envelope *envelope;

	for (int i = 0; i < RPC_UDP_BATCH + RPC_UDP_WAITING; i++) {
		envelope = make_envelope(datagram);
		if (!envelope)
			return -ENOMEM;
		if (i < RPC_UDP_BATCH) {
			datagram->batch[i] = envelope;
			continue;
		}
		envelope->next = datagram->spare;
		datagram->spare = envelope;
		datagram->n_spare++;
	}
	return 0;
}

int rpc_udp_init(struct rpc_udp *datagram, struct rpc_conns *conns, int fd)
{
	const struct timeval tv = {.tv_usec = LOOK_UP_US};
	size_t entries = conns->options->drc_entries;
	int rc;

	*datagram = (struct rpc_udp){.conns = conns, .fd = fd};
	pthread_mutex_init(&datagram->lock, NULL);
	rpc_share_init(&datagram->waiting);
	rpc_dispatch_scratch_init(&datagram->scratch);
	rc = make_envelopes(datagram);
	if (!rc)
		rc = rpc_drc_open(&datagram->drc, entries,
				  entries * KEEP_BYTES_EACH + RPC_UDP_MAX);
	if (!rc && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		rc = -errno;
	if (rc)
		rpc_udp_fini(datagram);
	return rc;
}

void rpc_udp_fini(struct rpc_udp *datagram)
{
	struct rpc_udp_envelope *spare;

	/* Never begun, or here already. */
	if (!datagram->conns)
		return;
	for (int i = 0; i < RPC_UDP_BATCH; i++)
		free_envelope(datagram->batch[i]);
	while ((spare = datagram->spare)) {
		datagram->spare = spare->next;
		free_envelope(spare);
	}
	rpc_dispatch_scratch_fini(&datagram->scratch);
	rpc_drc_close(datagram->drc);
	pthread_mutex_destroy(&datagram->lock);
	datagram->conns = NULL;
}

int rpc_udp_start(struct rpc_udp *datagram)
{
	sigset_t all, old;
	int rc = rpc_workers_open(&datagram->workers,
				  datagram->conns->options->workers);

	if (rc)
		return rc;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(&datagram->thread, NULL, run, datagram);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		rpc_workers_close(datagram->workers);
	return rc;
}

void rpc_udp_stop(struct rpc_udp *datagram)
{
	/* Says ENOTCONN, and wakes the reader all the same. */
	shutdown(datagram->fd, SHUT_RD);
	pthread_join(datagram->thread, NULL);
	rpc_workers_close(datagram->workers);
}
