/* peers.h - queues of others, from the distribution's packages: for bench.c
 * alone. Those whose package is missing are not built, and their address is
 * then null. */
#ifndef UNIXIPC_P15_SPSC_BENCH_PEERS_H
#define UNIXIPC_P15_SPSC_BENCH_PEERS_H

#include "p15-spsc/bench/contender.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct contender peer_ck __attribute__((weak));
extern const struct contender peer_boost __attribute__((weak));
extern const struct contender peer_atomic_queue __attribute__((weak));
extern const struct contender peer_rwq __attribute__((weak));
extern const struct contender peer_rwq_waiting __attribute__((weak));
extern const struct contender peer_dpdk __attribute__((weak));

#ifdef __cplusplus
}
#endif

#endif
