/* serve.h - what calc_server and calc_server_auth have in common as commands:
 * where to listen, the registration with rpcbind, the end.
 *
 * For commands: what fails is told in one line and ends the process. One
 * thread. */
#ifndef UNIXIPC_LIB_CMD_SERVE_H
#define UNIXIPC_LIB_CMD_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cmd/cli.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"

struct serve {
	struct rpc_server_options server;
	bool has_unix, has_no_rpcbind, is_traced;
};

/* Rows for the command's table of options, to a struct serve. Call
 * serve_check() when they are parsed. */
#define SERVE_OPTIONS(serve)                                                  \
	CLI_CALL("transport", 't', "LIST", serve_take_transports, serve,      \
		 "Of tcp, udp, unix (default tcp,udp)"),                      \
		CLI_COUNT("port", 'p', "N", &(serve)->server.tcp_port, 0,     \
			  UINT16_MAX, "Port for TCP and UDP (default: any)"), \
		CLI_TEXT("listen", 'l', "ADDRESS", &(serve)->server.host,     \
			 "Address to listen on (default: all of IPv4)"),      \
		CLI_COUNT("loops", 'L', "N", &(serve)->server.loops, 0, 64,   \
			  "Serve connections by N event loops (default 0: "   \
			  "by a thread each)"),                               \
		CLI_TEXT("socket", 's', "PATH", &(serve)->server.unix_path,   \
			 "Listen on a Unix socket too"),                      \
		CLI_COUNT("max-connections", 'm', "N",                        \
			  &(serve)->server.max_connections, 1, 100000,        \
			  "Connections at the same time (default 1000)"),     \
		CLI_DURATION("idle-timeout", 'i', "DUR",                      \
			     &(serve)->server.idle_ns, 10 * TICK_MS,          \
			     TICK_NEVER / 2,                                  \
			     "Close connections without calls for so long "   \
			     "(default 5m)"),                                 \
		CLI_ON("no-rpcbind", 'n', &(serve)->has_no_rpcbind,           \
		       "Register nothing"),                                   \
		CLI_ON("trace", 'x', &(serve)->is_traced,                     \
		       "Show each word of the calls and replies on standard " \
		       "error")

void serve_take_transports(const char *list, void *where); /* of a row */

/* Whether they fit together, and what follows from them. What is printed from
 * then on is a log (lib/cmd/out), whose readers hold nobody up. */
void serve_check(struct serve *serve);

/* For on_event of the server's options: say which connection is closed, and
 * why. */
void serve_print_event(enum rpc_server_event event, const struct rpc_peer *peer,
		       int error, void *arg);

/* Listen. A Unix socket goes into the ledger of IPC objects. */
struct rpc_server *serve_open(const struct serve *serve);

/* "Listening on tcp port 4711, udp port 4711, socket PATH", without a newline. */
void serve_print_listening(const struct serve *serve,
			   const struct rpc_server *server);

/* Register, tell that clients may come, and serve until a stop (lib/cmd/stop);
 * then take the registration back. What tell prints is flushed; where that
 * fails nothing is served, as lib/cmd/out reports it at exit. Returns the exit
 * status. */
int serve_run(const struct serve *serve, struct rpc_server *server,
	      void (*tell)(const struct rpc_server *server, bool is_registered,
			   void *arg),
	      void *arg);

void serve_close(const struct serve *serve, struct rpc_server *server);

#endif
