/* cache_slot.h - a key, its value and its revision where one writes while many
 * read: a seqlock.
 *
 * The writer makes the sequence odd, changes what is behind it, and makes it
 * even again. A reader copies between two looks at the sequence: where both are
 * the same even number, nothing was changed meanwhile. So the writer never waits,
 * and a reader writes nothing: it can do with memory that it may only read, and
 * nobody has to tidy up after one that dies. A writer that dies in between leaves
 * the sequence odd for ever; so who reads tries a limited number of times.
 *
 * All words are touched by __atomic builtins, as a reader copies what may be
 * changing under its hands (H.-J. Boehm, Can Seqlocks Get Along With Programming
 * Language Memory Models?, MSPC 2012).
 */
#ifndef UNIXIPC_P18_RPC_KV_CACHE_SLOT_H
#define UNIXIPC_P18_RPC_KV_CACHE_SLOT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p18-rpc-kv/cache.h"

enum { CACHE_SLOT_TRIES = 64 };

struct cache_slot {
	uint64_t sequence;
	uint64_t revision;
	uint64_t lengths; /* of the key, and 32 bits on of the value; the key of
			   * an empty slot has no bytes */
	uint64_t words[CACHE_ROOM / 8]; /* the key, then the value, each from
					 * the beginning of a word */
};
static_assert(sizeof(struct cache_slot) == 1024, "the shared layout");

/* Whether they fit. */
bool cache_slot_has_room(size_t key_len, size_t value_len);

/* Put them there; a key of no bytes empties the slot. The sequence is the
 * writer's own, as what lies in the memory others may have changed: 0 for a slot
 * of zeros, and counted on here. One thread of one process writes. */
void cache_slot_write(struct cache_slot *slot, uint64_t *sequence,
		      const void *key, size_t key_len, const void *value,
		      size_t value_len, uint64_t revision);

/* Copy value and revision, if the slot holds this key. 0, -ENOENT (another key),
 * -EAGAIN (after CACHE_SLOT_TRIES), -EBADMSG (lengths that no writer writes). */
int cache_slot_read(const struct cache_slot *slot, const void *key,
		    size_t key_len, struct cache_value *value);

#endif
