/* lane.h - one direction of traffic: numbered messages through a ring.
 *
 * Each message carries its number and a checksum over all of its bytes
 * (lib/measure/payload.h), and its length follows from its number, so that a
 * receiver can tell whether it got that very message, whole. In a ring it is
 * written and checked where it lies, unless the plan says otherwise; the
 * semaphore form copies it in and out.
 */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_LANE_H
#define UNIXIPC_P12_SHM_RING_BENCH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p12-shm-ring/ring.h"
#include "p12-shm-ring/sem_ring.h"

struct lane_plan {
	bool has_semaphores;  /* sem_ring.h, and not ring.h */
	bool is_copied;       /* written elsewhere, and copied in and out */
	bool is_mixed;        /* lengths of 16 … message_bytes */
	size_t message_bytes; /* at least PAYLOAD_MIN */
	size_t buffer_bytes;
	struct ring_options options;
};

struct lane {
	const struct lane_plan *plan;
	struct ring *ring; /* NULL: semaphores */
	struct sem_ring sem;
	unsigned char *copy; /* of a message */
};

/* Before openers come, and after they have gone. A ring is made by the first
 * who opens it, semaphores here: -EEXIST, -EINVAL (no room for a message). */
int lane_create(const struct lane_plan *plan, const char *name);
int lane_remove(const struct lane_plan *plan, const char *name);

/* Open it by its name, as one of its two sides. The plan must outlive it. Who
 * is making it, which takes long where it is large, is waited for until the
 * deadline, or for two seconds if that is longer; who is in it, for these.
 * Returns 0, or as ring_open() and sem_ring_open(). */
int lane_open(struct lane *lane, const struct lane_plan *plan, const char *name,
	      enum ring_side side, int64_t deadline);
void lane_close(struct lane *lane);

/* How long message number sequence is. */
size_t lane_length(const struct lane_plan *plan, uint64_t sequence);

/* Send it, or receive and check the next. Return 0 or as ring_reserve() and
 * ring_peek() do; -EBADMSG: it arrived damaged, or is another's length. */
int lane_send(struct lane *lane, uint64_t sequence, int64_t deadline);
int lane_receive(struct lane *lane, uint64_t *sequence, int64_t deadline);

/* Wait until the receiver has everything; semaphores cannot tell, and do
 * not. */
int lane_drain(struct lane *lane, int64_t deadline);

/* How many messages it had no room for. */
uint64_t lane_dropped(const struct lane *lane);
struct ring_calls lane_calls(const struct lane *lane);

#endif
