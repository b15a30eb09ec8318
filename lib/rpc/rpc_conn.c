/* rpc_conn.c - one thread reads a record, answers it, sends the reply, and
 * does that again. For a call that comes whole and a reply that is taken at
 * once that is two system calls.
 *
 * A descriptor is shut down by others, which wakes its thread, but closed only
 * by the thread itself, under the lock: nobody ever shuts down a number that
 * has become another connection's. */
#include "lib/rpc/rpc_conn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_record.h"
#include "lib/tick.h"

enum { STACK_BYTES = 512 * 1024 };

struct rpc_conn {
	struct rpc_conns *conns;
	struct rpc_conn *next, *previous;
	pthread_t thread;
	struct rpc_peer peer;
	int fd;                       /* -1: closed */
	atomic_int_least64_t idle_at; /* without a call since; 0: has one */
	bool is_evicted;              /* under the lock */
	struct rpc_record_reader reader;
	struct rpc_buffer reply;
	struct rpc_scratch scratch;
};

void rpc_conn_tell(struct rpc_conns *conns, enum rpc_server_event event,
		   const struct rpc_peer *peer, int error)
{
	if (conns->options->on_event)
		conns->options->on_event(event, peer, error,
					 conns->options->arg);
}

/* ---- the thread ---- */

/* Not ordered with anything: an eviction that comes a call too late or too
 * early is still one. */
static void set_idle(struct rpc_conn *conn, int64_t moment)
{
	atomic_store_explicit(&conn->idle_at, moment, memory_order_relaxed);
}

/* Returns 0, or -errno to close. */
static int answer(struct rpc_conn *conn, const uint8_t *record, size_t bytes)
{
	const struct rpc_server_options *options = conn->conns->options;
	struct rpc_call call;
	ssize_t n;
	int rc = rpc_message_decode_call(record, bytes, &call);

	if (rc)
		return rc;
	n = rpc_dispatch_answer(&options->dispatch, &conn->peer, &call,
				&conn->scratch, &conn->reply, RPC_RECORD_MARK);
	if (n < 0)
		return (int)n;
	atomic_fetch_add_explicit(&conn->conns->calls, 1, memory_order_relaxed);
	if (options->loses_reply && options->loses_reply(&call, options->arg))
		return -EPIPE;
	/* A peer that does not read may be evicted as one that does not
	 * write. */
	set_idle(conn, tick_now());
	rpc_record_mark(conn->reply.bytes, (size_t)n);
	rc = rpc_record_send(conn->fd, conn->reply.bytes,
			     (size_t)n + RPC_RECORD_MARK, options->write_ns);
	rpc_buffer_relax(&conn->reply, 0);
	return rc;
}

/* Returns why it ended: 0 for a stop. */
static int serve(struct rpc_conn *conn)
{
	uint8_t *record;
	ssize_t n;
	int rc;

	set_idle(conn, tick_now());
	while (!atomic_load_explicit(&conn->conns->is_stopping,
				     memory_order_relaxed)) {
		n = rpc_record_read(&conn->reader, &record);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		set_idle(conn, 0);
		rc = answer(conn, record, (size_t)n);
		if (rc)
			return rc;
	}
	return 0;
}

static void tell_end(struct rpc_conn *conn, int why)
{
	enum rpc_server_event event;

	switch (why) {
	case 0:
	case -EPIPE:
	case -ECONNRESET:
		return; /* the peer's own doing */
	case -EAGAIN:
		event = RPC_SERVER_IDLE;
		break;
	case -ETIMEDOUT:
		event = RPC_SERVER_SLOW;
		break;
	default:
		event = RPC_SERVER_BAD_RECORD;
	}
	atomic_fetch_add_explicit(&conn->conns->closed_by_us, 1,
				  memory_order_relaxed);
	rpc_conn_tell(conn->conns, event, &conn->peer, -why);
}

static void release(struct rpc_conn *conn)
{
	rpc_record_fini(&conn->reader);
	rpc_buffer_fini(&conn->reply);
	rpc_dispatch_scratch_fini(&conn->scratch);
	free(conn);
}

static void unlink_conn(struct rpc_conn **list, struct rpc_conn *conn)
{
	if (conn->previous)
		conn->previous->next = conn->next;
	else
		*list = conn->next;
	if (conn->next)
		conn->next->previous = conn->previous;
}

static void push_conn(struct rpc_conn **list, struct rpc_conn *conn)
{
	conn->previous = NULL;
	conn->next = *list;
	if (*list)
		(*list)->previous = conn;
	*list = conn;
}

static void *run(void *arg)
{
	struct rpc_conn *conn = arg;
	struct rpc_conns *conns = conn->conns;
	const uint64_t one = 1;
	int why = serve(conn);
	bool is_evicted;

	pthread_mutex_lock(&conns->lock);
	is_evicted = conn->is_evicted;
	fdio_close(&conn->fd);
	pthread_mutex_unlock(&conns->lock);
	if (is_evicted)
		rpc_conn_tell(conns, RPC_SERVER_EVICTED, &conn->peer, 0);
	else
		tell_end(conn, why);
	atomic_fetch_sub_explicit(&conns->open, 1, memory_order_relaxed);
	pthread_mutex_lock(&conns->lock);
	unlink_conn(&conns->living, conn);
	push_conn(&conns->ended, conn);
	/* Cannot fail, nor block: it would take 2^64 of them. */
	if (write(conns->ended_fd, &one, sizeof(one)) < 0)
		abort();
	pthread_mutex_unlock(&conns->lock);
	return NULL;
}

/* ---- starting ---- */

static int set_timeout(int fd, int64_t idle_ns)
{
	struct timespec ts = tick_to_timespec(idle_ns);
	struct timeval tv = {
		.tv_sec = ts.tv_sec,
		.tv_usec = (suseconds_t)((ts.tv_nsec + 999) / 1000),
	};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ? -errno
									: 0;
}

/* All signals go to the threads of the program. */
static int start_thread(struct rpc_conn *conn)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int rc = pthread_attr_init(&attributes);

	if (rc)
		return -rc;
	rc = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!rc)
		rc = pthread_create(&conn->thread, &attributes, run, conn);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return -rc;
}

int rpc_conn_start(struct rpc_conns *conns, int fd, const struct rpc_peer *peer)
{
	const struct rpc_server_options *options = conns->options;
	struct rpc_conn *conn = calloc(1, sizeof(*conn));
	int rc = conn ? set_timeout(fd, options->idle_ns) : -ENOMEM;

	if (rc) {
		free(conn);
		fdio_close(&fd);
		return rc;
	}
	conn->conns = conns;
	conn->peer = *peer;
	conn->fd = fd;
	rpc_record_init(&conn->reader, fd, options->max_record_bytes,
			options->record_ns);
	rpc_buffer_init(&conn->reply,
			options->max_record_bytes + RPC_RECORD_MARK);
	rpc_dispatch_scratch_init(&conn->scratch);
	pthread_mutex_lock(&conns->lock);
	push_conn(&conns->living, conn);
	conns->n++;
	atomic_fetch_add_explicit(&conns->accepted, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&conns->open, 1, memory_order_relaxed);
	/* With the lock held, so that it is in the list before it ends. */
	rc = start_thread(conn);
	if (rc) {
		unlink_conn(&conns->living, conn);
		conns->n--;
		atomic_fetch_sub_explicit(&conns->open, 1,
					  memory_order_relaxed);
	}
	pthread_mutex_unlock(&conns->lock);
	if (rc) {
		fdio_close(&conn->fd);
		release(conn);
		return rc;
	}
	return 0;
}

/* ---- ending ---- */

bool rpc_conn_evict(struct rpc_conns *conns)
{
	struct rpc_conn *oldest = NULL;
	int64_t idle_at, oldest_at = INT64_MAX;

	pthread_mutex_lock(&conns->lock);
	for (struct rpc_conn *c = conns->living; c; c = c->next) {
		idle_at =
			atomic_load_explicit(&c->idle_at, memory_order_relaxed);
		if (idle_at == 0 || idle_at >= oldest_at || c->fd < 0 ||
		    c->is_evicted)
			continue;
		oldest = c;
		oldest_at = idle_at;
	}
	if (oldest) {
		oldest->is_evicted = true;
		shutdown(oldest->fd, SHUT_RDWR);
		atomic_fetch_add_explicit(&conns->closed_by_us, 1,
					  memory_order_relaxed);
	}
	pthread_mutex_unlock(&conns->lock);
	return oldest;
}

unsigned int rpc_conn_reap(struct rpc_conns *conns)
{
	struct rpc_conn *conn, *next;
	unsigned int n = 0;

	pthread_mutex_lock(&conns->lock);
	conn = conns->ended;
	conns->ended = NULL;
	pthread_mutex_unlock(&conns->lock);
	for (; conn; conn = next) {
		next = conn->next;
		/* It has nothing left to do but to return. */
		pthread_join(conn->thread, NULL);
		release(conn);
		n++;
	}
	pthread_mutex_lock(&conns->lock);
	conns->n -= n;
	pthread_mutex_unlock(&conns->lock);
	return n;
}

static unsigned int shut_down_all(struct rpc_conns *conns, int how)
{
	unsigned int n;

	pthread_mutex_lock(&conns->lock);
	for (struct rpc_conn *c = conns->living; c; c = c->next)
		if (c->fd >= 0)
			shutdown(c->fd, how);
	n = conns->n;
	pthread_mutex_unlock(&conns->lock);
	return n;
}

void rpc_conn_stop(struct rpc_conns *conns, int64_t grace_ns)
{
	struct pollfd ended = {.fd = conns->ended_fd, .events = POLLIN};
	int64_t deadline = tick_after(grace_ns);
	uint64_t count;

	atomic_store_explicit(&conns->is_stopping, true, memory_order_relaxed);
	/* The lock pairs this with those that look after having been woken. */
	shut_down_all(conns, SHUT_RD);
	for (;;) {
		rpc_conn_reap(conns);
		if (conns->n == 0)
			return;
		if (tick_is_over(deadline)) {
			shut_down_all(conns, SHUT_RDWR);
			deadline = TICK_NEVER;
		}
		if (poll(&ended, 1, tick_left_ms(deadline)) > 0 &&
		    read(conns->ended_fd, &count, sizeof(count)) < 0)
			continue;
	}
}
