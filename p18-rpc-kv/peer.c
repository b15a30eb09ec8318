/* peer.c - the thread sleeps in poll(2) on two descriptors: its own, which
 * peer_send() writes to, and the client's, which is readable when a reply has
 * come or a call's time is over. Only the queue is shared, under the lock. */
#include "p18-rpc-kv/peer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/parse.h"
#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"
#include "p18-rpc-kv/service.h"

enum {
	RECORD_BYTES =
		5 << 20,    /* KV_ENTRIES_MAX of KV_COMMAND_MAX, and words */
	PAUSE_MS = 20,      /* before another try to connect, doubled */
	PAUSE_MAX_MS = 500, /* up to this */
};

struct peer {
	struct peer_options options;
	struct parse_endpoint endpoint;
	pthread_t thread;
	int wake_fd;
	atomic_bool is_reachable, is_shut;
	pthread_mutex_t lock;
	struct peer_call *first, **last; /* under the lock */
	unsigned int n;
	/* The thread's: */
	struct rpc_client *client; /* NULL: not connected */
	int64_t try_at;
	int pause_ms;
};

/* ---- calls ---- */

static xdrproc_t xdr_args_of(const struct peer_call *call)
{
	return call->procedure == REQUEST_VOTE ? (xdrproc_t)xdr_kv_vote_args
	       : call->procedure == APPEND_ENTRIES
		       ? (xdrproc_t)xdr_kv_append_args
		       : (xdrproc_t)xdr_kv_snapshot_args;
}

static xdrproc_t xdr_result_of(const struct peer_call *call)
{
	return call->procedure == REQUEST_VOTE ? (xdrproc_t)xdr_kv_vote_result
	       : call->procedure == APPEND_ENTRIES
		       ? (xdrproc_t)xdr_kv_append_result
		       : (xdrproc_t)xdr_kv_snapshot_result;
}

static void end(struct peer_call *call, bool is_lost)
{
	struct peer *peer = call->peer;

	call->is_lost = is_lost;
	atomic_store_explicit(&peer->is_reachable, !is_lost,
			      memory_order_relaxed);
	peer->options.done(call, peer->options.arg);
}

static void take_result(const struct rpc_fault *fault, void *arg)
{
	end(arg, fault->kind != RPC_FAULT_NONE);
}

/* ---- the connection ---- */

/* Whether there is one now. */
static bool connect_to(struct peer *peer)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = peer->endpoint.host,
		.port = service_peer_port(peer->endpoint.port),
		.program = KV_PEER_PROG,
		.version = KV_PEER_VERS,
		.connect_ns = peer->options.timeout_ns,
		.timeout_ns = peer->options.timeout_ns,
		.max_record_bytes = RECORD_BYTES,
		.max_in_flight = PEER_QUEUE,
	};
	struct rpc_fault fault;

	if (peer->client)
		return true;
	if (!tick_is_over(peer->try_at))
		return false;
	if (rpc_client_open(&peer->client, &options, &fault) ==
	    RPC_FAULT_NONE) {
		peer->pause_ms = PAUSE_MS;
		return true;
	}
	peer->client = NULL;
	peer->try_at = tick_after(peer->pause_ms * TICK_MS);
	if (peer->pause_ms < PAUSE_MAX_MS)
		peer->pause_ms *= 2;
	return false;
}

/* A client would connect again by itself, and make us wait: not while calls are
 * in flight over the old one. */
static void start(struct peer *peer, struct peer_call *call)
{
	const struct rpc_client_request request = {
		.procedure = (uint32_t)call->procedure,
		.xdr_args = xdr_args_of(call),
		.xdr_result = xdr_result_of(call),
		.args = &call->args,
		.result = &call->result,
		.done = take_result,
		.arg = call,
	};
	struct rpc_fault fault;

	if (!connect_to(peer) ||
	    (peer->options.prepare &&
	     peer->options.prepare(call, peer->options.arg))) {
		end(call, true);
		return;
	}
	if (rpc_client_start(peer->client, &request, &fault) == RPC_FAULT_NONE)
		return;
	end(call, true);
	if (fault.kind != RPC_FAULT_LOCAL) {
		rpc_client_close(peer->client);
		peer->client = NULL;
	}
}

/* ---- the thread ---- */

static struct peer_call *take_all(struct peer *peer)
{
	struct peer_call *calls;

	pthread_mutex_lock(&peer->lock);
	calls = peer->first;
	peer->first = NULL;
	peer->last = &peer->first;
	peer->n = 0;
	pthread_mutex_unlock(&peer->lock);
	return calls;
}

static void wait_for_work(struct peer *peer)
{
	struct pollfd fds[] = {
		{.fd = peer->wake_fd, .events = POLLIN},
		{.fd = -1, .events = POLLIN},
	};
	uint64_t count;

	if (peer->client)
		fds[1].fd = rpc_client_poll_fd(peer->client);
	/* Without a deadline: only what these two bring is to be done. */
	if (poll(fds, 2, -1) > 0 && fds[0].revents &&
	    read(peer->wake_fd, &count, sizeof(count)) < 0)
		return;
	if (peer->client)
		rpc_client_process(peer->client);
}

static void *run(void *arg)
{
	struct peer *peer = arg;
	struct peer_call *call, *next;

	while (!atomic_load_explicit(&peer->is_shut, memory_order_relaxed)) {
		for (call = take_all(peer); call; call = next) {
			next = call->next;
			start(peer, call);
		}
		if (peer->client)
			rpc_client_process(peer->client);
		wait_for_work(peer);
	}
	return NULL;
}

static void wake(struct peer *peer)
{
	const uint64_t one = 1;

	/* Cannot fail, nor block: it would take 2^64 of them. */
	if (write(peer->wake_fd, &one, sizeof(one)) < 0)
		abort();
}

int peer_send(struct peer *peer, struct peer_call *call)
{
	bool was_empty;

	call->peer = peer;
	call->id = peer->options.id;
	call->next = NULL;
	pthread_mutex_lock(&peer->lock);
	if (peer->n == PEER_QUEUE) {
		pthread_mutex_unlock(&peer->lock);
		return -EAGAIN;
	}
	was_empty = peer->n++ == 0;
	*peer->last = call;
	peer->last = &call->next;
	pthread_mutex_unlock(&peer->lock);
	if (was_empty)
		wake(peer);
	return 0;
}

bool peer_is_reachable(const struct peer *peer)
{
	return atomic_load_explicit(&peer->is_reachable, memory_order_relaxed);
}

/* ---- life ---- */

static int start_thread(struct peer *peer)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&peer->thread, NULL, run, peer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

static void destroy(struct peer *peer)
{
	fdio_close(&peer->wake_fd);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}

int peer_open(struct peer **out, const struct peer_options *options)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int error;

	*out = NULL;
	if (!peer)
		return -ENOMEM;
	peer->options = *options;
	peer->options.address = NULL;
	peer->pause_ms = PAUSE_MS;
	peer->last = &peer->first;
	pthread_mutex_init(&peer->lock, NULL);
	peer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = peer->wake_fd < 0 ? -errno : 0;
	if (!error)
		error = parse_endpoint(options->address, &peer->endpoint);
	if (!error)
		error = start_thread(peer);
	if (error)
		destroy(peer);
	else
		*out = peer;
	return error;
}

void peer_shut(struct peer *peer)
{
	atomic_store_explicit(&peer->is_shut, true, memory_order_relaxed);
	wake(peer);
}

void peer_close(struct peer *peer)
{
	struct peer_call *call, *next;

	if (!peer)
		return;
	peer_shut(peer);
	pthread_join(peer->thread, NULL);
	rpc_client_close(peer->client);
	for (call = take_all(peer); call; call = next) {
		next = call->next;
		end(call, true);
	}
	destroy(peer);
}
