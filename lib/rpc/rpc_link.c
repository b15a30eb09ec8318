/* rpc_link.c - name, addresses, ports, socket: each is found when it is wanted,
 * and forgotten when it has failed, so that a server that moved is found
 * again. */
#include "lib/rpc/rpc_link.h"

#include <errno.h>
#include <netdb.h>

#include "lib/rpc/rpc_lookup.h"
#include "lib/tick.h"

enum {
	QUEUE_BYTES = 256 * 1024, /* beside one record of the largest size */
	/* A connection that was quiet for so long is looked at before it is
	 * used: the server may have closed it. */
	QUIET_MS = 500,
};

bool rpc_link_is_datagram(const struct rpc_link *link)
{
	return link->options->transport == RPC_UDP;
}

bool rpc_link_is_open(const struct rpc_link *link)
{
	return rpc_link_is_datagram(link)
		       ? rpc_datagram_is_open(&link->datagram)
		       : rpc_stream_is_open(&link->stream);
}

void rpc_link_close(struct rpc_link *link)
{
	rpc_stream_close(&link->stream);
	rpc_datagram_close(&link->datagram);
}

static enum rpc_fault_kind resolve(struct rpc_link *link, int64_t deadline,
				   struct rpc_fault *fault)
{
	int error = 0, n;

	link->index = 0;
	if (link->options->transport == RPC_UNIX) {
		n = rpc_address_of_path(&link->addresses[0],
					link->options->unix_path);
		if (n < 0)
			return rpc_fault_set(fault, RPC_FAULT_LOCAL, -n, false);
		link->n_addresses = 1;
		return RPC_FAULT_NONE;
	}
	n = rpc_address_resolve(link->addresses, link->options->host, deadline,
				&error);
	if (n < 0)
		return rpc_fault_set(fault,
				     n == -EINTR ? RPC_FAULT_INTERRUPTED
						 : RPC_FAULT_LOCAL,
				     n == -EINTR ? 0 : -n, false);
	if (n == 0)
		return rpc_fault_set(fault, RPC_FAULT_HOST,
				     error ? error : EAI_NONAME, false);
	link->n_addresses = (size_t)n;
	for (int i = 0; i < n; i++)
		link->ports[i] = link->options->port;
	return RPC_FAULT_NONE;
}

static enum rpc_fault_kind find_port(struct rpc_link *link, size_t i,
				     int64_t deadline, struct rpc_fault *fault)
{
	const struct rpc_lookup what = {
		.program = link->options->program,
		.version = link->options->version,
		.transport = link->options->transport,
		.rpcbind_port = link->options->rpcbind_port,
	};

	if (link->options->transport == RPC_UNIX)
		return RPC_FAULT_NONE;
	if (!link->ports[i] &&
	    rpc_lookup_port(&what, &link->addresses[i], deadline,
			    &link->ports[i], fault))
		return fault->kind;
	rpc_address_set_port(&link->addresses[i], link->ports[i]);
	return RPC_FAULT_NONE;
}

static enum rpc_fault_kind connect_to(struct rpc_link *link, size_t i,
				      int64_t deadline, struct rpc_fault *fault)
{
	int rc;

	if (find_port(link, i, deadline, fault))
		return fault->kind;
	if (rpc_link_is_datagram(link)) {
		rc = rpc_datagram_connect(&link->datagram, &link->addresses[i]);
	} else {
		rc = rpc_stream_connect(&link->stream, &link->addresses[i],
					deadline);
		if (!rc && link->options->secure)
			rc = link->options->secure(&link->stream, deadline,
						   link->options->arg);
	}
	if (!rc) {
		link->index = i;
		link->n_opened++;
		link->last_at = tick_now();
		return RPC_FAULT_NONE;
	}
	rpc_link_close(link);
	if (rc == -EINTR)
		return rpc_fault_set(fault, RPC_FAULT_INTERRUPTED, 0, false);
	return rpc_fault_set(fault, RPC_FAULT_UNREACHABLE, -rc, false);
}

/* Of the failures of several addresses the one that says most. */
static int weight(const struct rpc_fault *fault)
{
	switch (fault->kind) {
	case RPC_FAULT_NONE:
		return 0;
	case RPC_FAULT_NO_RPCBIND:
		return fault->error == EPROTONOSUPPORT ? 2 : 1;
	case RPC_FAULT_NOT_REGISTERED:
		return 3;
	default:
		return 4;
	}
}

/* To the first address that takes us; each gets its share of the time. */
static enum rpc_fault_kind connect_any(struct rpc_link *link, int64_t deadline,
				       struct rpc_fault *fault)
{
	struct rpc_fault worst = {.kind = RPC_FAULT_NONE};

	if (link->n_addresses == 0 && resolve(link, deadline, fault))
		return fault->kind;
	for (size_t i = link->index; i < link->n_addresses; i++) {
		int64_t share =
			tick_left(deadline) / (int64_t)(link->n_addresses - i);

		*fault = (struct rpc_fault){0};
		connect_to(link, i, tick_after(share), fault);
		if (fault->kind == RPC_FAULT_NONE ||
		    fault->kind == RPC_FAULT_INTERRUPTED)
			return fault->kind;
		if (weight(fault) >= weight(&worst))
			worst = *fault;
	}
	/* Perhaps they are somewhere else by now. */
	link->n_addresses = 0;
	*fault = worst;
	return fault->kind;
}

enum rpc_fault_kind rpc_link_connect(struct rpc_link *link, int64_t deadline,
				     struct rpc_fault *fault)
{
	int64_t latest = tick_after(link->options->connect_ns);

	*fault = (struct rpc_fault){0};
	if (rpc_link_is_open(link))
		return RPC_FAULT_NONE;
	return connect_any(link, deadline < latest ? deadline : latest, fault);
}

void rpc_link_check(struct rpc_link *link)
{
	if (rpc_link_is_open(link) && !rpc_link_is_datagram(link) &&
	    tick_now() - link->last_at > QUIET_MS * TICK_MS &&
	    rpc_stream_is_gone(&link->stream))
		rpc_link_close(link);
}

enum rpc_fault_kind rpc_link_move_on(struct rpc_link *link, int64_t deadline,
				     struct rpc_fault *fault)
{
	rpc_link_close(link);
	if (link->index + 1 < link->n_addresses)
		link->index++;
	else
		link->n_addresses = 0;
	return rpc_link_connect(link, deadline, fault);
}

int rpc_link_fd(const struct rpc_link *link)
{
	return rpc_link_is_datagram(link) ? link->datagram.socket.fd
					  : link->stream.socket.fd;
}

uint16_t rpc_link_port(const struct rpc_link *link)
{
	return link->ports[link->index];
}

void rpc_link_init(struct rpc_link *link,
		   const struct rpc_client_options *options)
{
	*link = (struct rpc_link){.options = options};
	rpc_stream_init(&link->stream, options->max_record_bytes,
			options->max_record_bytes + QUEUE_BYTES);
	rpc_datagram_init(&link->datagram);
}

void rpc_link_fini(struct rpc_link *link)
{
	rpc_stream_fini(&link->stream);
	rpc_datagram_fini(&link->datagram);
}
