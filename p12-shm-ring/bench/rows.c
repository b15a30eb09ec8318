#include "p12-shm-ring/bench/rows.h"

#include <errno.h>
#include <fcntl.h>

#include "p06-bench/ends.h"
#include "p06-bench/table.h"
#include "p12-shm-ring/bench/ring_mechanism.h"

/* ---- a pipe with room ---------------------------------------------------- */

static int create_big_pipe(void **channel, size_t message_bytes)
{
	int rc = mech_pipe.create(channel, message_bytes);
	const struct ends *ends;

	if (rc)
		return rc;
	ends = *channel;
	for (int side = 0; side < 2 && !rc; side++)
		if (fcntl(ends->out[side], F_SETPIPE_SZ, ROWS_CAPACITY) < 0)
			rc = -errno;
	if (rc)
		mech_pipe.destroy(*channel);
	return rc;
}

static const struct mechanism big_pipe = {
	.name = "pipe, 1 MB",
	.create = create_big_pipe,
	.attach = ends_attach,
	.send = ends_send,
	.receive = ends_receive,
	.destroy = ends_destroy,
};

/* ---- rings ---------------------------------------------------------------- */

/* clang-format off */
#define RING_ROW(word, title, bytes, ...)                                     \
	static int create_##word(void **channel, size_t message_bytes)        \
	{                                                                     \
		static const struct ring_options options = {                  \
			.capacity = (bytes), __VA_ARGS__};                    \
                                                                              \
		return ring_mechanism_create(channel, message_bytes,          \
					     &options);                       \
	}                                                                     \
	static const struct mechanism word = {                                \
		.name = (title),                                              \
		.check = ring_mechanism_check,                                \
		.create = create_##word,                                      \
		.attach = ring_mechanism_attach,                              \
		.send = ring_mechanism_send,                                  \
		.receive = ring_mechanism_receive,                            \
		.destroy = ring_mechanism_destroy,                            \
	}
/* clang-format on */

RING_ROW(spinning, "ring, spin", ROWS_CAPACITY, .wait = RING_SPIN);
RING_ROW(roomy, "ring of 16 MB, spin", ROWS_BIG_CAPACITY, .wait = RING_SPIN);
RING_ROW(adaptive, "ring, adaptive", ROWS_CAPACITY, .wait = RING_ADAPTIVE);
RING_ROW(blocking, "ring, block", ROWS_CAPACITY, .wait = RING_BLOCK);

static const struct mechanism batches = {
	.name = "ring, batches of 16",
	.check = ring_mechanism_check,
	.create = create_adaptive,
	.attach = ring_mechanism_attach,
	.send = ring_mechanism_send_later,
	.receive = ring_mechanism_receive,
	.destroy = ring_mechanism_destroy,
	.flush = ring_mechanism_flush,
};
_Static_assert(RING_MECHANISM_BATCH == 16, "as its name says");

const struct mechanism *const rows_peers[] = {
	&mech_pipe,    &big_pipe, &mech_unix_stream,
	&mech_shm_sem, &spinning, &adaptive,
	&blocking,     &roomy,    NULL};

const struct mechanism *const rows_techniques[] = {&adaptive,
						   &batches,
						   &without_cached_index,
						   &without_lazy_free,
						   &without_prefetch,
						   &without_gathering,
						   &without_membarrier,
						   &without_padding,
						   &without_mirror,
						   NULL};
