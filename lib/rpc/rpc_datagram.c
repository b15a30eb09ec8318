/* rpc_datagram.c - the clock of a call is its own: next_at, and wait_ns, which
 * doubles. */
#include "lib/rpc/rpc_datagram.h"

#include <errno.h>
#include <sys/socket.h>

#include "lib/tick.h"

void rpc_datagram_init(struct rpc_datagram *datagram)
{
	*datagram = (struct rpc_datagram){.socket = {.fd = -1}};
	rpc_buffer_init(&datagram->in, RPC_DATAGRAM_MAX);
}

int rpc_datagram_connect(struct rpc_datagram *datagram,
			 const struct rpc_address *address)
{
	int rc = rpc_buffer_reserve(&datagram->in, RPC_DATAGRAM_MAX);

	rpc_datagram_close(datagram);
	return rc ? rc
		  : rpc_socket_connect_datagram(&datagram->socket, address);
}

bool rpc_datagram_is_open(const struct rpc_datagram *datagram)
{
	return datagram->socket.fd >= 0;
}

int rpc_datagram_start(struct rpc_datagram *datagram,
		       struct rpc_datagram_call *call, int64_t retry_ns,
		       unsigned int retries)
{
	call->wait_ns = retry_ns;
	call->transmissions_left = retries + 1;
	call->sent = call->refused = 0;
	return rpc_datagram_send(datagram, call);
}

int rpc_datagram_send(struct rpc_datagram *datagram,
		      struct rpc_datagram_call *call)
{
	call->sent++;
	call->transmissions_left--;
	call->next_at = call->transmissions_left > 0 ? tick_after(call->wait_ns)
						     : TICK_NEVER;
	if (call->wait_ns < TICK_NEVER / 2)
		call->wait_ns *= 2;
	if (send(datagram->socket.fd, call->message.bytes, call->n,
		 MSG_NOSIGNAL) >= 0)
		return 0;
	return -errno;
}

ssize_t rpc_datagram_receive(struct rpc_datagram *datagram, int64_t deadline,
			     uint8_t **message)
{
	*message = datagram->in.bytes;
	return rpc_socket_receive(&datagram->socket, datagram->in.bytes,
				  datagram->in.size, deadline);
}

void rpc_datagram_close(struct rpc_datagram *datagram)
{
	rpc_socket_close(&datagram->socket);
}

void rpc_datagram_fini(struct rpc_datagram *datagram)
{
	rpc_datagram_close(datagram);
	rpc_buffer_fini(&datagram->in);
}
