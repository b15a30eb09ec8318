/* cache_object.h - the shared memory object of a cache: how it is laid out, comes
 * into being under its name, is found by readers, and goes.
 *
 *	super    4096 bytes       whose it is, and how fresh
 *	tags     8 bytes a slot   which slot may hold a key
 *	slots    1024 bytes each  cache_slot.h
 *
 * A tag is the hash of the slot's key, or 0, and is a hint: the key in the slot
 * decides. A key has eight slots to be in, those of its bucket, and their tags
 * are a cache line: so a reader looks at two places.
 *
 * The server holds a write lock (fcntl(2), F_OFD_SETLK) on the object while it
 * lives, and who removes the name of an object holds the lock on it: so of
 * several who would replace what a dead server left, one does. What is not
 * whole yet has no magic number, and a mode that only its user can open.
 */
#ifndef UNIXIPC_P18_RPC_KV_CACHE_OBJECT_H
#define UNIXIPC_P18_RPC_KV_CACHE_OBJECT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cache_slot.h"

#define CACHE_MAGIC UINT64_C(0x3165686361632076) /* "v cache1" */

enum {
	CACHE_VERSION = 1,
	CACHE_WAYS = 8, /* slots of a bucket */
	CACHE_SUPER_BYTES = 4096,
	CACHE_SLOTS_MAX = 1 << 20,
};

enum cache_state {
	CACHE_SERVING = 1,
	CACHE_REPLACED = 2, /* by another table under the same name */
	CACHE_ENDED = 3,
};

struct cache_super {
	/* Written once, before the magic number. */
	uint64_t magic;
	uint32_t version;
	uint32_t slot_bytes;
	uint64_t slots; /* a power of two, at least CACHE_WAYS */
	uint64_t time_namespace, net_namespace; /* inodes */
	struct cache_identity identity;

	/* Words that the server changes, on a cache line of their own. */
	__attribute__((aligned(64))) uint64_t state;
	uint64_t applied;
	int64_t known_at_ns;
	int64_t noted_at_ns; /* by the last cache_note() */
};
static_assert(sizeof(struct cache_super) == 192, "the shared layout");

/* Where things are in a mapping. */
struct cache_map {
	struct cache_super *super;
	uint64_t *tags;
	struct cache_slot *slots;
	size_t n_slots, bytes;
};

/* The hash of a key, never 0; and the first slot of its bucket. */
uint64_t cache_object_tag(const void *key, size_t key_len);
size_t cache_object_bucket(uint64_t tag, size_t slots);

/* Make an object under a name where there is none, or one whose server is dead,
 * lock it, and map it to write. Readers see nothing in it before
 * cache_object_publish(). Returns its descriptor, which holds the lock, or -EBUSY
 * (a living server has it), -EACCES (another user's or program's, or no object),
 * -ENOSPC … */
int cache_object_make(const char *name, size_t slots, struct cache_map *map);

/* Fill in what is written once, and let readers in. */
int cache_object_publish(int fd, mode_t mode, struct cache_map *map,
			 const struct cache_identity *identity);

/* Whether the name is still of this object. */
bool cache_object_is_named(const char *name, int fd);

/* Take the name away, if it is still of this object, of which we hold the
 * lock. */
void cache_object_unname(const char *name, int fd);

/* Find an object, look whether all about it is right, and map it to read.
 * Returns a descriptor, or as cache_open() does; -EAGAIN: it is not whole
 * yet. */
int cache_object_find(const char *name, uid_t owner, struct cache_map *map,
		      struct cache_identity *identity);

/* Whether somebody holds the lock: 1, 0 or -errno. */
int cache_object_has_server(int fd);

/* Does nothing to a map of zeros. */
void cache_object_unmap(struct cache_map *map);

#endif
