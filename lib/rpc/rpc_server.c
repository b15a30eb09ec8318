/* rpc_server.c - opening, and the thread that called rpc_server_run(): it
 * accepts, makes room, and reaps. rpc_thread.c or rpc_loop.c, and rpc_udp.c
 * serve.
 *
 * When there is no room, because there are max_connections or the process has
 * no descriptor left, it stops looking at the listeners for a moment: the one
 * that has been idle longest is ended, and when it is gone the next is
 * accepted. Where none is idle for a second, the peers that wait are refused,
 * one by one: a descriptor that was kept for it takes the first, and is
 * closed. Without that pause a listener that cannot be accepted from would
 * make poll(2) return at once for ever. */
#include "lib/rpc/rpc_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_conn.h"
#include "lib/rpc/rpc_udp.h"
#include "lib/rpc/rpc_listen.h"
#include "lib/rpc/rpc_loop.h"
#include "lib/rpc/rpc_thread.h"
#include "lib/tick.h"

enum {
	MAX_CONNECTIONS = 1000,
	MAX_RECORD_BYTES = 1 << 20,
	MEMORY_BYTES = 64 << 20,
	WORKERS = 4,
	DRC_ENTRIES = 2048,
	RESERVED_FDS = 40,  /* for all else that the process does */
	ACCEPTS = 64,       /* before we look at other things */
	PAUSE_MS = 50,      /* when there is no room */
	PATIENCE_MS = 1000, /* before those who wait are refused */
	LOOK_MS = 500,      /* between looks at the Unix socket's file, as
			     * within a second its name is to be back */
	GRACE_MS = 1000,    /* at a stop, for clients that do not read */
};

struct rpc_server {
	struct rpc_server_options options;
	struct rpc_listener listeners[RPC_TRANSPORTS];
	struct rpc_conns conns;
	struct rpc_udp datagram;
	int64_t paused_until;
	int64_t look_at;    /* when the Unix socket's file is due */
	int64_t full_since; /* nobody could come, nor made room; 0: has not */
	int reserve_fd;     /* for one more, to be refused by; -1: none */
};

/* ---- opening ---- */

/* No more than half of it for what all connections have from the start, so
 * that the other half is there for large calls. */
static void fit_memory(struct rpc_server_options *options)
{
	size_t half = (size_t)options->max_connections * RPC_CONN_BYTES;

	if (!options->memory_bytes)
		options->memory_bytes =
			half > MEMORY_BYTES / 2 ? 2 * half : MEMORY_BYTES;
	if (half > options->memory_bytes / 2)
		options->max_connections =
			(unsigned int)(options->memory_bytes / 2 /
				       RPC_CONN_BYTES);
	if (!options->max_connections)
		options->max_connections = 1;
}

static void fill_in(struct rpc_server_options *options)
{
	const unsigned int reserved = RESERVED_FDS + 2 * options->loops;
	struct rlimit files;

	if (!options->unix_mode)
		options->unix_mode = 0666;
	if (!options->max_connections)
		options->max_connections = MAX_CONNECTIONS;
	if (!options->workers)
		options->workers = WORKERS;
	if (!options->max_in_flight)
		options->max_in_flight = 1;
	if (!options->idle_ns)
		options->idle_ns = 300 * TICK_S;
	if (!options->record_ns)
		options->record_ns = 10 * TICK_S;
	if (!options->write_ns)
		options->write_ns = 10 * TICK_S;
	if (!options->drc_entries)
		options->drc_entries = DRC_ENTRIES;
	fit_memory(options);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < options->max_connections + reserved)
		options->max_connections =
			files.rlim_cur > reserved
				? (unsigned int)files.rlim_cur - reserved
				: 1;
}

static size_t larger_of(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* What the tables say, unless the caller does. */
static void set_limits(struct rpc_conns *conns)
{
	const struct rpc_server_options *options = conns->options;
	size_t most = options->max_record_bytes;
	size_t call = rpc_dispatch_max_call(&options->dispatch);
	size_t reply = rpc_dispatch_max_reply(&options->dispatch, NULL);

	conns->max_call_bytes = most ? most : call ? call : MAX_RECORD_BYTES;
	conns->max_reply_bytes =
		larger_of(RPC_MESSAGE_REPLY_MAX, most    ? most
						 : reply ? reply
							 : MAX_RECORD_BYTES);
	/* But the largest can always be served. */
	conns->budget.bytes =
		larger_of(options->memory_bytes - options->memory_bytes / 2,
			  2 * rpc_conn_largest_bytes(conns));
	conns->start = options->loops ? rpc_loop_start : rpc_thread_start;
	rpc_share_init(&conns->share);
}

static int open_listeners(struct rpc_server *server)
{
	const struct rpc_server_options *options = &server->options;
	struct rpc_listener *listeners = server->listeners;
	int rc = 0;

	if (!options->has_tcp && !options->has_udp && !options->unix_path)
		return -EINVAL;
	if (options->has_tcp)
		rc = rpc_listen_inet(&listeners[RPC_TCP], RPC_TCP,
				     options->host, options->tcp_port);
	if (!rc && options->has_udp)
		rc = rpc_listen_inet(&listeners[RPC_UDP], RPC_UDP,
				     options->host, options->udp_port);
	if (!rc && options->has_udp)
		rc = rpc_udp_init(&server->datagram, &server->conns,
				  listeners[RPC_UDP].fd);
	if (!rc && options->unix_path)
		rc = rpc_listen_unix(&listeners[RPC_UNIX], options->unix_path,
				     options->unix_mode);
	return rc;
}

static void keep_reserve(struct rpc_server *server)
{
	if (server->reserve_fd >= 0)
		return;
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (server->reserve_fd >= 0)
		server->reserve_fd = fdio_above_std(server->reserve_fd);
	if (server->reserve_fd < 0)
		server->reserve_fd = -1;
}

int rpc_server_open(struct rpc_server **out,
		    const struct rpc_server_options *options)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	int rc;

	*out = NULL;
	if (!server)
		return -ENOMEM;
	for (int i = 0; i < RPC_TRANSPORTS; i++)
		server->listeners[i].fd = -1;
	server->reserve_fd = -1;
	server->options = *options;
	fill_in(&server->options);
	pthread_mutex_init(&server->conns.lock, NULL);
	server->conns.options = &server->options;
	set_limits(&server->conns);
	keep_reserve(server);
	server->conns.ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = server->conns.ended_fd < 0 ? -errno : 0;
	if (!rc) {
		server->conns.ended_fd = fdio_above_std(server->conns.ended_fd);
		rc = server->conns.ended_fd < 0 ? server->conns.ended_fd
						: open_listeners(server);
	}
	if (rc)
		rpc_server_close(server);
	else
		*out = server;
	return rc;
}

void rpc_server_close(struct rpc_server *server)
{
	if (!server)
		return;
	for (int i = 0; i < RPC_TRANSPORTS; i++)
		rpc_listen_close(&server->listeners[i]);
	rpc_udp_fini(&server->datagram);
	fdio_close(&server->conns.ended_fd);
	fdio_close(&server->reserve_fd);
	pthread_mutex_destroy(&server->conns.lock);
	free(server);
}

uint16_t rpc_server_port(const struct rpc_server *server,
			 enum rpc_transport transport)
{
	return server->listeners[transport].port;
}

void rpc_server_service(const struct rpc_server *server,
			struct rpc_bind_service *service)
{
	*service = (struct rpc_bind_service){
		.programs = server->options.dispatch.programs,
		.n_programs = server->options.dispatch.n_programs,
		.host = server->options.host,
		.tcp_port = rpc_server_port(server, RPC_TCP),
		.udp_port = rpc_server_port(server, RPC_UDP),
		.unix_path = server->options.unix_path,
	};
}

/* ---- running ---- */

/* The first in the queue is closed, and so told at once, rather than left to
 * wait for what it does not get. */
static void refuse_one(struct rpc_server *server,
		       const struct rpc_listener *listener, int error)
{
	struct rpc_peer peer = {.transport = listener->transport};
	int fd;

	fdio_close(&server->reserve_fd);
	fd = rpc_listen_accept(listener, &peer);
	if (fd >= 0) {
		fdio_close(&fd);
		rpc_conn_tell(&server->conns, RPC_SERVER_REFUSED, &peer, error);
	}
	keep_reserve(server);
}

static void make_room(struct rpc_server *server,
		      const struct rpc_listener *listener, int error)
{
	int64_t now = tick_now();

	server->paused_until = now + PAUSE_MS * TICK_MS;
	if (rpc_conn_evict(&server->conns))
		return;
	if (!server->full_since)
		server->full_since = now;
	if (now - server->full_since >= PATIENCE_MS * TICK_MS)
		refuse_one(server, listener, error);
}

static void accept_some(struct rpc_server *server,
			const struct rpc_listener *listener)
{
	struct rpc_peer peer;
	int fd, rc;

	for (int i = 0; i < ACCEPTS; i++) {
		if (server->conns.n >= server->options.max_connections) {
			make_room(server, listener, EUSERS);
			return;
		}
		fd = rpc_listen_accept(listener, &peer);
		if (fd == -EAGAIN)
			return;
		/* The connection may have had an error; anything else is for
		 * want of something. */
		if (fd == -ECONNABORTED || fd == -EINTR || fd == -EPROTO)
			continue;
		rc = fd < 0 ? fd : rpc_conn_open(&server->conns, fd, &peer);
		if (rc) {
			make_room(server, listener, -rc);
			return;
		}
		server->full_since = 0;
	}
}

/* A peer that waits at a socket whose name is gone came before, and is taken
 * first. */
static int look_at_file(struct rpc_server *server)
{
	const struct rpc_server_options *options = &server->options;
	struct rpc_listener *local = &server->listeners[RPC_UNIX];
	int rc;

	if (!local->path || !tick_is_over(server->look_at))
		return 0;
	accept_some(server, local);
	rc = rpc_listen_renew(local, options->unix_mode);
	if (rc > 0 && options->on_renewed)
		options->on_renewed(local->path, options->arg);
	server->look_at = tick_after(LOOK_MS * TICK_MS);
	return rc < 0 ? rc : 0;
}

static int accept_until_stop(struct rpc_server *server, int stop_fd)
{
	const struct rpc_listener *tcp = &server->listeners[RPC_TCP];
	const struct rpc_listener *local = &server->listeners[RPC_UNIX];
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = server->conns.ended_fd, .events = POLLIN},
		{.events = POLLIN},
		{.events = POLLIN},
	};
	const int timeout_ms = local->path ? LOOK_MS : -1;
	bool is_paused;
	uint64_t count;
	int rc;

	server->look_at = tick_after(LOOK_MS * TICK_MS);
	for (;;) {
		rc = look_at_file(server);
		if (rc)
			return rc;
		is_paused = !tick_is_over(server->paused_until);
		fds[2].fd = is_paused ? -1 : tcp->fd;
		fds[3].fd = is_paused ? -1 : local->fd;
		if (poll(fds, 4, is_paused ? PAUSE_MS : timeout_ms) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (fds[0].revents)
			return 0;
		if (fds[1].revents &&
		    read(server->conns.ended_fd, &count, sizeof(count)) > 0 &&
		    rpc_conn_reap(&server->conns) > 0)
			server->paused_until = 0;
		if (fds[2].revents)
			accept_some(server, tcp);
		if (fds[3].revents && tick_is_over(server->paused_until))
			accept_some(server, local);
	}
}

int rpc_server_run(struct rpc_server *server, int stop_fd)
{
	const bool has_udp = server->listeners[RPC_UDP].fd >= 0;
	int rc = 0;

	if (server->options.loops)
		rc = rpc_loop_open(&server->conns.loops, &server->conns);
	if (!rc && has_udp)
		rc = rpc_udp_start(&server->datagram);
	if (!rc) {
		rc = accept_until_stop(server, stop_fd);
		rpc_conn_stop(&server->conns, GRACE_MS * TICK_MS);
		if (has_udp)
			rpc_udp_stop(&server->datagram);
	}
	rpc_loop_close(server->conns.loops);
	server->conns.loops = NULL;
	return rc;
}

void rpc_server_count(struct rpc_server *server,
		      struct rpc_server_counts *counts)
{
	const struct rpc_conns *conns = &server->conns;

	counts->calls =
		atomic_load_explicit(&conns->calls, memory_order_relaxed);
	counts->repeated =
		atomic_load_explicit(&conns->repeated, memory_order_relaxed);
	counts->connections =
		atomic_load_explicit(&conns->accepted, memory_order_relaxed);
	counts->open = atomic_load_explicit(&conns->open, memory_order_relaxed);
	counts->large_bytes = rpc_budget_used(&conns->budget);
	counts->closed_by_us = atomic_load_explicit(&conns->closed_by_us,
						    memory_order_relaxed);
}
