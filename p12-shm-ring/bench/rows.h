/* rows.h - what bench.c compares: mechanisms for lib/measure/measure.h. */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_ROWS_H
#define UNIXIPC_P12_SHM_RING_BENCH_ROWS_H

#include "lib/measure/mechanism.h"

#define ROWS_CAPACITY ((size_t)1 << 20)

/* More than caches hold: what the receiver has read is no longer in its
 * processor's cache when the sender comes round to it. */
#define ROWS_BIG_CAPACITY (16 * ROWS_CAPACITY)

/* Each ends in NULL. The first is what the others are compared with. */
extern const struct mechanism *const rows_peers[];      /* and the ring */
extern const struct mechanism *const rows_techniques[]; /* one is left out */

/* Of rows_techniques, by a hand on the handle, or made of the ring's own sources
 * once more. */
extern const struct mechanism without_cached_index, without_lazy_free,
	without_membarrier;
extern const struct mechanism without_padding, without_mirror, without_prefetch,
	without_gathering;

/* Boost.Interprocess' message_queue; not there without its headers. */
extern const struct mechanism rows_boost __attribute__((weak));

#endif
