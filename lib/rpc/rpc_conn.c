/* rpc_conn.c - from received bytes to queued ones, and the list of all
 * connections.
 *
 * Any thread shuts a descriptor down, which wakes the thread that serves it;
 * only the serving thread closes it, under the lock: so no thread ever shuts
 * down a number that has become another connection's. */
#include "lib/rpc/rpc_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

enum {
	PATIENCE_MS = 250, /* to wait for memory, before another is ended */
	IDLE_MS = 100,     /* less is no idleness but a pause between calls */
	LEAVING_MS = 1000, /* to wait for one that was ended, before the next */
};

void rpc_conn_tell(struct rpc_conns *conns, enum rpc_server_event event,
		   const struct rpc_peer *peer, int error)
{
	if (conns->options->on_event)
		conns->options->on_event(event, peer, error,
					 conns->options->arg);
}

void rpc_conn_trace(const struct rpc_conns *conns, bool is_sent,
		    const uint8_t *message, size_t n)
{
	if (conns->options->trace)
		conns->options->trace(is_sent, message, n, conns->options->arg);
}

/* ---- what other threads want to know ---- */

void rpc_conn_set_idle(struct rpc_conn *conn, int64_t moment)
{
	atomic_store_explicit(&conn->idle_at, moment, memory_order_relaxed);
}

bool rpc_conn_is_idle(const struct rpc_conn *conn)
{
	return atomic_load_explicit(&conn->idle_at, memory_order_relaxed) != 0;
}

void rpc_conn_note_memory(struct rpc_conn *conn)
{
	size_t taken = conn->reader.buffer.taken + conn->out.taken;

	if (taken != atomic_load_explicit(&conn->taken, memory_order_relaxed))
		atomic_store_explicit(&conn->taken, taken,
				      memory_order_relaxed);
}

static void note_caller(struct rpc_conn *conn, const struct rpc_identity *who)
{
	if (who->is_proved)
		atomic_store_explicit(&conn->is_proved, true,
				      memory_order_relaxed);
}

/* ---- a call, and its reply ---- */

int rpc_conn_take_call(struct rpc_conn *conn)
{
	ssize_t n;
	int rc;

	if (conn->has_call)
		return 1;
	n = rpc_record_next(&conn->reader, &conn->record);
	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	rpc_conn_trace(conn->conns, false, conn->record, (size_t)n);
	rc = rpc_message_decode_call(conn->record, (size_t)n, &conn->call);
	if (rc)
		return rc;
	conn->record_bytes = (size_t)n;
	conn->has_call = true;
	rpc_conn_set_idle(conn, 0);
	return 1;
}

/* What the arguments take when they are decoded, and when a flavor takes off
 * their seal, beyond what a connection has anyway: each about as much as on the
 * wire. */
static size_t decoded_bytes(size_t record_bytes)
{
	return record_bytes > RPC_BUFFER_START ? 2 * record_bytes : 0;
}

size_t rpc_conn_largest_bytes(const struct rpc_conns *conns)
{
	return conns->max_call_bytes + decoded_bytes(conns->max_call_bytes) +
	       conns->max_reply_bytes;
}

static ssize_t answer_within(struct rpc_conns *conns, struct rpc_conn *conn,
			     const struct rpc_call *call,
			     struct rpc_scratch *scratch,
			     struct rpc_buffer *reply, size_t offset)
{
	const struct rpc_dispatch *dispatch = &conns->options->dispatch;
	size_t most = rpc_dispatch_max_reply(dispatch, call);

	if (!most)
		most = RPC_MESSAGE_REPLY_MAX;
	reply->limit = offset + conns->max_reply_bytes;
	if (rpc_buffer_prepay(reply, offset + most))
		return -ENOBUFS;
	return rpc_dispatch_answer(dispatch, &conn->peer, call, scratch, reply,
				   offset);
}

ssize_t rpc_conn_answer(struct rpc_conn *conn, const struct rpc_call *call,
			size_t record_bytes, struct rpc_scratch *scratch,
			struct rpc_buffer *reply, size_t offset)
{
	const struct rpc_server_options *options = conn->conns->options;
	struct rpc_budget *budget = &conn->conns->budget;
	size_t decoded = decoded_bytes(record_bytes);
	ssize_t n;

	if (!rpc_budget_take(budget, decoded))
		return -ENOBUFS;
	n = answer_within(conn->conns, conn, call, scratch, reply,
			  offset + RPC_RECORD_MARK);
	rpc_budget_give(budget, decoded);
	if (n < 0)
		return n;
	note_caller(conn, &scratch->who);
	atomic_fetch_add_explicit(&conn->conns->calls, 1, memory_order_relaxed);
	if (options->loses_reply && options->loses_reply(call, options->arg))
		return -EPIPE;
	if (n == 0)
		return 0;
	rpc_conn_trace(conn->conns, true,
		       reply->bytes + offset + RPC_RECORD_MARK, (size_t)n);
	rpc_record_mark(reply->bytes + offset, (size_t)n);
	return n + RPC_RECORD_MARK;
}

/* ---- bytes ---- */

ssize_t rpc_conn_read(struct rpc_conn *conn, uint8_t *to, size_t room)
{
	ssize_t n;

	if (conn->layer.read)
		return conn->layer.read(conn->layer.state, conn->fd, to, room);
	n = recv(conn->fd, to, room, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

ssize_t rpc_conn_write(struct rpc_conn *conn)
{
	const uint8_t *from = conn->out.bytes + conn->sent;
	size_t unsent = rpc_conn_unsent(conn);
	ssize_t n;

	if (conn->layer.write)
		return conn->layer.write(conn->layer.state, conn->fd, from,
					 unsent);
	n = send(conn->fd, from, unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int rpc_conn_begin(struct rpc_conn *conn)
{
	int rc = 0;

	if (!conn->has_begun && conn->layer.begin)
		rc = conn->layer.begin(conn->layer.state, conn->fd);
	conn->has_begun = rc == 0;
	return rc;
}

/* ---- the queue ---- */

size_t rpc_conn_unsent(const struct rpc_conn *conn)
{
	return conn->queued - conn->sent;
}

void rpc_conn_was_sent(struct rpc_conn *conn, size_t n)
{
	conn->sent += n;
	if (conn->sent == conn->queued)
		conn->sent = conn->queued = 0;
}

/* Behind what is to be sent, which is moved to the front when that is little
 * compared with what is gone. */
int rpc_conn_answer_taken(struct rpc_conn *conn, struct rpc_scratch *scratch)
{
	size_t unsent = rpc_conn_unsent(conn);
	ssize_t n;

	if (conn->sent > unsent) {
		memmove(conn->out.bytes, conn->out.bytes + conn->sent, unsent);
		conn->sent = 0;
		conn->queued = unsent;
	}
	n = rpc_conn_answer(conn, &conn->call, conn->record_bytes, scratch,
			    &conn->out, conn->queued);
	if (n == -ENOBUFS)
		return (int)n;
	conn->has_call = false;
	conn->hungry_since = 0;
	if (n < 0)
		return (int)n;
	conn->queued += (size_t)n;
	return 0;
}

/* ---- memory that is used up ---- */

/* Whether a goes before b: the one whose caller has proved nothing, then that
 * of the peer with the most connections, then the newest. */
static bool goes_first(struct rpc_conn *a, struct rpc_conn *b)
{
	const struct rpc_share *share = &a->conns->share;
	bool a_proved =
		atomic_load_explicit(&a->is_proved, memory_order_relaxed);
	bool b_proved =
		atomic_load_explicit(&b->is_proved, memory_order_relaxed);
	uint32_t a_has = rpc_share_get(share, a->owner);
	uint32_t b_has = rpc_share_get(share, b->owner);

	if (a_proved != b_proved)
		return b_proved;
	return a_has != b_has ? a_has > b_has : a->number > b->number;
}

/* Of those that have taken much. NULL where what is left, and what those give
 * back that are ended already, is enough for the largest call of this one. */
static struct rpc_conn *find_first_to_go(const struct rpc_conn *conn)
{
	struct rpc_conns *conns = conn->conns;
	size_t needed = rpc_conn_largest_bytes(conns);
	size_t used = rpc_budget_used(&conns->budget);
	size_t there = atomic_load_explicit(&conn->taken, memory_order_relaxed);
	struct rpc_conn *found = NULL;
	size_t taken;

	if (used < conns->budget.bytes)
		there += conns->budget.bytes - used;
	for (struct rpc_conn *c = conns->living; c; c = c->next) {
		taken = atomic_load_explicit(&c->taken, memory_order_relaxed);
		if (c->fd < 0 || taken == 0)
			continue;
		if (c->is_evicted)
			there += taken;
		else if (!found || goes_first(c, found))
			found = c;
	}
	return there < needed ? found : NULL;
}

static void shut_down(struct rpc_conn *conn, enum rpc_server_event why)
{
	conn->is_evicted = true;
	conn->why_evicted = why;
	shutdown(conn->fd, SHUT_RDWR);
	atomic_fetch_add_explicit(&conn->conns->closed_by_us, 1,
				  memory_order_relaxed);
}

int rpc_conn_go_hungry(struct rpc_conn *conn)
{
	struct rpc_conns *conns = conn->conns;
	int64_t now = tick_now();
	struct rpc_conn *other;

	if (!conn->hungry_since)
		conn->hungry_since = now;
	rpc_conn_note_memory(conn);
	if (now - conn->hungry_since > conns->options->record_ns)
		return -ENOBUFS;
	if (now - conn->hungry_since < PATIENCE_MS * TICK_MS)
		return 0;
	pthread_mutex_lock(&conns->lock);
	other = find_first_to_go(conn);
	if (other)
		shut_down(other, RPC_SERVER_NO_MEMORY);
	pthread_mutex_unlock(&conns->lock);
	return other == conn ? -ENOBUFS : 0;
}

/* ---- the lists ---- */

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

static void release(struct rpc_conn *conn)
{
	rpc_record_fini(&conn->reader);
	rpc_buffer_fini(&conn->out);
	free(conn);
}

/* ---- from the beginning to the end ---- */

static struct rpc_conn *create(struct rpc_conns *conns, int fd,
			       const struct rpc_peer *peer)
{
	const struct rpc_server_options *options = conns->options;
	struct rpc_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->conns = conns;
	conn->peer = *peer;
	conn->owner = rpc_share_owner(peer);
	conn->fd = fd;
	rpc_record_init(&conn->reader, fd, conns->max_call_bytes,
			options->record_ns);
	conn->reader.buffer.budget = &conns->budget;
	rpc_buffer_init(&conn->out, conns->max_reply_bytes + RPC_RECORD_MARK);
	conn->out.budget = &conns->budget;
	rpc_conn_set_idle(conn, tick_now());
	return conn;
}

static void close_fd(struct rpc_conn *conn)
{
	if (conn->layer.close)
		conn->layer.close(conn->layer.state);
	pthread_mutex_lock(&conn->conns->lock);
	fdio_close(&conn->fd);
	pthread_mutex_unlock(&conn->conns->lock);
}

/* Returns 0, or -errno: it is not to be served. */
static int put_layer(struct rpc_conn *conn)
{
	const struct rpc_server_options *options = conn->conns->options;
	int rc;

	if (!options->secure)
		return 0;
	rc = options->secure(&conn->peer, &conn->layer, options->arg);
	if (rc)
		conn->layer.close = NULL;
	conn->peer.layer = conn->layer.state;
	return rc || !conn->layer.read ? rc : fdio_set_nonblock(conn->fd, true);
}

/* With the lock held. */
static void enlist(struct rpc_conns *conns, struct rpc_conn *conn)
{
	push_conn(&conns->living, conn);
	conns->n++;
	rpc_share_add(&conns->share, conn->owner, 1);
	conn->number = atomic_fetch_add_explicit(&conns->accepted, 1,
						 memory_order_relaxed);
	atomic_fetch_add_explicit(&conns->open, 1, memory_order_relaxed);
}

static void forget(struct rpc_conns *conns, struct rpc_conn *conn)
{
	conns->n--;
	rpc_share_add(&conns->share, conn->owner, -1);
}

int rpc_conn_open(struct rpc_conns *conns, int fd, const struct rpc_peer *peer)
{
	struct rpc_conn *conn = create(conns, fd, peer);
	int rc;

	if (!conn) {
		fdio_close(&fd);
		return -ENOMEM;
	}
	rc = put_layer(conn);
	if (rc) {
		rpc_conn_tell(conns, RPC_SERVER_REFUSED, peer, -rc);
		close_fd(conn);
		release(conn);
		return 0;
	}
	pthread_mutex_lock(&conns->lock);
	enlist(conns, conn);
	/* With the lock held, so that it is in the list before it ends. */
	rc = conns->start(conn);
	if (rc) {
		unlink_conn(&conns->living, conn);
		forget(conns, conn);
		atomic_fetch_sub_explicit(&conns->open, 1,
					  memory_order_relaxed);
	}
	pthread_mutex_unlock(&conns->lock);
	if (rc) {
		close_fd(conn);
		release(conn);
	}
	return rc;
}

void rpc_conn_shut(struct rpc_conn *conn)
{
	close_fd(conn);
	rpc_record_fini(&conn->reader);
	rpc_buffer_fini(&conn->out);
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
	case -ENOBUFS:
		event = RPC_SERVER_NO_MEMORY;
		break;
	default:
		event = RPC_SERVER_BAD_RECORD;
	}
	atomic_fetch_add_explicit(&conn->conns->closed_by_us, 1,
				  memory_order_relaxed);
	rpc_conn_tell(conn->conns, event, &conn->peer, -why);
}

void rpc_conn_end(struct rpc_conn *conn, int why)
{
	struct rpc_conns *conns = conn->conns;
	const uint64_t one = 1;

	/* The evicting thread looks at the descriptor first. */
	if (conn->is_evicted)
		rpc_conn_tell(conns, conn->why_evicted, &conn->peer, 0);
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
}

/* ---- making room, and the end of all ---- */

bool rpc_conn_evict(struct rpc_conns *conns)
{
	const int64_t now = tick_now(), before = now - IDLE_MS * TICK_MS;
	int64_t idle_at, oldest_at = INT64_MAX;
	struct rpc_conn *found = NULL;
	uint32_t share, largest = 0;
	bool is_one_leaving = false;

	pthread_mutex_lock(&conns->lock);
	for (struct rpc_conn *c = conns->living; c; c = c->next) {
		idle_at =
			atomic_load_explicit(&c->idle_at, memory_order_relaxed);
		share = rpc_share_get(&conns->share, c->owner);
		is_one_leaving |= c->is_evicted;
		if (idle_at == 0 || c->fd < 0 || c->is_evicted ||
		    share < largest ||
		    (share == largest && idle_at >= oldest_at))
			continue;
		found = c;
		largest = share;
		oldest_at = idle_at;
	}
	/* Or a connection that is slow to end would cost those of other
	 * peers theirs. */
	is_one_leaving &= now - conns->evicted_at < LEAVING_MS * TICK_MS;
	if (is_one_leaving || oldest_at > before)
		found = NULL;
	if (found) {
		shut_down(found, RPC_SERVER_EVICTED);
		conns->evicted_at = now;
	}
	pthread_mutex_unlock(&conns->lock);
	return found || is_one_leaving;
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
		if (!conns->loops)
			pthread_join(conn->thread, NULL);
		pthread_mutex_lock(&conns->lock);
		forget(conns, conn);
		pthread_mutex_unlock(&conns->lock);
		release(conn);
		n++;
	}
	return n;
}

static void shut_down_all(struct rpc_conns *conns, int how)
{
	pthread_mutex_lock(&conns->lock);
	for (struct rpc_conn *c = conns->living; c; c = c->next)
		if (c->fd >= 0)
			shutdown(c->fd, how);
	pthread_mutex_unlock(&conns->lock);
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
