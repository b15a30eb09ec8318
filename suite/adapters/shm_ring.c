/* The ring of p12 as a row of the benchmark: waiting as it does by default. */
#include "suite/registry.h"

#include "p12-shm-ring/bench/ring_mechanism.h"

static int create(void **channel, size_t message_bytes)
{
	static const struct ring_options options = {.capacity = 1 << 20};

	return ring_mechanism_create(channel, message_bytes, &options);
}

const struct mechanism registry_shm_ring = {
	.name = "shm-ring",
	.title = "Shared Memory Ring",
	.summary = "two rings of records (p12), no system call while both are "
		   "awake",
	.cost = {.calls = 6, /* ring_memfd ring_attach ring_send ring_recv
			      * ring_close close */
		 .keeps_boundaries = true},
	.check = ring_mechanism_check,
	.create = create,
	.attach = ring_mechanism_attach,
	.send = ring_mechanism_send,
	.receive = ring_mechanism_receive,
	.destroy = ring_mechanism_destroy,
};
