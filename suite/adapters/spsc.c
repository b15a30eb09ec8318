/* The lock-free queue of p15, one for each direction. Its sides spin for a
 * moment and then sleep. */
#include "suite/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "p15-spsc/spsc.h"

struct channel {
	unsigned char *map;
	size_t each, message_bytes;
	struct spsc_producer out;
	struct spsc_consumer in;
};

/* A power of two, and not much more than 1 MiB. */
static uint64_t capacity_for(size_t message_bytes)
{
	uint64_t capacity = 1024;

	while (capacity > 1 && capacity * message_bytes > (1u << 20))
		capacity /= 2;
	return capacity;
}

static void destroy(void *channel)
{
	struct channel *c = channel;

	if (c->map)
		munmap(c->map, 2 * c->each);
	free(c);
}

static int create(void **channel, size_t message_bytes)
{
	const uint64_t capacity = capacity_for(message_bytes);
	const size_t bytes = spsc_bytes(message_bytes, capacity);
	struct channel *c = calloc(1, sizeof(*c));
	void *map;
	int error = 0;

	if (!c)
		return -ENOMEM;
	c->message_bytes = message_bytes;
	c->each = (bytes + SPSC_LINE - 1) & -(size_t)SPSC_LINE;
	map = mmap(NULL, 2 * c->each, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (map == MAP_FAILED) {
		error = -errno;
		destroy(c);
		return error;
	}
	c->map = map;
	for (size_t i = 0; i < 2 && !error; i++)
		error = spsc_init(c->map + i * c->each, c->each, message_bytes,
				  capacity);
	if (error) {
		destroy(c);
		return error;
	}
	*channel = c;
	return 0;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct channel *c = channel;
	const size_t tx = side == MECHANISM_A ? 0 : 1;
	int error = spsc_producer_attach(&c->out, c->map + tx * c->each,
					 c->each, c->message_bytes);

	return error ? error
		     : spsc_consumer_attach(&c->in, c->map + !tx * c->each,
					    c->each, c->message_bytes);
}

static int send(void *channel, const void *message)
{
	struct channel *c = channel;
	int error;

	do
		error = spsc_push(&c->out, message, c->message_bytes);
	while (error == -EINTR);
	return error == -EOWNERDEAD ? -EPIPE : error;
}

static int receive(void *channel, void *message)
{
	struct channel *c = channel;
	int error;

	do
		error = spsc_pop(&c->in, message, c->message_bytes);
	while (error == -EINTR);
	return error == -EOWNERDEAD ? -EPIPE : error;
}

const struct mechanism registry_spsc = {
	.name = "spsc",
	.title = "Lock-free SPSC queue",
	.summary =
		"fixed-size items in shared memory, atomics, futex when idle",
	.cost = {.calls = 6, /* mmap munmap spsc_init spsc_…_attach push pop */
		 .keeps_boundaries = true},
	.create = create,
	.attach = attach,
	.send = send,
	.receive = receive,
	.destroy = destroy,
};
