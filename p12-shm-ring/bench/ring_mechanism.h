/* ring_mechanism.h - the ring as something to be measured: two rings without
 * names, one for each direction, behind the interface of mechanism.h. A
 * struct mechanism is made of these; create() is a line that calls
 * ring_mechanism_create() with the options to be measured.
 */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_RING_MECHANISM_H
#define UNIXIPC_P12_SHM_RING_BENCH_RING_MECHANISM_H

#include "lib/measure/mechanism.h"
#include "p12-shm-ring/ring.h"

/* A channel. */
struct ring_mechanism {
	struct ring_options options;
	size_t message_bytes;
	int fd[2];       /* from A to B, from B to A */
	struct ring *tx; /* of this side */
	struct ring *rx;
	unsigned int held; /* messages that were sent, and not told of */
};

/* options->capacity is a wish: it is at least four messages. */
int ring_mechanism_create(void **channel, size_t message_bytes,
			  const struct ring_options *options);

int ring_mechanism_check(size_t message_bytes, char *why, size_t why_size);
int ring_mechanism_attach(void *channel, enum mechanism_side side);
int ring_mechanism_send(void *channel, const void *message);

/* The same, in batches: the receiver is told of every RING_MECHANISM_BATCH
 * messages at once, or by a flush. */
#define RING_MECHANISM_BATCH 16
int ring_mechanism_send_later(void *channel, const void *message);
int ring_mechanism_flush(void *channel);

int ring_mechanism_receive(void *channel, void *message);
void ring_mechanism_destroy(void *channel);

#endif
