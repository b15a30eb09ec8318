/* rpc_buffer.c - grows by doubling; where the budget has not that much, by a
 * page or what is asked for. */
#include "lib/rpc/rpc_buffer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void rpc_buffer_init(struct rpc_buffer *buffer, size_t limit)
{
	*buffer = (struct rpc_buffer){.limit = limit};
}

/* ---- the budget ---- */

static size_t cost(size_t size)
{
	return size > RPC_BUFFER_START ? size - RPC_BUFFER_START : 0;
}

static bool take(struct rpc_buffer *buffer, size_t size)
{
	if (cost(size) <= buffer->taken)
		return true;
	if (!rpc_budget_take(buffer->budget, cost(size) - buffer->taken))
		return false;
	buffer->taken = cost(size);
	return true;
}

/* All but what size bytes cost. */
static void give(struct rpc_buffer *buffer, size_t size)
{
	if (buffer->taken <= cost(size))
		return;
	rpc_budget_give(buffer->budget, buffer->taken - cost(size));
	buffer->taken = cost(size);
}

int rpc_buffer_prepay(struct rpc_buffer *buffer, size_t size)
{
	return take(buffer, size < buffer->limit ? size : buffer->limit)
		       ? 0
		       : -ENOBUFS;
}

void rpc_buffer_owe(struct rpc_buffer *buffer, size_t size)
{
	if (cost(size) <= buffer->taken)
		return;
	rpc_budget_owe(buffer->budget, cost(size) - buffer->taken);
	buffer->taken = cost(size);
}

/* ---- the bytes ---- */

void rpc_buffer_fini(struct rpc_buffer *buffer)
{
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->size = 0;
	give(buffer, 0);
}

static size_t grown(const struct rpc_buffer *buffer, size_t size)
{
	size_t larger = buffer->size ? buffer->size : RPC_BUFFER_START;

	while (larger < size && larger <= buffer->limit / 2)
		larger *= 2;
	return larger < size || larger > buffer->limit ? buffer->limit : larger;
}

static int resize(struct rpc_buffer *buffer, size_t size)
{
	void *bytes = realloc(buffer->bytes, size);

	if (!bytes)
		return -ENOMEM;
	buffer->bytes = bytes;
	buffer->size = size;
	return 0;
}

int rpc_buffer_reserve(struct rpc_buffer *buffer, size_t size)
{
	size_t larger;

	if (size <= buffer->size && buffer->bytes)
		return 0;
	if (size > buffer->limit)
		return -EMSGSIZE;
	larger = grown(buffer, size);
	if (!take(buffer, larger)) {
		larger = (size + RPC_BUFFER_START - 1) / RPC_BUFFER_START *
			 RPC_BUFFER_START;
		if (larger > buffer->limit)
			larger = buffer->limit;
		if (!take(buffer, larger) && !take(buffer, larger = size))
			return -ENOBUFS;
	}
	return resize(buffer, larger);
}

void rpc_buffer_relax(struct rpc_buffer *buffer, size_t used)
{
	if (buffer->size > RPC_BUFFER_KEEP && used <= RPC_BUFFER_START)
		(void)resize(buffer, RPC_BUFFER_START);
	give(buffer, buffer->size);
}
