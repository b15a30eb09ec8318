#include "p12-shm-ring/bench/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/measure/payload.h"
#include "lib/objname.h"
#include "lib/tick.h"

#define OPEN_NS (2 * TICK_S)

static size_t slots_of(const struct lane_plan *plan)
{
	return plan->buffer_bytes / plan->message_bytes;
}

int lane_create(const struct lane_plan *plan, const char *name)
{
	struct sem_ring sem;
	int rc;

	if (!plan->has_semaphores)
		return 0; /* whoever opens a ring first makes it */
	objname_claim(OBJNAME_SHM, name); /* advice: it may fail */
	rc = sem_ring_create(&sem, name, (uint32_t)slots_of(plan),
			     (uint32_t)plan->message_bytes);
	if (rc) {
		objname_release(OBJNAME_SHM, name); /* not ours to list */
		return rc;
	}
	objname_made(OBJNAME_SHM, name);
	sem_ring_close(&sem);
	return 0;
}

int lane_remove(const struct lane_plan *plan, const char *name)
{
	int rc = plan->has_semaphores ? sem_ring_remove(name)
				      : ring_remove(name);

	/* A side may have been killed after it claimed the name and before it
	 * made the ring. */
	if (!rc || rc == -ENOENT)
		objname_release(OBJNAME_SHM, name);
	return rc;
}

static int open_ring(struct lane *lane, const char *name, enum ring_side side,
		     int64_t deadline)
{
	struct ring_options options = lane->plan->options;
	int rc;

	options.capacity = lane->plan->buffer_bytes;
	options.is_fresh = true;
	objname_claim(OBJNAME_SHM, name); /* the other side may have done so */
	do
		rc = ring_open(&lane->ring, name, side, &options,
			       tick_after(OPEN_NS));
	while (rc == -ETIMEDOUT && !tick_is_over(deadline));
	if (rc)
		objname_release(OBJNAME_SHM, name);
	else
		objname_made(OBJNAME_SHM, name);
	return rc;
}

static int make_copy(struct lane *lane)
{
	lane->copy = malloc(lane->plan->message_bytes);
	if (!lane->copy)
		return -ENOMEM;
	/* What was never written costs page faults later. */
	memset(lane->copy, 0, lane->plan->message_bytes);
	return 0;
}

int lane_open(struct lane *lane, const struct lane_plan *plan, const char *name,
	      enum ring_side side, int64_t deadline)
{
	int rc = 0;

	*lane = (struct lane){.plan = plan};
	if (plan->has_semaphores || plan->is_copied)
		rc = make_copy(lane);
	if (!rc)
		rc = plan->has_semaphores
			     ? sem_ring_open(&lane->sem, name)
			     : open_ring(lane, name, side, deadline);
	if (rc)
		lane_close(lane);
	return rc;
}

void lane_close(struct lane *lane)
{
	ring_close(lane->ring);
	if (lane->sem.shared)
		sem_ring_close(&lane->sem);
	free(lane->copy);
	*lane = (struct lane){.plan = lane->plan};
}

size_t lane_length(const struct lane_plan *plan, uint64_t sequence)
{
	const size_t span = plan->message_bytes - PAYLOAD_MIN + 1;

	if (!plan->is_mixed)
		return plan->message_bytes;
	/* The upper bits of a product with the golden ratio are well mixed. */
	return PAYLOAD_MIN +
	       (sequence * UINT64_C(0x9e3779b97f4a7c15) >> 32) % span;
}

int lane_send(struct lane *lane, uint64_t sequence, int64_t deadline)
{
	const size_t len = lane_length(lane->plan, sequence);
	void *message;
	int rc;

	if (lane->copy) {
		payload_write(lane->copy, len, sequence);
		return lane->ring ? ring_send(lane->ring, lane->copy, len,
					      deadline)
				  : sem_ring_put(&lane->sem, lane->copy, len,
						 deadline);
	}
	rc = ring_reserve(lane->ring, len, &message, deadline);
	if (rc)
		return rc;
	payload_write(message, len, sequence);
	return ring_commit(lane->ring, len);
}

static int check(const struct lane *lane, const void *message, size_t len,
		 uint64_t *sequence)
{
	if (len < PAYLOAD_MIN || payload_check(message, len, sequence) ||
	    len != lane_length(lane->plan, *sequence))
		return -EBADMSG;
	return 0;
}

int lane_receive(struct lane *lane, uint64_t *sequence, int64_t deadline)
{
	void *message;
	ssize_t len;
	int rc;

	if (lane->copy) {
		len = lane->ring
			      ? ring_recv(lane->ring, lane->copy,
					  lane->plan->message_bytes, deadline)
			      : sem_ring_get(&lane->sem, lane->copy, deadline);
		return len < 0 ? (int)len
			       : check(lane, lane->copy, (size_t)len, sequence);
	}
	len = ring_peek(lane->ring, &message, deadline);
	if (len < 0)
		return (int)len;
	rc = check(lane, message, (size_t)len, sequence);
	ring_release(lane->ring);
	return rc;
}

int lane_drain(struct lane *lane, int64_t deadline)
{
	return lane->ring ? ring_drain(lane->ring, deadline) : 0;
}

uint64_t lane_dropped(const struct lane *lane)
{
	return lane->ring ? ring_dropped(lane->ring) : 0;
}

struct ring_calls lane_calls(const struct lane *lane)
{
	return lane->ring ? ring_calls(lane->ring) : (struct ring_calls){0};
}
