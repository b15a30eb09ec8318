/* peer.h - the blur by itself: ours, in a process of its own, and those of
 * libraries, in this one, on a picture that is in memory. Part of the bench. */
#ifndef UNIXIPC_P13_SHM_IMAGE_BENCH_PEER_H
#define UNIXIPC_P13_SHM_IMAGE_BENCH_PEER_H

#include <stdint.h>

enum { PEER_WORKERS = 2 };

/* A library that blurs RGB with edges replicated, by PEER_WORKERS threads or
 * processes. The pixels given to open stay, and stay as they are. */
struct peer {
	const char *name;
	/* Returns 0, or -1 with the reason on standard error. */
	int (*open)(const uint8_t *pixels, uint32_t width, uint32_t height);
	/* Returns how many nanoseconds it took, or -1, and where it is asked
	 * for the result, valid until the next call. */
	int64_t (*blur)(double sigma, const uint8_t **result);
};

/* Weak: NULL where its package is not installed. */
extern const struct peer peer_vips __attribute__((weak));
extern const struct peer peer_opencv __attribute__((weak));

/* All of them, in turn, several rounds, and a table on standard output. */
void peer_run(const uint8_t *pixels, uint32_t size);

#endif
