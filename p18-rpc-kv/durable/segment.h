/* segment.h - a file of the log, as bytes: see wal.h for what it is.
 *
 * Nothing here does I/O. The checksum of a record's head begins with a random
 * number of the segment's (its salt) and the record's place, so that nothing
 * that a client puts into a value, and nothing that a disk brings from elsewhere,
 * is taken for a record; and no length is used before it is known to be ours. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_SEGMENT_H
#define UNIXIPC_P18_RPC_KV_DURABLE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/durable/wal.h"

#define SEGMENT_PREFIX "wal-"
#define SEGMENT_NEXT "wal.next" /* one that is being prepared */

enum { SEGMENT_NAME_BYTES = 32, SEGMENT_VERSION = 1 };

/* The first WAL_HEAD_BYTES of a segment; the rest of them is zeros. */
struct segment_head {
	char magic[8];
	uint32_t version;
	uint32_t crc;    /* of the rest, this being 0 */
	uint64_t number; /* 1, 2, 3 … */
	uint64_t salt;
	uint64_t before_index, before_term; /* of the last entry before it */
	uint32_t bytes;                     /* of the file */
	uint32_t is_anew; /* what is in segments before it does not count */
};
_Static_assert(sizeof(struct segment_head) == 56, "the format of a segment");

/* Then the payload, and zeros up to a multiple of 8. */
struct segment_record {
	uint32_t head_crc; /* of salt, place, and the rest of this */
	uint32_t crc;      /* of the payload and its zeros */
	uint64_t index, term;
	uint32_t kind;
	uint32_t len; /* of the payload */
	/* All before this place was durable when the record was written. */
	uint32_t durable;
	uint32_t zero;
};
_Static_assert(sizeof(struct segment_record) == WAL_RECORD_BYTES,
	       "the format of a segment");

const char *segment_name(uint64_t number, char name[SEGMENT_NAME_BYTES]);

/* Fill in magic, version and checksum. */
void segment_seal(struct segment_head *head);

/* Why these WAL_HEAD_BYTES are not the head of that segment; NULL when they
 * are. */
const char *segment_head_fault(const uint8_t *bytes, uint64_t number);

/* Bytes of a record with its payload. */
static inline size_t segment_record_bytes(size_t len)
{
	return WAL_RECORD_BYTES + (len + 7) / 8 * 8;
}

/* Put a record to `to`, which is at place `at` of a segment with that salt.
 * Returns its bytes. */
size_t segment_put(uint8_t *to, uint64_t salt, uint32_t at, uint32_t durable,
		   const struct wal_entry *entry);

/* Whether there is a sound record at that place of a whole segment. */
bool segment_get(const uint8_t *segment, const struct segment_head *head,
		 uint32_t at, struct segment_record *record);

/* Where nothing but zeros follows, from `at` on; the end, when there is
 * something up to it. */
uint32_t segment_zeros(const uint8_t *segment, uint32_t bytes, uint32_t at);

#endif
