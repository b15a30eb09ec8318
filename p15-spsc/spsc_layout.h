/* spsc_layout.h - the queue in shared memory, and what both sides need. Include
 * spsc.h. */
#ifndef UNIXIPC_P15_SPSC_SPSC_LAYOUT_H
#define UNIXIPC_P15_SPSC_SPSC_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Two lines, as processors fetch a line's neighbour along with it. */
#define SPSC_LINE 128
#define SPSC_ALIGNED __attribute__((aligned(SPSC_LINE)))
#define SPSC_CAPACITY_MAX (UINT64_C(1) << 40)
#define SPSC_SLIP_MAX 64 /* pauses: some 1 us */
#define SPSC_FEW 4       /* items: not a stream */

enum spsc_role { SPSC_PRODUCER, SPSC_CONSUMER };

/* How it is known who has a role. */
enum spsc_roles {
	SPSC_BY_WORD = 1, /* by owner[] */
	SPSC_BY_LOCK = 2, /* by a lock of the file, which the kernel drops */
};

/* What a role's word of flags may hold. */
enum { SPSC_SLEEPS = 1, SPSC_CLOSED = 2 };

/* The layout; the slots follow. Only offsets and fixed widths; each word that both
 * sides see is read and written by __atomic builtins alone, which C and C++ have
 * in common. */
struct spsc {
	uint32_t magic, version;
	uint64_t item_bytes, capacity;
	uint32_t roles; /* enum spsc_roles */
	uint32_t reserved;
	uint64_t check;
	uint8_t place[48];     /* of the maker: struct identity_place */
	uint64_t owner[2];     /* which process has the role; 0: none */
	uint32_t is_remote[2]; /* membarrier(2) reaches it */
	uint32_t cpu[2];       /* where it last waited or woke, plus 1 */

	/* Each index on a line of its own, written by one side alone. Counts of
	 * items since the beginning, modulo 2^64: slots by their low bits. */
	SPSC_ALIGNED uint64_t tail; /* published */
	SPSC_ALIGNED uint64_t head; /* released */

	/* Read with every item, written only by who is about to sleep, or who
	 * ends. */
	SPSC_ALIGNED uint32_t producer_flags;
	SPSC_ALIGNED uint32_t consumer_flags;
};
static_assert(sizeof(struct spsc) == 5 * SPSC_LINE, "the layout");
static_assert(__GCC_ATOMIC_LLONG_LOCK_FREE == 2 &&
		      __GCC_ATOMIC_INT_LOCK_FREE == 2,
	      "atomics that are locks do not work between processes");

/* Always: a handle in registers must have its address given to no function, and
 * some of these are longer than a compiler likes to inline by itself. */
#define SPSC_INLINE static inline __attribute__((always_inline))

#ifdef __cplusplus
}
#endif

#endif
