/* serve.h - what calc_server and calc_server_auth have in common as commands:
 * where to listen, the registration with rpcbind, the end.
 *
 * For commands: what fails is told in one line and ends the process. One
 * thread. */
#ifndef UNIXIPC_LIB_CMD_SERVE_H
#define UNIXIPC_LIB_CMD_SERVE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/rpc/rpc_server.h"

struct serve {
	struct rpc_server_options server;
	bool has_unix, has_no_rpcbind;
};

/* --transport, --port, --socket and --no-rpcbind (t, p, s, n), and at the end
 * of the line (ARGP_KEY_END) whether they fit together. ARGP_ERR_UNKNOWN for
 * any other key. */
error_t serve_parse(struct serve *serve, int key, char *arg);

/* Listen. A Unix socket goes into the ledger of IPC objects. */
struct rpc_server *serve_open(const struct serve *serve);

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
