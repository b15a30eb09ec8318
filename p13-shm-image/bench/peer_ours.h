/* peer_ours.h - what the bench and its peer_ours say to each other.
 *
 *	peer_ours SIZE   standard input is a socket
 *
 * It gets the pixels, SIZE x SIZE of RGB, then requests, and answers each.
 * With wants_result the pixels of the result follow the answer. It ends when
 * the socket is closed. */
#ifndef UNIXIPC_P13_SHM_IMAGE_BENCH_PEER_OURS_H
#define UNIXIPC_P13_SHM_IMAGE_BENCH_PEER_OURS_H

#include <stdbool.h>
#include <stdint.h>

enum { PEER_OURS_WORKERS_MAX = 2 };

struct peer_ours_request {
	double sigma;
	unsigned int workers; /* up to PEER_OURS_WORKERS_MAX */
	bool wants_result;
};

struct peer_ours_answer {
	int64_t ns; /* from the first fork to the last wait, or -1 */
	double cpu_ms;
	/* Each worker, from its first strip to its last one. */
	int64_t busy_ns[PEER_OURS_WORKERS_MAX];
};

#endif
