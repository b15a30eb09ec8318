/* contest_ours.h - what the bench and its contest_ours say to each other.
 *
 *	contest_ours SIZE   standard input is a socket
 *
 * It gets the pixels, SIZE x SIZE of RGB, then requests, and answers each.
 * With wants_result the pixels of the result follow the answer. It ends when
 * the socket is closed. */
#ifndef UNIXIPC_P13_SHM_IMAGE_BENCH_CONTEST_OURS_H
#define UNIXIPC_P13_SHM_IMAGE_BENCH_CONTEST_OURS_H

#include <stdbool.h>
#include <stdint.h>

enum { CONTEST_OURS_WORKERS_MAX = 2 };

struct contest_ours_request {
	double sigma;
	unsigned int workers; /* up to CONTEST_OURS_WORKERS_MAX */
	bool wants_result;
};

struct contest_ours_answer {
	int64_t ns; /* from the first fork to the last wait, or -1 */
	double cpu_ms;
	/* Each worker, from its first strip to its last one. */
	int64_t busy_ns[CONTEST_OURS_WORKERS_MAX];
};

#endif
