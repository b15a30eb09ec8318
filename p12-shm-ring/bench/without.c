/* Techniques that are left out by a hand on the handle: the ring has no options
 * for it. */
#include "p12-shm-ring/bench/ring_mechanism.h"
#include "p12-shm-ring/bench/rows.h"
#include "p12-shm-ring/ring_handle.h"

static int create(void **channel, size_t message_bytes)
{
	static const struct ring_options options = {.capacity = ROWS_CAPACITY};

	return ring_mechanism_create(channel, message_bytes, &options);
}

/* Whoever knows no more than its own index has to fetch the other's each time. */
static int send_forgetting(void *channel, const void *message)
{
	struct ring *tx = ((struct ring_mechanism *)channel)->tx;

	tx->limit = tx->at;
	return ring_mechanism_send(channel, message);
}

static int receive_forgetting(void *channel, void *message)
{
	struct ring *rx = ((struct ring_mechanism *)channel)->rx;

	rx->limit = rx->at;
	return ring_mechanism_receive(channel, message);
}

/* Every release is published. */
static int attach_prompt(void *channel, enum mechanism_side side)
{
	int error = ring_mechanism_attach(channel, side);

	if (!error)
		((struct ring_mechanism *)channel)->rx->lazy_bytes = 1;
	return error;
}

/* As where the kernel has no membarrier(2): see ring_wait_prepare(). */
static void fence(struct ring *ring)
{
	ring->must_fence = true;
	ring->awake = RING_NEEDS_FENCE;
	atomic_store_explicit(&ring->own->asleep, ring->awake,
			      memory_order_relaxed);
}

static int attach_fenced(void *channel, enum mechanism_side side)
{
	struct ring_mechanism *c = channel;
	int error = ring_mechanism_attach(channel, side);

	if (!error) {
		fence(c->tx);
		fence(c->rx);
	}
	return error;
}

#define ROW(title, with_attach, with_send, with_receive)        \
	{                                                       \
		.name = (title), .check = ring_mechanism_check, \
		.create = create, .attach = (with_attach),      \
		.send = (with_send), .receive = (with_receive), \
		.destroy = ring_mechanism_destroy,              \
	}

const struct mechanism without_cached_index =
	ROW("no cached index", ring_mechanism_attach, send_forgetting,
	    receive_forgetting);
const struct mechanism without_lazy_free =
	ROW("no lazy free", attach_prompt, ring_mechanism_send,
	    ring_mechanism_receive);
const struct mechanism without_membarrier =
	ROW("fences, no membarrier", attach_fenced, ring_mechanism_send,
	    ring_mechanism_receive);
