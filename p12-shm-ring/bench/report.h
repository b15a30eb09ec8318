/* report.h - what shm_ringbuffer_bench prints. */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_REPORT_H
#define UNIXIPC_P12_SHM_RING_BENCH_REPORT_H

#include "lib/measure/measure.h"
#include "p12-shm-ring/bench/traffic.h"

enum { REPORT_PEERS = 2 };

/* Words of options, as enum ring_wait and has_semaphores count them. */
extern const char *const report_waits[];
extern const char *const report_syncs[];
extern const char *const report_peers[REPORT_PEERS];

struct report {
	const struct traffic_plan *plan;
	const struct traffic_board *board;
	const struct measure_result *peer; /* [REPORT_PEERS], or NULL: none */
	double line_ns;                    /* 0: one CPU */
};

/* What is going to be done. */
void report_print_plan(const struct traffic_plan *plan);

/* What came out: lines of text, or one JSON object (0 or -errno). */
void report_print(const struct report *report);
int report_print_json(const struct report *report);

#endif
