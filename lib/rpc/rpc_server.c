/* rpc_server.c - opening, and the thread that called rpc_server_run(): it
 * accepts, makes room, and reaps. rpc_conn.c and rpc_udp.c serve.
 *
 * When there is no room, because there are max_connections or the process has
 * no descriptor left, it stops looking at the listeners for a moment: the one
 * that has been idle longest is ended, and when it is gone the next is
 * accepted. Without that pause a listener that cannot be accepted from would
 * make poll(2) return at once for ever. */
#include "lib/rpc/rpc_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_conn.h"
#include "lib/rpc/rpc_udp.h"
#include "lib/rpc/rpc_listen.h"
#include "lib/tick.h"

enum {
	MAX_CONNECTIONS = 1000,
	MAX_RECORD_BYTES = 1 << 20,
	REPLIES = 1024,
	RESERVED_FDS = 40, /* for all else that the process does */
	ACCEPTS = 64,      /* before we look at other things */
	PAUSE_MS = 50,     /* when there is no room */
	GRACE_MS = 1000,   /* at a stop, for clients that do not read */
};

struct rpc_server {
	struct rpc_server_options options;
	struct rpc_listener listeners[RPC_TRANSPORTS];
	struct rpc_conns conns;
	struct rpc_udp datagram;
	int64_t paused_until;
};

/* ---- opening ---- */

static void fill_in(struct rpc_server_options *options)
{
	struct rlimit files;

	if (!options->unix_mode)
		options->unix_mode = 0666;
	if (!options->max_connections)
		options->max_connections = MAX_CONNECTIONS;
	if (!options->max_record_bytes)
		options->max_record_bytes = MAX_RECORD_BYTES;
	if (!options->idle_ns)
		options->idle_ns = 300 * TICK_S;
	if (!options->record_ns)
		options->record_ns = 10 * TICK_S;
	if (!options->write_ns)
		options->write_ns = 10 * TICK_S;
	if (!options->replies)
		options->replies = REPLIES;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < options->max_connections + RESERVED_FDS)
		options->max_connections =
			files.rlim_cur > RESERVED_FDS
				? (unsigned int)files.rlim_cur - RESERVED_FDS
				: 1;
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
	server->options = *options;
	fill_in(&server->options);
	pthread_mutex_init(&server->conns.lock, NULL);
	server->conns.options = &server->options;
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

static void pause_accepting(struct rpc_server *server, int error,
			    const struct rpc_peer *peer)
{
	if (!rpc_conn_evict(&server->conns))
		rpc_conn_tell(&server->conns, RPC_SERVER_REFUSED, peer, error);
	server->paused_until = tick_after(PAUSE_MS * TICK_MS);
}

static void accept_some(struct rpc_server *server,
			const struct rpc_listener *listener)
{
	struct rpc_peer peer = {.transport = listener->transport};
	int fd, rc;

	for (int i = 0; i < ACCEPTS; i++) {
		if (server->conns.n >= server->options.max_connections) {
			pause_accepting(server, EUSERS, &peer);
			return;
		}
		fd = rpc_listen_accept(listener, &peer);
		if (fd == -EAGAIN)
			return;
		/* The connection may have had an error; anything else is for
		 * want of something. */
		if (fd == -ECONNABORTED || fd == -EINTR || fd == -EPROTO)
			continue;
		rc = fd < 0 ? fd : rpc_conn_start(&server->conns, fd, &peer);
		if (rc) {
			pause_accepting(server, -rc, &peer);
			return;
		}
	}
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
	bool is_paused;
	uint64_t count;

	for (;;) {
		is_paused = !tick_is_over(server->paused_until);
		fds[2].fd = is_paused ? -1 : tcp->fd;
		fds[3].fd = is_paused ? -1 : local->fd;
		if (poll(fds, 4, is_paused ? PAUSE_MS : -1) < 0) {
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
	int rc = has_udp ? rpc_udp_start(&server->datagram) : 0;

	if (rc)
		return rc;
	rc = accept_until_stop(server, stop_fd);
	rpc_conn_stop(&server->conns, GRACE_MS * TICK_MS);
	if (has_udp)
		rpc_udp_stop(&server->datagram);
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
	counts->closed_by_us = atomic_load_explicit(&conns->closed_by_us,
						    memory_order_relaxed);
}
