/* forward.c - a connection is in the list or with the thread that has taken it
 * out; one that failed is not put back. */
#include "p18-rpc-kv/forward.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/parse.h"
#include "lib/rpc/rpc_client.h"
#include "lib/tick.h"
#include "p18-rpc-kv/service.h"

enum { RECORD_BYTES = 5 << 20 }; /* LIST's answer, and words */

struct line {
	struct line *next;
	struct rpc_client *client;
	char address[KV_TEXT_MAX + 1];
};

struct forward {
	pthread_mutex_t lock;
	pthread_cond_t is_free;
	struct line *lines;  /* that nobody uses, the one used last in front */
	unsigned int n_used; /* that somebody uses, or connects */
};

int forward_open(struct forward **out)
{
	struct forward *forward = calloc(1, sizeof(*forward));
	pthread_condattr_t attributes;

	*out = forward;
	if (!forward)
		return -ENOMEM;
	pthread_mutex_init(&forward->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&forward->is_free, &attributes);
	pthread_condattr_destroy(&attributes);
	return 0;
}

static void drop(struct line *line)
{
	if (line)
		rpc_client_close(line->client);
	free(line);
}

/* One to this address, or none. Others are closed one by one, as many as it takes
 * for all together to stay below the limit. */
static struct line *find(struct forward *forward, const char *address,
			 struct line **spare)
{
	struct line **at = &forward->lines, *found;
	unsigned int n = forward->n_used;

	*spare = NULL;
	while (*at && strcmp((*at)->address, address) != 0) {
		at = &(*at)->next;
		n++;
	}
	found = *at;
	if (found) {
		*at = found->next;
	} else if (n >= FORWARD_MAX && forward->lines) {
		*spare = forward->lines;
		forward->lines = forward->lines->next;
	}
	return found;
}

/* Whether there may be one more in use; *line is NULL where it has to be made. */
static bool take(struct forward *forward, const char *address, int64_t deadline,
		 struct line **line)
{
	const struct timespec until = tick_to_timespec(deadline);
	struct line *spare = NULL;
	bool is_free;

	pthread_mutex_lock(&forward->lock);
	while (forward->n_used == FORWARD_MAX)
		if (pthread_cond_timedwait(&forward->is_free, &forward->lock,
					   &until) == ETIMEDOUT)
			break;
	is_free = forward->n_used < FORWARD_MAX;
	*line = is_free ? find(forward, address, &spare) : NULL;
	forward->n_used += is_free;
	pthread_mutex_unlock(&forward->lock);
	drop(spare);
	return is_free;
}

/* NULL: it is closed. */
static void put_back(struct forward *forward, struct line *line)
{
	pthread_mutex_lock(&forward->lock);
	if (line) {
		line->next = forward->lines;
		forward->lines = line;
	}
	forward->n_used--;
	pthread_cond_signal(&forward->is_free);
	pthread_mutex_unlock(&forward->lock);
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
	options.port = service_peer_port(endpoint.port);
	if (rpc_client_open(&line->client, &options, fault) == RPC_FAULT_NONE)
		return line;
	free(line);
	return NULL;
}

/* A server that has ended has closed it: a call would be sent, and be lost. */
static bool is_alive(const struct line *line)
{
	char byte;

	return recv(rpc_client_fd(line->client), &byte, 1,
		    MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

static enum rpc_fault_kind call_by(struct line *line,
				   const struct forward_call *call,
				   int64_t deadline, struct rpc_fault *fault)
{
	rpc_client_set_timeout(line->client, tick_left(deadline));
	return rpc_client_call(line->client, (uint32_t)call->procedure,
			       call->xdr_args, call->args, call->xdr_result,
			       call->result, fault);
}

enum rpc_fault_kind forward_make(struct forward *forward, const char *address,
				 const struct forward_call *call,
				 int64_t deadline, struct rpc_fault *fault)
{
	struct line *line;

	/* A timeout of 0 would be none. */
	if (tick_left(deadline) < TICK_MS)
		deadline = tick_after(TICK_MS);
	if (!take(forward, address, deadline, &line))
		return rpc_fault_set(fault, RPC_FAULT_LOCAL, EAGAIN, false);
	if (line && !is_alive(line)) {
		drop(line);
		line = NULL;
	}
	if (!line)
		line = connect_to(address, deadline, fault);
	if (line && call_by(line, call, deadline, fault) != RPC_FAULT_NONE) {
		drop(line);
		line = NULL;
	} else if (line) {
		fault->kind = RPC_FAULT_NONE;
	}
	put_back(forward, line);
	return fault->kind;
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
	pthread_cond_destroy(&forward->is_free);
	pthread_mutex_destroy(&forward->lock);
	free(forward);
}
