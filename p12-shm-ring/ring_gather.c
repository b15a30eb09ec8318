/* A receiver that is faster than its sender finds one message each time it
 * looks, right behind the sender's pen. That is the slowest way to receive:
 * both processors fight for the line with the index and for the lines that
 * are being written, as the receiver's prefetcher reads ahead into them. If it
 * waits for a few microseconds instead, the sender fills some pages
 * undisturbed, and the receiver reads them in one go: five times as fast.
 *
 * But for one who waits for an answer it would be a delay. So it is tried once
 * in a while, and kept up as long as it brings several messages.
 */
#include "lib/tick.h"
#include "p12-shm-ring/ring_handle.h"

/* Each look takes a line from the sender: seldom. */
#define STEP_NS (4 * TICK_US)

enum {
	SEVERAL = 4, /* messages after a pause: it is a stream */
	MANY = 16,   /* without a pause */
	STEPS = 4,
	ENOUGH = 16384, /* bytes */
	TRY = 256,      /* one time in so many; rare enough for p99 */
};

static bool is_worth_it(struct ring *ring, uint64_t got)
{
	if (ring->has_gathered)
		ring->is_streaming = got >= SEVERAL;
	else if (got >= MANY)
		ring->is_streaming = true;
	return ring->is_streaming || ++ring->times % TRY == 0;
}

static uint64_t bytes_there(const struct ring *ring)
{
	/* Not to be believed, nor used for anything else. */
	return atomic_load_explicit(&ring->header->tail, memory_order_relaxed) -
	       ring->at;
}

/* A sender that waits for room has filled half of a ring, whatever the length of
 * its messages: more need not come. */
static uint64_t enough(const struct ring *ring)
{
	return ring->capacity / 2 < ENOUGH ? ring->capacity / 2 : ENOUGH;
}

void ring_gather(struct ring *ring)
{
	const uint64_t got = ring->taken - ring->taken_before;
	int64_t end;

	ring->taken_before = ring->taken;
	/* Nothing gathers while we have the sender's processor. */
	ring->has_gathered = is_worth_it(ring, got) && !ring_shares_cpu(ring);
	if (!ring->has_gathered)
		return;
	for (int step = 0; step < STEPS && bytes_there(ring) < enough(ring);
	     step++) {
		end = tick_now() + STEP_NS;
		while (tick_now() < end)
			for (int i = 0; i < 16; i++)
				ring_pause();
	}
}
