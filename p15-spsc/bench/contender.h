/* contender.h - what a queue must offer to be compared, here and in bench.c.
 *
 * Two sides, which are threads or processes, each in a function of the
 * contender's own, so that its operations are inlined into the loop that is
 * timed. loops.h has the loops: the same work for all. Also for C++.
 */
#ifndef UNIXIPC_P15_SPSC_BENCH_CONTENDER_H
#define UNIXIPC_P15_SPSC_BENCH_CONTENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one run does; the same for both sides. */
struct contender_plan {
	uint64_t items;
	size_t item_bytes; /* a multiple of 8 */
	size_t capacity;   /* a power of two */
	size_t batch;      /* items that move by one call; 1: single ones */
	bool is_shared;    /* between processes */
};

/* What both sides and the one who started them share. Flags in words that are
 * accessed by the __atomic builtins, as C and C++ both know those. */
struct contender_run {
	struct contender_plan plan;
	uint32_t stop;   /* give up: somebody failed, or was asked to */
	uint64_t failed; /* 1 + the item that was not what it should be */

	/* Of round trips: the samples, in ns. NULL: none are kept. Made before
	 * the sides start. */
	struct stats_histogram *trips;
};

struct contender {
	const char *name;  /* "boost" */
	const char *title; /* "Mutex-based queue" */
	bool is_extra;     /* not one of those that the guide has */

	/* Whether it can do that; NULL: anything. */
	bool (*can)(const struct contender_plan *plan);
	/* Bytes for one queue, in memory aligned to 4096 and zeroed. */
	size_t (*bytes)(const struct contender_plan *plan);
	int (*make)(void *queue, const struct contender_plan *plan);
	void (*unmake)(void *queue);

	/* Send the plan's items, or receive and verify them. 0 or -errno. */
	int (*produce)(void *queue, struct contender_run *run);
	int (*consume)(void *queue, struct contender_run *run);

	/* Round trips over two queues: there by the first, back by the other. */
	int (*lead)(void *there, void *back, struct contender_run *run);
	int (*follow)(void *there, void *back, struct contender_run *run);
};

#ifdef __cplusplus
}
#endif

#endif
