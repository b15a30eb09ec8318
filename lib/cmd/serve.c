#include "lib/cmd/serve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/call.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/cmd/stop.h"
#include "lib/objname.h"
#include "lib/rpc/rpc_bind.h"
#include "lib/tick.h"

#define RPCBIND_NS (10 * TICK_S)

/* ---- options ---- */

void serve_take_transports(const char *list, void *where)
{
	static const char *const words[] = {"tcp", "udp", "unix", NULL};
	struct serve *serve = where;
	bool *const is_on[] = {&serve->server.has_tcp, &serve->server.has_udp,
			       &serve->has_unix};
	char word[16];
	size_t len;

	for (int i = 0; i < RPC_TRANSPORTS; i++)
		*is_on[i] = false;
	for (;; list += len + 1) {
		len = strcspn(list, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, list);
		*is_on[cli_word("--transport", word, words)] = true;
		if (!list[len])
			return;
	}
}

/* The note in the ledger is of the file that is gone. */
static void note_anew(const char *path, void *arg)
{
	(void)arg;
	objname_made(OBJNAME_SOCKET, path);
	die_warn("socket '%s' was gone: made anew", path);
}

void serve_check(struct serve *serve)
{
	struct rpc_server_options *server = &serve->server;

	out_as_log();
	if (serve->has_unix && !server->unix_path)
		die_usage("--transport=unix: say where by --socket=PATH");
	server->udp_port = server->tcp_port;
	server->on_renewed = note_anew;
	if (serve->is_traced)
		server->trace = call_trace;
}

void serve_print_event(enum rpc_server_event event, const struct rpc_peer *peer,
		       int error, void *arg)
{
	static const char *const words[] = {
		[RPC_SERVER_BAD_RECORD] = "what came was no call",
		[RPC_SERVER_SLOW] = "half a call, or a reply not read",
		[RPC_SERVER_IDLE] = "idle for too long",
		[RPC_SERVER_EVICTED] = "idle, and another wanted to come",
		[RPC_SERVER_NO_MEMORY] = "memory was used up",
		[RPC_SERVER_REFUSED] = "no room for it",
	};

	(void)arg;
	die_warn_errno(error, "closed a connection (%s): %s",
		       rpc_auth_transport_name(peer->transport), words[event]);
}

/* ---- listening ---- */

static void release(const struct serve *serve)
{
	if (serve->server.unix_path)
		objname_release(OBJNAME_SOCKET, serve->server.unix_path);
}

/* Of a start that failed. What a dead server left and we took the note of, and is
 * there still, would be nobody's without it: `ipc_suite clean` would leave it. */
static void release_unless_left(const struct serve *serve)
{
	const char *path = serve->server.unix_path;
	struct objname_entry entry;

	if (!path || objname_find(OBJNAME_SOCKET, path, &entry) ||
	    objname_match(&entry) != IDENTITY_SAME)
		release(serve);
}

static _Noreturn void refuse(const struct rpc_server_options *server, int error)
{
	const char *path = server->unix_path;

	if (path &&
	    (error == -ENOTSOCK || error == -ENAMETOOLONG || error == -EPERM))
		die_errno(error, "cannot listen on '%s'", path);
	if (error == -EINVAL && server->host)
		die_usage("--listen '%s': wanted an address like 127.0.0.1 or "
			  "::1",
			  server->host);
	if (error == -EADDRNOTAVAIL && server->host)
		die_errno(error, "cannot listen on %s", server->host);
	if (error == -EADDRINUSE && server->tcp_port)
		die("cannot listen on port %u%s%s: another server does",
		    server->tcp_port, path ? " or " : "", path ? path : "");
	die_errno(error, "cannot listen%s%s", path ? " on TCP, UDP or " : "",
		  path ? path : "");
}

struct rpc_server *serve_open(const struct serve *serve)
{
	struct rpc_server *server;
	int error;

	if (serve->server.unix_path)
		objname_claim(OBJNAME_SOCKET, serve->server.unix_path);
	error = rpc_server_open(&server, &serve->server);
	if (error) {
		release_unless_left(serve);
		refuse(&serve->server, error);
	}
	if (serve->server.unix_path)
		objname_made(OBJNAME_SOCKET, serve->server.unix_path);
	return server;
}

void serve_print_listening(const struct serve *serve,
			   const struct rpc_server *server)
{
	const char *separator = "Listening on";

	for (int t = RPC_TCP; t <= RPC_UDP; t++) {
		unsigned int port =
			rpc_server_port(server, (enum rpc_transport)t);

		if (port == 0)
			continue;
		printf("%s %s port %u", separator,
		       rpc_auth_transport_name((enum rpc_transport)t), port);
		separator = ",";
	}
	if (serve->server.unix_path)
		printf("%s socket %s", separator, serve->server.unix_path);
}

void serve_close(const struct serve *serve, struct rpc_server *server)
{
	rpc_server_close(server);
	release(serve);
}

/* ---- serving ---- */

static _Noreturn void refuse_registration(const struct rpc_bind_service *bind,
					  int error)
{
	uint32_t program = bind->programs[0].program;

	switch (error) {
	case -ECONNREFUSED:
	case -ENOENT:
		die("rpcbind does not run: %s, or do without it (--no-rpcbind)",
		    rpc_bind_remedy(error));
	case -EPROTONOSUPPORT:
		die("rpcbind offers neither TCP nor UDP: %s, or do without it "
		    "(--no-rpcbind)",
		    rpc_bind_remedy(error));
	case -EADDRINUSE:
		die("program 0x%08x is registered already, and a server "
		    "answers: rpcinfo -p",
		    program);
	case -EXDEV:
		die("program 0x%08x is registered with an rpcbind of another "
		    "network namespace, and whether it is served there cannot "
		    "be seen from here: rpcinfo -d %u VERSION, for each "
		    "version, or do without it (--no-rpcbind)",
		    program, program);
	case -EPERM:
		die("program 0x%08x is registered by another user: as root, "
		    "rpcinfo -d %u VERSION, for each version",
		    program, program);
	default:
		die_errno(error, "cannot register program 0x%08x with rpcbind",
			  program);
	}
}

/* What clients of rpcbind are told has to hold in their folder too. */
static void make_absolute(struct rpc_bind_service *bind, char *buf, size_t size)
{
	char folder[PATH_MAX];

	if (!bind->unix_path || bind->unix_path[0] == '/' ||
	    !getcwd(folder, sizeof(folder)))
		return;
	snprintf(buf, size, "%s/%s", folder, bind->unix_path);
	bind->unix_path = buf;
}

int serve_run(const struct serve *serve, struct rpc_server *server,
	      void (*tell)(const struct rpc_server *server, bool is_registered,
			   void *arg),
	      void *arg)
{
	bool uses_rpcbind = !serve->has_no_rpcbind;
	struct rpc_bind_service bind;
	char path[2 * PATH_MAX];
	int error = 0;

	rpc_server_service(server, &bind);
	make_absolute(&bind, path, sizeof(path));
	if (uses_rpcbind)
		error = rpc_bind_set(&bind, tick_after(RPCBIND_NS));
	if (error && !stop_signal()) {
		serve_close(serve, server);
		refuse_registration(&bind, error);
	}
	tell(server, uses_rpcbind && !error, arg);
	error = fflush(stdout) == 0 ? rpc_server_run(server, stop_fd()) : 0;
	if (error == -ESTALE)
		die_warn("socket '%s' is not ours any more: somebody has put "
			 "another file there",
			 serve->server.unix_path);
	else if (error)
		die_warn_errno(error, "cannot go on serving");
	if (uses_rpcbind && rpc_bind_unset(&bind, tick_after(RPCBIND_NS)))
		die_warn("rpcbind did not take the registration back");
	return error ? DIE_FAILURE : EXIT_SUCCESS;
}
