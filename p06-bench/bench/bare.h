/* bare.h - loops of system calls and nothing else, to see what measuring adds.
 *
 * For bench.c. Two processes on the CPUs given, one buffer each, never filled
 * in nor looked at; every error ends the process.
 */
#ifndef UNIXIPC_P06_BENCH_BENCH_BARE_H
#define UNIXIPC_P06_BENCH_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

struct bare {
	const char *name; /* that of the mechanism it is compared with */
	/* Make both directions; move one message from A to B (0) or back. */
	void (*open)(size_t bytes);
	void (*send)(int direction, const void *buf, size_t bytes);
	void (*receive)(int direction, void *buf, size_t bytes);
	void (*close)(void);
};

/* pipe, unix-stream, unix-seqpacket, posix-mq, sysv-mq; ends in name NULL. */
extern const struct bare bare_loops[];

/* n messages one way; nanoseconds from the first send until the receiver has
 * had the last. cpus NULL: not pinned. */
double bare_stream(const struct bare *bare, size_t bytes, uint64_t n,
		   const int *cpus);

/* The same, but as the best-known small benchmarks have it: no warm-up, and
 * the clock stops when the sender is done. */
double bare_stream_of_tools(const struct bare *bare, size_t bytes, uint64_t n,
			    const int *cpus);

/* The median of n round trips in ns, one clock reading each. */
double bare_round_trip(const struct bare *bare, size_t bytes, uint64_t n,
		       const int *cpus);

#endif
