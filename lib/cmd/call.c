#include "lib/cmd/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/rpc/rpc_bind.h"
#include "lib/rpc/rpc_trace.h"

const char *const call_transports[] = {"tcp", "udp", "unix", NULL};

void call_trace(bool is_sent, const uint8_t *message, size_t n, void *arg)
{
	char *text = rpc_trace_text(is_sent, message, n);

	(void)arg;
	if (text)
		fputs(text, stderr);
	free(text);
}

void call_check(struct call *call, const char *host)
{
	struct rpc_client_options *client = &call->client;

	call->host = host;
	if (client->transport == RPC_UNIX)
		client->unix_path = host;
	else
		client->host = host;
	client->connect_ns = client->timeout_ns;
	if (call->is_traced)
		client->trace = call_trace;
}

_Noreturn void call_fail(const struct call *call, const struct rpc_fault *fault)
{
	const struct rpc_client_options *client = &call->client;
	int status = rpc_fault_status(fault);
	char text[256];

	rpc_fault_text(fault, text, sizeof(text));
	switch (fault->kind) {
	case RPC_FAULT_NO_RPCBIND:
		die_status(status,
			   "no rpcbind at '%s' to ask for the port: %s, or "
			   "give the port (--port): %s",
			   call->host, rpc_bind_remedy(-fault->error), text);
	case RPC_FAULT_NOT_REGISTERED:
		die_status(status,
			   "no program 0x%08x at '%s' for %s: is %s running "
			   "there? %s",
			   client->program, call->host,
			   rpc_auth_transport_name(client->transport),
			   call->server, text);
	default:
		die_status(status, "'%s': %s", call->host, text);
	}
}
