/* contenders.h - the queues that lockfree_bench compares. */
#ifndef UNIXIPC_P15_SPSC_BENCH_CONTENDERS_H
#define UNIXIPC_P15_SPSC_BENCH_CONTENDERS_H

#include "p15-spsc/bench/contender.h"

extern const struct contender contender_spsc;          /* its sides spin */
extern const struct contender contender_spsc_waiting;  /* sleep, if it lasts */
extern const struct contender contender_spsc_deferred; /* publish by the 32 */
extern const struct contender contender_mutex;
extern const struct contender contender_sem;

#endif
