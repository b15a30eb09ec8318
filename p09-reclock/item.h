/* item.h - find, read and write a record in its slot. */
#ifndef UNIXIPC_P09_RECLOCK_ITEM_H
#define UNIXIPC_P09_RECLOCK_ITEM_H

#include <stddef.h>
#include <stdint.h>

#include "p09-reclock/store.h"

struct item_key {
	const void *bytes;
	size_t len;
	uint64_t hash;
};

struct item_slot {
	uint32_t group;
	unsigned int slot;
	uint64_t word; /* as it was found */
};

struct item_key item_key(const struct reclock *store, const void *bytes,
			 size_t len);
struct reclock_label item_label(const struct item_key *key);

/* How many groups behind its home the key may lie in: 0 to LAYOUT_REACH, or
 * -EBADMSG. */
int item_reach(struct reclock *store, uint32_t home);

/* Copy what is live in a slot to store->copy. Returns 0, -EAGAIN (it was changed
 * meanwhile), or -EBADMSG (noted as trouble). */
int item_read(struct reclock *store, const struct item_slot *slot);

/* The same without a look at whether it changes, and whether what was copied is
 * whole, and what the word names. */
void item_copy(struct reclock *store, const struct item_slot *slot);
bool item_is_whole(const struct reclock *store, uint64_t word);

/* Have the memory fetched that a search for the key will look at. */
void item_prefetch(const struct reclock *store, const struct item_key *key);

/* Find the key, whose bytes are not in store->copy; its half is in store->copy then. Returns 0, -ENOENT, -EAGAIN or
 * -EBADMSG, which are never of a lasting damage unless the groups are locked. */
int item_find(struct reclock *store, const struct item_key *key,
	      struct item_slot *slot);

/* A free slot in the home of the key and the next width groups, locked all.
 * Returns 0 or -ENOSPC. */
int item_find_room(struct reclock *store, const struct item_key *key,
		   unsigned int width, struct item_slot *slot);

/* Write the key and value to the idle half of a slot, with its groups locked,
 * and publish that. Returns 0 or -errno: of the disk, with RECLOCK_SYNC. */
int item_write(struct reclock *store, const struct item_slot *slot,
	       const struct item_key *key, const void *value, size_t len);

/* Free the slot. */
int item_free(struct reclock *store, const struct item_slot *slot);

/* What item_read() has read. */
static inline const struct layout_half *item_half(const struct reclock *store)
{
	return (const struct layout_half *)store->copy;
}

static inline const unsigned char *item_value(const struct reclock *store)
{
	return item_half(store)->bytes + item_half(store)->key_len;
}

#endif
