/* without.h - the queue with one technique switched off, for bench.c. */
#ifndef UNIXIPC_P15_SPSC_BENCH_WITHOUT_H
#define UNIXIPC_P15_SPSC_BENCH_WITHOUT_H

#include "p15-spsc/bench/contender.h"

extern const struct contender without_cache, without_claims, without_lazy_room,
	without_lag, without_remote_fence, without_padding;

#endif
