/* layout.h - the bytes of the file. Nothing in them is trusted.
 *
 *	page 0       the header
 *	4 pages      the wait-for table (waitfor.h): worthless when nobody runs
 *	groups       each: 16 words, how far its keys were spilled, whether
 *	             all is on the disk, 16 slots of two halves
 *
 * A slot's word says all that a search needs, and is changed by one store: its
 * generation, whose low bit names the half that is live, the tag of its key (0:
 * the slot is free), and a check byte that tells of any one bit that flipped.
 * A half repeats the word that it was written for; so what is live is known to
 * be what was published. A key lies in its home group, or, when that was full,
 * in one of the next LAYOUT_REACH; there are that many behind the last home. */
#ifndef UNIXIPC_P09_RECLOCK_LAYOUT_H
#define UNIXIPC_P09_RECLOCK_LAYOUT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LAYOUT_PAGE = 4096,
	LAYOUT_TABLE_BYTES = 4 * LAYOUT_PAGE,
	LAYOUT_SLOTS = 16,
	LAYOUT_REACH = 7,
	LAYOUT_GROUPS_MIN = 8,
	LAYOUT_GROUPS_MAX = 1 << 28,
	LAYOUT_VERSION = 1,
	LAYOUT_BYTE_ORDER = 0x01020304,
};
#define LAYOUT_MAGIC "reclock\n"

/* How slots are read and written, whatever lies in them. */
typedef uint64_t __attribute__((may_alias)) layout_eight;

/* BESIDE: a new file until it is in its place, so that it is not mistaken for a
 * copy that somebody keeps. */
enum layout_state { LAYOUT_NORMAL, LAYOUT_REPLACING, LAYOUT_BESIDE };

struct layout_header {
	char magic[8];
	uint32_t version, byte_order;
	uint32_t record_bytes, groups;
	uint64_t id; /* of the store: random, the same after a rebuild */
	uint32_t zero;
	uint32_t crc;   /* of all above */
	uint32_t state; /* changed with all groups locked; read by anybody */
	uint32_t unused;
};
static_assert(sizeof(struct layout_header) == 48, "one for all builds");

struct layout_half {
	uint32_t crc; /* of all that follows, to the end of the value */
	uint16_t key_len, value_len;
	uint64_t word;
	unsigned char bytes[]; /* the key, the value */
};
static_assert(sizeof(struct layout_half) == 16, "one for all builds");

struct layout_group {
	uint64_t word[LAYOUT_SLOTS];
	uint64_t reach; /* a word: its generation is how many groups on */
	/* Not 0: a word may not be on the disk yet. Used with the group locked,
	 * and worthless after a power cut, when all there is is on the disk. */
	uint64_t unsynced;
	layout_eight halves[];
};
static_assert(sizeof(struct layout_group) == 144, "one for all builds");

/* What follows from the header. */
struct layout {
	uint32_t record_bytes, groups; /* groups: homes */
	uint64_t id;
	size_t half_bytes, group_bytes, file_bytes;
};

/* ---- words ---- */

static inline uint64_t layout_fold(uint64_t word)
{
	word ^= word >> 32;
	word ^= word >> 16;
	return (word ^ word >> 8) & 0xff;
}

/* The generation counts modulo 2^40. */
static inline uint64_t layout_word(uint64_t generation, uint16_t tag)
{
	uint64_t word = generation << 24 | (uint64_t)tag << 8;

	return word | (layout_fold(word) ^ 0x5a);
}

/* Zeroes are not sound: what a disk lost is not an empty group. */
static inline bool layout_is_sound(uint64_t word)
{
	return layout_fold(word) == 0x5a;
}

static inline uint64_t layout_generation(uint64_t word)
{
	return word >> 24;
}

static inline uint16_t layout_tag(uint64_t word)
{
	return (uint16_t)(word >> 8);
}

/* ---- where a key belongs ---- */

/* Seeded with the store's id, so that nobody can choose keys that all have one
 * home. */
uint64_t layout_hash(uint64_t id, const void *key, size_t len);

/* Grows with the hash, so that what is sorted by hash is sorted by group. */
static inline uint32_t layout_home(uint32_t groups, uint64_t hash)
{
	return (uint32_t)((hash >> 32) * groups >> 32);
}

static inline uint16_t layout_tag_of(uint64_t hash)
{
	return (uint16_t)hash ? (uint16_t)hash : 1;
}

/* ---- where things lie ---- */

static inline struct layout_group *layout_group(const struct layout *layout,
						void *map, uint32_t group)
{
	return (struct layout_group *)((char *)map + LAYOUT_PAGE +
				       LAYOUT_TABLE_BYTES +
				       group * layout->group_bytes);
}

/* The half of a slot that a word names: eights of bytes. */
static inline layout_eight *layout_half(const struct layout *layout,
					struct layout_group *group,
					unsigned int slot, uint64_t word)
{
	return &group->halves[(slot * 2 + (layout_generation(word) & 1)) *
			      layout->half_bytes / 8];
}

/* ---- headers ---- */

/* Returns 0 or -EINVAL: out of range. */
int layout_plan(struct layout *layout, uint32_t record_bytes, uint64_t groups,
		uint64_t id);

/* How many groups so many records should have: two thirds of the slots are
 * used then, and a window of 1 + LAYOUT_REACH groups is seldom full. */
static inline uint64_t layout_groups_for(uint64_t records)
{
	const uint64_t groups = records * 3 / (2 * LAYOUT_SLOTS) + 1;

	return groups < LAYOUT_GROUPS_MIN ? LAYOUT_GROUPS_MIN : groups;
}

void layout_make_header(const struct layout *layout,
			struct layout_header *header);

/* Whether this is the header of a file of that size: 0 and *layout, or -EBADMSG
 * or -EPROTONOSUPPORT with *why as words. */
int layout_check_header(const struct layout_header *header, uint64_t file_bytes,
			struct layout *layout, const char **why);

#endif
