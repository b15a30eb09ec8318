#include "lib/measure/copy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stats.h"
#include "lib/tick.h"

enum { ROUNDS = 9, ROUND_BYTES = 256 << 20 };

static double measure(const void *from, void *to, size_t bytes)
{
	const size_t copies = (ROUND_BYTES + bytes - 1) / bytes;
	double rate[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		int64_t start = tick_now();

		for (size_t i = 0; i < copies; i++) {
			memcpy(to, from, bytes);
			/* Each of them, says this, and not the last alone. */
			__asm__ volatile("" : : "r"(to) : "memory");
		}
		rate[round] = (double)(copies * bytes) * 1e9 /
			      (double)(tick_now() - start);
	}
	return stats_median(rate, ROUNDS);
}

double copy_bytes_per_s(size_t bytes)
{
	unsigned char *from = malloc(bytes), *to = malloc(bytes);
	double rate = 0;

	if (from && to && bytes > 0) {
		/* Pages that are there. */
		memset(from, 1, bytes);
		memset(to, 2, bytes);
		rate = measure(from, to, bytes);
	}
	free(from);
	free(to);
	return rate;
}
