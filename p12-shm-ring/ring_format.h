/* ring_format.h - the bytes that both sides share.
 *
 *	header   one page      what it is, indices, seats
 *	data     capacity      records; mapped twice in a row
 *
 * Positions count bytes since the ring was made and never go back; the place
 * of a position is the position modulo capacity, which is a power of two. In
 * 64 bits they do not come round. Records begin at multiples of 8.
 *
 * Every word has one writer, but for asleep, of which who wakes takes a bit
 * down. Words that different sides write are RING_LINE apart: two cache lines,
 * as processors fetch the neighbour of a line, too.
 */
#ifndef UNIXIPC_P12_SHM_RING_RING_FORMAT_H
#define UNIXIPC_P12_SHM_RING_RING_FORMAT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC UINT64_C(0x474e4952435049ff)  /* ff "IPCRING" */
#define RING_MAKING UINT64_C(0x474e494b414d49fe) /* fe "IMAKING" */
#define RING_VERSION UINT32_C(1)

#ifndef RING_LINE
#define RING_LINE 128
#endif

/* What a seat has seen. Who sits there is not for this word to say, but for
 * the kernel: see RING_BYTE in ring_handle.h. */
enum ring_seat_state { RING_VACANT, RING_TAKEN, RING_CLOSED };

/* Bits of asleep. */
enum {
	RING_ASLEEP = 1,     /* I wait on this futex: clear it and wake me */
	RING_NEEDS_FENCE = 2 /* I cannot make you order your accesses */
};

/* Written seldom by its own side, and by the other only to wake it. */
struct ring_seat {
	_Atomic uint32_t state;
	_Atomic uint32_t asleep;
	_Atomic uint32_t cpu; /* where it ran when it last had to wait */
};

struct ring_header {
	_Atomic uint64_t magic; /* RING_MAGIC comes last */
	uint32_t version;
	uint32_t header_bytes;
	uint64_t capacity;
	uint64_t check; /* of the three above */

	/* Of the sender: records before tail are whole. */
	alignas(RING_LINE) _Atomic uint64_t tail;
	_Atomic uint64_t dropped;

	/* Of the receiver. The sender may write up to head + capacity. read is
	 * exact, head lags behind; so read is on a line that a sender does not
	 * look at while there is room. */
	alignas(RING_LINE) _Atomic uint64_t head;
	alignas(RING_LINE) _Atomic uint64_t read;

	alignas(RING_LINE) struct ring_seat sender;
	alignas(RING_LINE) struct ring_seat receiver;
};
_Static_assert(sizeof(struct ring_header) <= 4096, "fits the smallest page");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "no lock inside");

/* In front of a message. The mark says for which place in the stream it was
 * written: one that was overwritten, or is left from the last time round,
 * has another. */
struct ring_record {
	uint32_t length;
	uint32_t mark;
};
_Static_assert(sizeof(struct ring_record) == 8, "the shared format");

static inline uint32_t ring_record_mark(uint64_t position, uint32_t length)
{
	return (uint32_t)(position >> 3) ^ length ^ UINT32_C(0x52494e47);
}

/* What a record of that length takes, padding included. */
static inline uint64_t ring_record_bytes(uint64_t length)
{
	return sizeof(struct ring_record) + ((length + 7) & ~UINT64_C(7));
}

#endif
