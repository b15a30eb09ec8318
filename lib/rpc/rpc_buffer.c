/* rpc_buffer.c - grows by doubling. */
#include "lib/rpc/rpc_buffer.h"

#include <errno.h>
#include <stdlib.h>

void rpc_buffer_init(struct rpc_buffer *buffer, size_t limit)
{
	*buffer = (struct rpc_buffer){.limit = limit};
}

void rpc_buffer_fini(struct rpc_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->size = 0;
}

int rpc_buffer_reserve(struct rpc_buffer *buffer, size_t size)
{
	size_t larger = buffer->size ? buffer->size : RPC_BUFFER_START;
	void *bytes;

	if (size <= buffer->size && buffer->bytes)
		return 0;
	if (size > buffer->limit)
		return -EMSGSIZE;
	while (larger < size && larger <= buffer->limit / 2)
		larger *= 2;
	if (larger < size || larger > buffer->limit)
		larger = buffer->limit;
	bytes = realloc(buffer->bytes, larger);
	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->size = larger;
	return 0;
}

void rpc_buffer_relax(struct rpc_buffer *buffer, size_t used)
{
	void *bytes;

	if (buffer->size <= RPC_BUFFER_KEEP || used > RPC_BUFFER_START)
		return;
	bytes = realloc(buffer->bytes, RPC_BUFFER_START);
	if (!bytes)
		return;
	buffer->bytes = bytes;
	buffer->size = RPC_BUFFER_START;
}
