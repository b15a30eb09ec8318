/* rpc_thread.c - one thread reads a record, answers it, sends the reply, and
 * does that again. For a call that comes whole and a reply that is taken at
 * once that is two system calls; the replies of quick calls that came together
 * are sent together. */
#include "lib/rpc/rpc_thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/fdio.h"
#include "lib/tick.h"

enum { STACK_BYTES = 512 * 1024 };

/* Wait a little; returns 0, or -errno to close. */
static int wait_for_memory(struct rpc_conn *conn)
{
	int rc = rpc_conn_go_hungry(conn);

	if (rc)
		return rc;
	rc = fdio_wait(conn->fd, 0, tick_after(RPC_CONN_RETRY_MS * TICK_MS));
	return rc == -ETIMEDOUT || rc == -EINTR ? 0 : -EPIPE;
}

/* ---- through a layer ---- */

static int begin(struct rpc_conn *conn)
{
	int64_t deadline = tick_after(conn->conns->options->record_ns);
	int rc;

	while ((rc = rpc_conn_begin(conn)) > 0) {
		rc = fdio_wait(conn->fd, (short)rc, deadline);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* As rpc_record_send(). */
static int send_through(struct rpc_conn *conn)
{
	int64_t deadline = tick_after(conn->conns->options->write_ns);
	ssize_t n;
	int rc;

	while (rpc_conn_unsent(conn) > 0) {
		n = rpc_conn_write(conn);
		if (n > 0) {
			rpc_conn_was_sent(conn, (size_t)n);
			continue;
		}
		if (n < 0 && n != -EAGAIN)
			return (int)n;
		rc = fdio_wait(conn->fd, POLLOUT, deadline);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* As rpc_record_receive(). */
static ssize_t receive_through(struct rpc_conn *conn)
{
	struct rpc_record_reader *reader = &conn->reader;
	const struct rpc_server_options *options = conn->conns->options;
	bool is_partial = rpc_record_is_partial(reader);
	int64_t deadline;
	uint8_t *to;
	size_t room;
	ssize_t n;
	int rc = rpc_record_room(reader, &to, &room);

	if (rc)
		return rc;
	if (is_partial && reader->whole_until == 0)
		reader->whole_until = tick_after(options->record_ns);
	deadline =
		is_partial ? reader->whole_until : tick_after(options->idle_ns);
	while ((n = rpc_conn_read(conn, to, room)) == -EAGAIN) {
		rc = fdio_wait(conn->fd, POLLIN, deadline);
		if (rc < 0)
			return rc == -ETIMEDOUT && !is_partial ? -EAGAIN : rc;
	}
	if (n == 0)
		return is_partial ? -ECONNRESET : -EPIPE;
	if (n > 0)
		rpc_record_add(reader, (size_t)n);
	return n;
}

/* ---- a call, and its reply ---- */

static int send_all(struct rpc_conn *conn)
{
	size_t n = rpc_conn_unsent(conn);
	int rc;

	if (n == 0)
		return 0;
	/* A peer that does not read may be evicted as one that does not
	 * write. */
	rpc_conn_set_idle(conn, tick_now());
	if (conn->layer.write) {
		rc = send_through(conn);
	} else {
		rc = rpc_record_send(conn->fd, conn->out.bytes + conn->sent, n,
				     conn->conns->options->write_ns);
		rpc_conn_was_sent(conn, n);
	}
	rpc_buffer_relax(&conn->out, 0);
	rpc_conn_note_memory(conn);
	return rc;
}

/* What was answered before is sent, whatever becomes of this one. */
static int answer(struct rpc_conn *conn, struct rpc_scratch *scratch)
{
	int rc = rpc_conn_answer_taken(conn, scratch);

	if (rc == -ENOBUFS) {
		rc = send_all(conn);
		return rc ? rc : wait_for_memory(conn);
	}
	if (rc)
		send_all(conn);
	return rc;
}

static int receive(struct rpc_conn *conn)
{
	ssize_t n;

	/* After a call that got no reply. */
	if (!rpc_conn_is_idle(conn))
		rpc_conn_set_idle(conn, tick_now());
	n = conn->layer.read ? receive_through(conn)
			     : rpc_record_receive(&conn->reader);
	if (n == -EINTR)
		return 0;
	if (n == -ENOBUFS)
		return wait_for_memory(conn);
	conn->hungry_since = 0;
	rpc_conn_note_memory(conn);
	return n < 0 ? (int)n : 0;
}

/* One step. A call that is not quick must not keep back the replies of those
 * before it: its end may depend on them. */
static int step(struct rpc_conn *conn, struct rpc_scratch *scratch)
{
	const struct rpc_dispatch *dispatch = &conn->conns->options->dispatch;
	int rc = rpc_conn_take_call(conn), sent;

	if (rc <= 0 || rpc_conn_unsent(conn) >= RPC_CONN_QUEUE ||
	    (rpc_conn_unsent(conn) > 0 &&
	     !rpc_dispatch_is_quick(dispatch, &conn->call))) {
		sent = send_all(conn);
		if (rc < 0 || sent)
			return rc < 0 ? rc : sent;
	}
	return rc ? answer(conn, scratch) : receive(conn);
}

/* Returns why it ended: 0 for a stop. */
static int serve(struct rpc_conn *conn)
{
	struct rpc_scratch scratch;
	int rc = begin(conn);

	rpc_dispatch_scratch_init(&scratch);
	while (!rc && (rpc_conn_unsent(conn) > 0 ||
		       !atomic_load_explicit(&conn->conns->is_stopping,
					     memory_order_relaxed)))
		rc = step(conn, &scratch);
	rpc_dispatch_scratch_fini(&scratch);
	return rc;
}

static void *run(void *arg)
{
	struct rpc_conn *conn = arg;
	int why = serve(conn);

	rpc_conn_shut(conn);
	rpc_conn_end(conn, why);
	return NULL;
}

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
int rpc_thread_start(struct rpc_conn *conn)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int rc = set_timeout(conn->fd, conn->conns->options->idle_ns);

	if (!rc)
		rc = -pthread_attr_init(&attributes);
	if (rc)
		return rc;
	rc = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!rc)
		rc = pthread_create(&conn->thread, &attributes, run, conn);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return -rc;
}
