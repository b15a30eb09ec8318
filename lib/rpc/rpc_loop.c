/* rpc_loop.c - a loop waits at epoll for all of its connections, answers quick
 * calls itself and leaves the others to workers, and never waits for a peer:
 * what a socket does not take is queued.
 *
 * A connection is looked at for one reason or another: bytes came, bytes can
 * be sent, a worker is done, memory may be there. All end in go_on(), which
 * answers what it may, sends what it can, and from what is left settles what to
 * wait for. It stops reading where the peer has enough under way: replies that
 * it has not read, calls with workers.
 *
 * A connection goes to the loop on the processor where its bytes come in: a
 * peer on the same machine then sleeps and wakes there too, while to wake it on
 * another processor takes an interrupt, more than all else that we do for a
 * small call. So that there is a loop on each, loops keep apart.
 *
 * Connections belong to their loop's thread alone. Others reach it by its two
 * lists, under their lock: connections that come, jobs that are done. What
 * has ended is handed over at the end of a round, as epoll may have told of it
 * twice in the same. */
#include "lib/rpc/rpc_loop.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/fdio.h"
#include "lib/rpc/rpc_workers.h"
#include "lib/tick.h"

enum {
	EVENTS = 64,
	LOOK_EVERY = 64, /* times that bytes came: where from? */
};

struct rpc_loop {
	struct rpc_loops *loops;
	int epoll_fd, wake_fd;
	pthread_t thread;
	struct rpc_scratch scratch;
	int64_t now; /* of this round */
	struct rpc_timer_list idle, record, write;
	struct rpc_timer_list again; /* to be read without word from epoll */
	struct rpc_conn *closing;
	/* For the other loops; nothing is ordered by them. */
	atomic_int processor; /* that it ran on before it waited */
	atomic_uint n_conns;
	pthread_mutex_t lock; /* of the rest */
	struct rpc_conn *inbox;
	struct job *done;
	bool is_closing;
};

/* A call on its way to a worker and back. Its connection stays meanwhile. */
struct job {
	struct rpc_job job;
	struct job *next;
	struct rpc_conn *conn;
	struct rpc_call call; /* points into record */
	struct rpc_buffer record, reply;
	size_t record_bytes;
	ssize_t n; /* as rpc_conn_answer() says */
};

struct rpc_loops {
	struct rpc_conns *conns;
	struct rpc_workers *workers;
	unsigned int next, n;
	struct rpc_loop loops[];
};

/* ---- timers ---- */

static int64_t due_after(const struct rpc_loop *loop, int64_t span)
{
	return span > TICK_NEVER - loop->now ? TICK_NEVER : loop->now + span;
}

/* ---- the lists of a loop, filled by others ---- */

static void wake(struct rpc_loop *loop)
{
	const uint64_t one = 1;

	/* Cannot fail, nor block: it would take 2^64 of them. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		abort();
}

/* The connection is that loop's from now on. */
static void give(struct rpc_loop *loop, struct rpc_conn *conn)
{
	conn->l.loop = loop;
	atomic_fetch_add_explicit(&loop->n_conns, 1, memory_order_relaxed);
	pthread_mutex_lock(&loop->lock);
	conn->l.inbox = loop->inbox;
	loop->inbox = conn;
	pthread_mutex_unlock(&loop->lock);
	wake(loop);
}

/* ---- the end of a connection ---- */

static void finish(struct rpc_conn *conn)
{
	struct rpc_loop *loop = conn->l.loop;

	conn->l.closing = loop->closing;
	loop->closing = conn;
	atomic_fetch_sub_explicit(&loop->n_conns, 1, memory_order_relaxed);
}

/* Calls that workers have are waited for, but not answered. */
static void end(struct rpc_conn *conn, int why)
{
	if (!conn->l.is_open)
		return;
	conn->l.is_open = false;
	conn->l.why = why;
	rpc_timer_stop(&conn->l.read);
	rpc_timer_stop(&conn->l.write);
	/* Which takes it out of epoll, as nobody else has this socket. */
	rpc_conn_shut(conn);
	if (conn->l.in_flight == 0)
		finish(conn);
}

static void hand_over(struct rpc_loop *loop)
{
	struct rpc_conn *conn;

	while ((conn = loop->closing)) {
		loop->closing = conn->l.closing;
		rpc_conn_end(conn, conn->l.why);
	}
}

/* ---- sending ---- */

/* The time to take what is queued now is write_ns, however much is queued
 * behind it meanwhile. */
static void watch_sending(struct rpc_conn *conn, size_t sent)
{
	struct rpc_loop *loop = conn->l.loop;
	size_t unsent = rpc_conn_unsent(conn);

	if (unsent == 0) {
		rpc_timer_stop(&conn->l.write);
		return;
	}
	if (conn->l.write.in && sent < conn->l.unsent_then) {
		conn->l.unsent_then -= sent;
		return;
	}
	conn->l.unsent_then = unsent;
	rpc_timer_start(&conn->l.write, &loop->write, conn,
			due_after(loop, conn->conns->options->write_ns));
}

/* What the socket takes. Returns 0 or -errno. */
static int send_some(struct rpc_conn *conn)
{
	ssize_t n = 0;

	if (rpc_conn_unsent(conn) > 0) {
		n = rpc_conn_write(conn);
		if (n < 0 && n != -EAGAIN && n != -EINTR)
			return (int)n;
		n = n < 0 ? 0 : n;
		rpc_conn_was_sent(conn, (size_t)n);
		rpc_conn_set_idle(conn, conn->l.loop->now);
	}
	watch_sending(conn, (size_t)n);
	return 0;
}

/* ---- answering ---- */

static bool has_enough(const struct rpc_conn *conn)
{
	return rpc_conn_unsent(conn) >= RPC_CONN_QUEUE ||
	       conn->l.in_flight >= conn->conns->options->max_in_flight;
}

static void free_job(struct job *job)
{
	rpc_buffer_fini(&job->record);
	rpc_buffer_fini(&job->reply);
	free(job);
}

/* In the worker, which may wait for memory as well. */
static void run_job(struct rpc_job *run, struct rpc_scratch *scratch)
{
	struct job *job = (struct job *)run;
	struct rpc_loop *loop = job->conn->l.loop;
	int64_t deadline = tick_after(job->conn->conns->options->record_ns);

	while ((job->n = rpc_conn_answer(job->conn, &job->call,
					 job->record_bytes, scratch,
					 &job->reply, 0)) == -ENOBUFS &&
	       !tick_is_over(deadline))
		tick_sleep_until(tick_after(RPC_CONN_RETRY_MS * TICK_MS));
	pthread_mutex_lock(&loop->lock);
	job->next = loop->done;
	loop->done = job;
	/* Within the lock: without it the loop could be gone. */
	wake(loop);
	pthread_mutex_unlock(&loop->lock);
}

/* Of the call that was taken. Returns 0, -ENOBUFS or -ENOMEM. */
static int make_job(struct rpc_conn *conn, struct job **out)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job)
		return -ENOMEM;
	job->job.run = run_job;
	job->conn = conn;
	job->record_bytes = conn->record_bytes;
	rpc_buffer_init(&job->record, conn->record_bytes + 1);
	rpc_buffer_init(&job->reply, conn->conns->max_reply_bytes);
	job->record.budget = job->reply.budget = &conn->conns->budget;
	rc = rpc_buffer_reserve(&job->record, conn->record_bytes + 1);
	if (rc) {
		free_job(job);
		return rc;
	}
	memcpy(job->record.bytes, conn->record, conn->record_bytes);
	/* It could be decoded before. */
	rpc_message_decode_call(job->record.bytes, job->record_bytes,
				&job->call);
	*out = job;
	return 0;
}

static int leave_to_worker(struct rpc_conn *conn)
{
	struct job *job;
	int rc = make_job(conn, &job);

	if (rc)
		return rc;
	conn->has_call = false;
	conn->hungry_since = 0;
	conn->l.in_flight++;
	rpc_workers_give(conn->l.loop->loops->workers, &job->job);
	return 0;
}

/* Returns 0 when no more can be done now, or -errno. */
static int answer_all(struct rpc_conn *conn)
{
	const struct rpc_dispatch *dispatch = &conn->conns->options->dispatch;
	int rc;

	while (!has_enough(conn)) {
		rc = rpc_conn_take_call(conn);
		if (rc <= 0)
			return rc;
		if (rpc_dispatch_is_quick(dispatch, &conn->call))
			rc = rpc_conn_answer_taken(conn,
						   &conn->l.loop->scratch);
		else
			rc = leave_to_worker(conn);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- what to wait for ---- */

static bool is_stopping(const struct rpc_conn *conn)
{
	return atomic_load_explicit(&conn->conns->is_stopping,
				    memory_order_relaxed);
}

static bool may_read(const struct rpc_conn *conn)
{
	return !conn->l.why && !conn->hungry_since && !has_enough(conn) &&
	       !is_stopping(conn);
}

static int wait_for(struct rpc_conn *conn, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = conn};

	if (events == conn->l.events)
		return 0;
	conn->l.events = events;
	return epoll_ctl(conn->l.loop->epoll_fd, EPOLL_CTL_MOD, conn->fd,
			 &event)
		       ? -errno
		       : 0;
}

/* A record's time counts from its first byte, and goes on. */
static void watch_reading(struct rpc_conn *conn)
{
	const struct rpc_server_options *options = conn->conns->options;
	struct rpc_loop *loop = conn->l.loop;
	struct rpc_timer *timer = &conn->l.read;

	if (conn->hungry_since) {
		rpc_timer_start(timer, &loop->again, conn,
				loop->now + RPC_CONN_RETRY_MS * TICK_MS);
	} else if (may_read(conn) && conn->l.has_more) {
		/* In the next round, after those of whom epoll tells. */
		rpc_timer_start(timer, &loop->again, conn, loop->now + 1);
	} else if (!may_read(conn) || conn->l.in_flight > 0) {
		rpc_timer_stop(timer);
	} else if (rpc_record_is_partial(&conn->reader)) {
		if (conn->reader.whole_until == 0)
			conn->reader.whole_until =
				due_after(loop, options->record_ns);
		rpc_timer_start(timer, &loop->record, conn,
				conn->reader.whole_until);
	} else {
		rpc_timer_start(timer, &loop->idle, conn,
				due_after(loop, options->idle_ns));
	}
}

/* A connection with nothing under way has no buffers either. */
static void give_back(struct rpc_conn *conn)
{
	if (rpc_conn_unsent(conn) == 0)
		rpc_buffer_fini(&conn->out);
	if (!conn->has_call && !rpc_record_is_partial(&conn->reader))
		rpc_record_fini(&conn->reader);
	rpc_conn_note_memory(conn);
}

static bool is_finished(const struct rpc_conn *conn)
{
	if (conn->l.in_flight > 0 || rpc_conn_unsent(conn) > 0)
		return false;
	return conn->l.why || is_stopping(conn);
}

/* What comes before the first record, as far as it goes now. Returns whether it
 * is done. */
static bool has_begun(struct rpc_conn *conn)
{
	struct rpc_loop *loop = conn->l.loop;
	int rc = rpc_conn_begin(conn);

	if (rc == 0) {
		/* It may have come with the last of that. */
		conn->l.has_more = conn->layer.read;
		return true;
	}
	if (rc > 0 && !is_stopping(conn)) {
		rc = wait_for(conn, rc & POLLOUT ? EPOLLOUT : EPOLLIN);
		if (!conn->l.read.in)
			rpc_timer_start(
				&conn->l.read, &loop->record, conn,
				due_after(loop,
					  conn->conns->options->record_ns));
		if (rc == 0)
			return false;
	}
	end(conn, rc > 0 ? 0 : rc);
	return false;
}

/* Answer and send, and once more where what was queued is gone. Returns 0 or
 * why nothing can be sent any more. */
static int answer_and_send(struct rpc_conn *conn)
{
	bool had_enough;
	int rc;

	do {
		rc = conn->l.why ? 0 : answer_all(conn);
		if (rc == -ENOBUFS)
			rc = rpc_conn_go_hungry(conn);
		/* What was answered before is sent, whatever comes. */
		if (rc)
			conn->l.why = rc;
		had_enough = has_enough(conn);
		rc = send_some(conn);
	} while (!rc && !conn->l.why && had_enough && !has_enough(conn));
	return rc;
}

/* All that can be done for a connection. why is what has happened to it. */
static void go_on(struct rpc_conn *conn, int why)
{
	int rc;

	if (!conn->has_begun && !has_begun(conn))
		return;
	if (why && !conn->l.why)
		conn->l.why = why;
	rc = answer_and_send(conn);
	if (!rc && !is_finished(conn))
		rc = wait_for(
			conn,
			(may_read(conn) ? EPOLLIN : 0u) |
				(rpc_conn_unsent(conn) > 0 ? EPOLLOUT : 0u));
	if (rc || is_finished(conn)) {
		end(conn, conn->l.why ? conn->l.why : rc);
		return;
	}
	/* After a call that got no reply. */
	if (!conn->has_call && conn->l.in_flight == 0 &&
	    !rpc_conn_is_idle(conn))
		rpc_conn_set_idle(conn, conn->l.loop->now);
	give_back(conn);
	watch_reading(conn);
}

/* ---- what happens ---- */

static int receive(struct rpc_conn *conn)
{
	uint8_t *to;
	size_t room;
	ssize_t n;
	int rc = rpc_record_room(&conn->reader, &to, &room);

	if (rc)
		return rc;
	conn->hungry_since = 0;
	n = rpc_conn_read(conn, to, room);
	/* Of which epoll knows nothing. */
	conn->l.has_more = conn->layer.read && n == (ssize_t)room;
	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
	if (n == 0)
		return rpc_record_is_partial(&conn->reader) ? -ECONNRESET
							    : -EPIPE;
	rpc_record_add(&conn->reader, (size_t)n);
	return 0;
}

static int receive_or_wait(struct rpc_conn *conn)
{
	int rc = receive(conn);

	return rc == -ENOBUFS ? rpc_conn_go_hungry(conn) : rc;
}

static bool runs_on(const struct rpc_loop *loop, int processor)
{
	return atomic_load_explicit(&loop->processor, memory_order_relaxed) ==
	       processor;
}

/* The processor where the bytes come in, or -1. The kernel notes it for TCP; at
 * a Unix socket they come in where the peer runs that sends them. */
static int find_incoming(const struct rpc_conn *conn)
{
	socklen_t bytes = sizeof(int);
	int processor;

	if (conn->peer.has_ids)
		return identity_processor(conn->peer.pid);
	if (getsockopt(conn->fd, SOL_SOCKET, SO_INCOMING_CPU, &processor,
		       &bytes))
		return -1;
	return processor;
}

/* The loop that should have this one: it runs where the bytes come in, and has
 * no more connections than this loop. NULL: this one, or nobody knows. */
static struct rpc_loop *find_nearer(const struct rpc_conn *conn)
{
	struct rpc_loop *loop = conn->l.loop, *other;
	unsigned int n =
		atomic_load_explicit(&loop->n_conns, memory_order_relaxed);
	int processor = find_incoming(conn);

	if (processor < 0 || runs_on(loop, processor))
		return NULL;
	for (unsigned int i = 0; i < loop->loops->n; i++) {
		other = &loop->loops->loops[i];
		if (runs_on(other, processor) &&
		    atomic_load_explicit(&other->n_conns,
					 memory_order_relaxed) <= n)
			return other;
	}
	return NULL;
}

/* Under way with workers, which give back to this loop, or with timers of its
 * own: not now. */
static void move_if_better(struct rpc_conn *conn)
{
	struct rpc_loop *loop = conn->l.loop, *other;

	if (++conn->l.n_received % LOOK_EVERY || !conn->has_begun ||
	    conn->l.in_flight > 0 || conn->hungry_since ||
	    rpc_conn_unsent(conn) > 0)
		return;
	other = find_nearer(conn);
	if (!other || epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL))
		return;
	rpc_timer_stop(&conn->l.read);
	atomic_fetch_sub_explicit(&loop->n_conns, 1, memory_order_relaxed);
	give(other, conn);
}

static void look_at(struct rpc_conn *conn, uint32_t events)
{
	int why = 0;

	if (!conn->l.is_open)
		return;
	if (!conn->has_begun)
		events = 0;
	else if (conn->l.events & EPOLLIN && events & ~(uint32_t)EPOLLOUT)
		why = receive_or_wait(conn);
	else if (events & (EPOLLHUP | EPOLLERR))
		why = -ECONNRESET;
	/* Cut off: nobody is there to be sent anything. */
	if (why && events & (EPOLLHUP | EPOLLERR))
		end(conn, why);
	else
		go_on(conn, why);
	if (conn->l.is_open && conn->conns->options->loops > 1)
		move_if_better(conn);
}

/* The reply of a worker, behind the others. It is there, so it is sent:
 * whatever it takes more of the budget now. Returns 0 or -ENOMEM. */
static int take_reply(struct job *job)
{
	struct rpc_conn *conn = job->conn;
	size_t n = (size_t)job->n;
	struct rpc_buffer other;
	int rc;

	if (rpc_conn_unsent(conn) == 0) {
		other = conn->out;
		conn->out = job->reply;
		job->reply = other;
		conn->sent = 0;
		conn->queued = n;
		return 0;
	}
	conn->out.limit = conn->queued + n;
	rpc_buffer_owe(&conn->out, conn->queued + n);
	rc = rpc_buffer_reserve(&conn->out, conn->queued + n);
	if (rc)
		return rc;
	memcpy(conn->out.bytes + conn->queued, job->reply.bytes, n);
	conn->queued += n;
	return 0;
}

static void take_job(struct job *job)
{
	struct rpc_conn *conn = job->conn;
	int why = job->n < 0 ? (int)job->n : 0;

	if (conn->l.is_open && job->n > 0)
		why = take_reply(job);
	conn->l.in_flight--;
	free_job(job);
	if (conn->l.is_open)
		go_on(conn, why);
	else if (conn->l.in_flight == 0)
		finish(conn);
}

static void adopt(struct rpc_loop *loop, struct rpc_conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

	conn->l.is_open = true;
	conn->l.events = EPOLLIN;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event))
		end(conn, -errno);
	else
		go_on(conn, 0);
}

static void look_at_lists(struct rpc_loop *loop)
{
	struct rpc_conn *inbox, *next_conn;
	struct job *done, *next_job;
	uint64_t count;

	/* Nothing to be read is as well. */
	(void)!read(loop->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&loop->lock);
	inbox = loop->inbox;
	loop->inbox = NULL;
	done = loop->done;
	loop->done = NULL;
	pthread_mutex_unlock(&loop->lock);
	for (; inbox; inbox = next_conn) {
		next_conn = inbox->l.inbox;
		adopt(loop, inbox);
	}
	for (; done; done = next_job) {
		next_job = done->next;
		take_job(done);
	}
}

/* ---- the loop ---- */

static void end_overdue(struct rpc_loop *loop, struct rpc_timer_list *timers)
{
	while (timers->first && timers->first->due <= loop->now)
		end(timers->first->conn, timers->why);
}

/* Once each: a connection to be read again is at the end then, and due
 * later. */
static void read_again(struct rpc_loop *loop)
{
	struct rpc_conn *conn;

	while (loop->again.first && loop->again.first->due <= loop->now) {
		conn = loop->again.first->conn;
		rpc_timer_stop(&conn->l.read);
		go_on(conn, conn->has_call ? 0 : receive_or_wait(conn));
	}
}

static int64_t first_due(const struct rpc_loop *loop)
{
	const struct rpc_timer_list *const all[] = {&loop->idle, &loop->record,
						    &loop->write, &loop->again};
	int64_t due = TICK_NEVER;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->first && all[i]->first->due < due)
			due = all[i]->first->due;
	return due;
}

static bool is_closing(struct rpc_loop *loop)
{
	bool is;

	pthread_mutex_lock(&loop->lock);
	is = loop->is_closing;
	pthread_mutex_unlock(&loop->lock);
	return is;
}

/* Each loop has every so manieth of the processors that we may use, where there
 * are enough: the kernel would have two on the same for half of the time. To be
 * refused that costs time, and nothing else. */
static void keep_apart(const struct rpc_loop *loop)
{
	const struct rpc_loops *loops = loop->loops;
	const size_t n = loops->conns->options->loops;
	const size_t which = (size_t)(loop - loops->loops);
	cpu_set_t all, mine;
	size_t k = 0;

	if (sched_getaffinity(0, sizeof(all), &all) ||
	    (size_t)CPU_COUNT(&all) < n)
		return;
	CPU_ZERO(&mine);
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all) && k++ % n == which)
			CPU_SET(i, &mine);
	(void)sched_setaffinity(0, sizeof(mine), &mine);
}

static void *run(void *arg)
{
	struct rpc_loop *loop = arg;
	struct epoll_event events[EVENTS];
	bool is_woken;
	int n;

	keep_apart(loop);
	do {
		atomic_store_explicit(&loop->processor, sched_getcpu(),
				      memory_order_relaxed);
		n = epoll_wait(loop->epoll_fd, events, EVENTS,
			       tick_left_ms(first_due(loop)));
		loop->now = tick_now();
		is_woken = false;
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				look_at(events[i].data.ptr, events[i].events);
			else
				is_woken = true;
		if (is_woken)
			look_at_lists(loop);
		read_again(loop);
		end_overdue(loop, &loop->idle);
		end_overdue(loop, &loop->record);
		end_overdue(loop, &loop->write);
		hand_over(loop);
	} while (!is_woken || !is_closing(loop));
	return NULL;
}

/* ---- for others ---- */

int rpc_loop_start(struct rpc_conn *conn)
{
	struct rpc_loops *loops = conn->conns->loops;

	give(&loops->loops[loops->next++ % loops->n], conn);
	return 0;
}

static void init_loop(struct rpc_loops *loops, struct rpc_loop *loop)
{
	loop->loops = loops;
	loop->epoll_fd = loop->wake_fd = -1;
	atomic_init(&loop->processor, -1);
	loop->idle.why = -EAGAIN;
	loop->record.why = loop->write.why = -ETIMEDOUT;
	pthread_mutex_init(&loop->lock, NULL);
	rpc_dispatch_scratch_init(&loop->scratch);
}

static void fini_loop(struct rpc_loop *loop)
{
	rpc_dispatch_scratch_fini(&loop->scratch);
	pthread_mutex_destroy(&loop->lock);
	fdio_close(&loop->wake_fd);
	fdio_close(&loop->epoll_fd);
}

/* Straight after the call that made it. */
static int keep_fd(int *fd, int made)
{
	*fd = made < 0 ? -errno : fdio_above_std(made);
	made = *fd < 0 ? *fd : 0;
	if (made)
		*fd = -1;
	return made;
}

static int start_loop(struct rpc_loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t all, old;
	int rc;

	rc = keep_fd(&loop->epoll_fd, epoll_create1(EPOLL_CLOEXEC));
	if (!rc)
		rc = keep_fd(&loop->wake_fd,
			     eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (!rc &&
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event))
		rc = -errno;
	if (!rc) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		rc = -pthread_create(&loop->thread, NULL, run, loop);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (rc)
		fini_loop(loop);
	return rc;
}

static void stop_loop(struct rpc_loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	loop->is_closing = true;
	pthread_mutex_unlock(&loop->lock);
	wake(loop);
	pthread_join(loop->thread, NULL);
	fini_loop(loop);
}

int rpc_loop_open(struct rpc_loops **out, struct rpc_conns *conns)
{
	unsigned int n = conns->options->loops;
	struct rpc_loops *loops =
		calloc(1, sizeof(*loops) + n * sizeof(struct rpc_loop));
	int rc;

	*out = NULL;
	if (!loops)
		return -ENOMEM;
	loops->conns = conns;
	rc = rpc_workers_open(&loops->workers, conns->options->workers);
	while (!rc && loops->n < n) {
		init_loop(loops, &loops->loops[loops->n]);
		rc = start_loop(&loops->loops[loops->n]);
		if (!rc)
			loops->n++;
	}
	if (rc)
		rpc_loop_close(loops);
	else
		*out = loops;
	return rc;
}

void rpc_loop_close(struct rpc_loops *loops)
{
	if (!loops)
		return;
	rpc_workers_close(loops->workers);
	for (unsigned int i = 0; i < loops->n; i++)
		stop_loop(&loops->loops[i]);
	free(loops);
}
