/* forward.c - a connection is in the list or with the thread that has taken it
 * out; one that failed is not put back. */
#include "p18-rpc-kv/forward.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"
#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"

enum {
	KEPT = 256,             /* connections that nobody uses now */
	RECORD_BYTES = 5 << 20, /* LIST's answer */
};

struct line {
	struct line *next;
	struct rpc_client *client;
	char address[KV_TEXT_MAX + 1];
};

struct forward {
	pthread_mutex_t lock;
	struct line *lines; /* the one used last in front */
	unsigned int n;
};

int forward_open(struct forward **out)
{
	struct forward *forward = calloc(1, sizeof(*forward));

	*out = forward;
	if (!forward)
		return -ENOMEM;
	pthread_mutex_init(&forward->lock, NULL);
	return 0;
}

static void drop(struct line *line)
{
	rpc_client_close(line->client);
	free(line);
}

static struct line *take(struct forward *forward, const char *address)
{
	struct line **at, *found;

	pthread_mutex_lock(&forward->lock);
	for (at = &forward->lines; *at; at = &(*at)->next)
		if (strcmp((*at)->address, address) == 0)
			break;
	found = *at;
	if (found) {
		*at = found->next;
		forward->n--;
	}
	pthread_mutex_unlock(&forward->lock);
	return found;
}

static void put_back(struct forward *forward, struct line *line)
{
	pthread_mutex_lock(&forward->lock);
	if (forward->n < KEPT) {
		line->next = forward->lines;
		forward->lines = line;
		forward->n++;
		line = NULL;
	}
	pthread_mutex_unlock(&forward->lock);
	if (line)
		drop(line);
}

static struct line *connect_to(const char *address, int64_t deadline,
			       struct rpc_fault *fault)
{
	struct rpc_client_options options = {
		.transport = RPC_TCP,
		.program = KV_PROG,
		.version = KV_VERS,
		.timeout_ns = tick_left(deadline),
		.max_record_bytes = RECORD_BYTES,
	};
	struct parse_endpoint endpoint;
	struct line *line;

	if (parse_endpoint(address, &endpoint)) {
		rpc_fault_set(fault, RPC_FAULT_HOST, EAI_NONAME, false);
		return NULL;
	}
	line = calloc(1, sizeof(*line));
	if (!line) {
		rpc_fault_set(fault, RPC_FAULT_LOCAL, ENOMEM, false);
		return NULL;
	}
	snprintf(line->address, sizeof(line->address), "%s", address);
	options.host = endpoint.host;
	options.port = endpoint.port;
	if (rpc_client_open(&line->client, &options, fault) == RPC_FAULT_NONE)
		return line;
	free(line);
	return NULL;
}

enum rpc_fault_kind forward_make(struct forward *forward, const char *address,
				 const struct forward_call *call,
				 int64_t deadline, struct rpc_fault *fault)
{
	struct line *line = take(forward, address);
	enum rpc_fault_kind kind;

	if (tick_is_over(deadline))
		deadline = tick_after(TICK_MS);
	if (!line)
		line = connect_to(address, deadline, fault);
	if (!line)
		return fault->kind;
	rpc_client_set_timeout(line->client, tick_left(deadline));
	kind = rpc_client_call(line->client, (uint32_t)call->procedure,
			       call->xdr_args, call->args, call->xdr_result,
			       call->result, fault);
	if (kind == RPC_FAULT_NONE)
		put_back(forward, line);
	else
		drop(line);
	return kind;
}

void forward_close(struct forward *forward)
{
	struct line *line, *next;

	if (!forward)
		return;
	for (line = forward->lines; line; line = next) {
		next = line->next;
		drop(line);
	}
	pthread_mutex_destroy(&forward->lock);
	free(forward);
}
