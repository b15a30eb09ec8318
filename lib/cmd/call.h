/* call.h - what calc_client and calc_client_auth have in common as commands: whom
 * to call, the words of each call, and what is said of one that fails.
 *
 * For commands: what fails is told in one line and ends the process. One
 * thread. */
#ifndef UNIXIPC_LIB_CMD_CALL_H
#define UNIXIPC_LIB_CMD_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cmd/cli.h"
#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"

struct call {
	/* The program and version are the command's to fill in; timeout_ns is
	 * the default of --timeout. */
	struct rpc_client_options client;
	const char *host;   /* as it was given: a name, or a path */
	const char *server; /* the command that serves, for what is said */
	bool is_traced;
};

extern const char *const call_transports[];

/* For the end of a command's --help. */
#define CALL_EXIT_STATUS                                                      \
	"Exit status: 0 done, 1 failed here, 2 usage, 3 whether it was done " \
	"is unknown, 4 not reached, 5 not registered or no rpcbind, "         \
	"6 the server has not that version or operation, 7 authentication "   \
	"refused, 8 refused or not understood by the server."

/* Rows for the command's table of options, to a struct call. Call call_check()
 * when they are parsed. */
#define CALL_OPTIONS(call)                                                    \
	CLI_WORD("transport", 't', "NAME", &(call)->client.transport,         \
		 call_transports,                                             \
		 "tcp (the default), udp, or unix: HOST is then the path of " \
		 "a socket"),                                                 \
		CLI_COUNT("port", 'p', "N", &(call)->client.port, 1,          \
			  UINT16_MAX,                                         \
			  "The server's port, instead of asking rpcbind"),    \
		CLI_DURATION("timeout", 'T', "DUR",                           \
			     &(call)->client.timeout_ns, TICK_MS,             \
			     3600 * TICK_S,                                   \
			     "How long a call may take, with its retries "    \
			     "(default 5s)"),                                 \
		CLI_ON("trace", 'x', &(call)->is_traced,                      \
		       "Show each word of the calls and replies on standard " \
		       "error")

/* What follows from them, and from the host. */
void call_check(struct call *call, const char *host);

/* Write each word of a message to standard error: for a server's trace too. */
void call_trace(bool is_sent, const uint8_t *message, size_t n, void *arg);

/* Say how the call has failed, and what can be done, and exit with its
 * status (rpc_fault.h). */
_Noreturn void call_fail(const struct call *call,
			 const struct rpc_fault *fault);

#endif
