/* rpc_drc.c - entries, all made at the start; each is in one chain of the
 * hash table or free, and those that may be forgotten stand in an LRU list,
 * the one that was used longest ago last. */
#include "lib/rpc/rpc_drc.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_share.h"

struct entry {
	struct entry *chain;         /* next of the same bucket, or free */
	struct entry *newer, *older; /* in the LRU list */
	bool is_in_progress;         /* and then not in that list */
	uint8_t key[RPC_DRC_KEY];
	size_t key_bytes;
	uint64_t owner; /* 0: nobody */
	uint8_t *reply;
	size_t reply_bytes;
};

struct rpc_drc {
	pthread_mutex_t lock;
	struct entry *entries, *unused;
	struct entry **buckets;
	size_t n_buckets; /* a power of two */
	struct entry *newest, *oldest;
	size_t used, bytes, max_entries, max_bytes;
	struct rpc_share entries_of, bytes_of; /* owners */
};

/* ---- the table ---- */

static struct entry **bucket_of(const struct rpc_drc *cache, const void *key,
				size_t key_bytes)
{
	const uint8_t *at = key;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key_bytes; i++)
		h = (h ^ at[i]) * 0x100000001b3u;
	return &cache->buckets[(h ^ h >> 32) & (cache->n_buckets - 1)];
}

static struct entry *find(const struct rpc_drc *cache, const void *key,
			  size_t key_bytes)
{
	struct entry *entry = *bucket_of(cache, key, key_bytes);

	while (entry && (entry->key_bytes != key_bytes ||
			 memcmp(entry->key, key, key_bytes) != 0))
		entry = entry->chain;
	return entry;
}

static void leave_lru(struct rpc_drc *cache, struct entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
	entry->newer = entry->older = NULL;
}

static void enter_lru(struct rpc_drc *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (cache->newest)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

/* Of an entry that is not in the LRU list (any more). */
static void forget(struct rpc_drc *cache, struct entry *entry)
{
	struct entry **at = bucket_of(cache, entry->key, entry->key_bytes);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	cache->bytes -= entry->reply_bytes;
	if (entry->owner) {
		rpc_share_add(&cache->entries_of, entry->owner, -1);
		rpc_share_add(&cache->bytes_of, entry->owner,
			      -(int64_t)entry->reply_bytes);
	}
	free(entry->reply);
	entry->reply = NULL;
	entry->reply_bytes = 0;
	entry->is_in_progress = false;
	entry->chain = cache->unused;
	cache->unused = entry;
	cache->used--;
}

static bool forget_oldest(struct rpc_drc *cache)
{
	struct entry *entry = cache->oldest;

	if (!entry)
		return false;
	leave_lru(cache, entry);
	forget(cache, entry);
	return true;
}

/* The oldest of this owner; false where all of its are in progress. */
static bool forget_own(struct rpc_drc *cache, uint64_t owner)
{
	struct entry *entry = cache->oldest;

	while (entry && entry->owner != owner)
		entry = entry->newer;
	if (!entry)
		return false;
	leave_lru(cache, entry);
	forget(cache, entry);
	return true;
}

/* ---- the interface ---- */

int rpc_drc_open(struct rpc_drc **out, size_t max_entries, size_t max_bytes)
{
	struct rpc_drc *cache;

	*out = NULL;
	if (max_entries == 0 || max_entries > SIZE_MAX / 4 || max_bytes == 0 ||
	    max_bytes > UINT32_MAX)
		return -EINVAL;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	pthread_mutex_init(&cache->lock, NULL);
	cache->max_entries = max_entries;
	cache->max_bytes = max_bytes;
	rpc_share_init(&cache->entries_of);
	rpc_share_init(&cache->bytes_of);
	cache->n_buckets = 1;
	while (cache->n_buckets < max_entries)
		cache->n_buckets *= 2;
	cache->buckets = calloc(cache->n_buckets, sizeof(struct entry *));
	cache->entries = calloc(max_entries, sizeof(struct entry));
	if (!cache->buckets || !cache->entries) {
		rpc_drc_close(cache);
		return -ENOMEM;
	}
	for (size_t i = max_entries; i-- > 0;) {
		cache->entries[i].chain = cache->unused;
		cache->unused = &cache->entries[i];
	}
	*out = cache;
	return 0;
}

void rpc_drc_close(struct rpc_drc *cache)
{
	if (!cache)
		return;
	while (forget_oldest(cache))
		;
	free(cache->buckets);
	free(cache->entries);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

/* Keep the owner to its share of entries. */
static void limit_entries(struct rpc_drc *cache, uint64_t owner)
{
	size_t free = cache->max_entries - cache->used;

	if (owner && rpc_share_get(&cache->entries_of, owner) >= free)
		forget_own(cache, owner);
}

static int begin_new(struct rpc_drc *cache, uint64_t owner, const void *key,
		     size_t key_bytes)
{
	struct entry **bucket, *entry;

	limit_entries(cache, owner);
	if (!cache->unused && !forget_oldest(cache))
		return -ENOBUFS;
	entry = cache->unused;
	cache->unused = entry->chain;
	memcpy(entry->key, key, key_bytes);
	entry->key_bytes = key_bytes;
	entry->is_in_progress = true;
	entry->owner = owner;
	if (owner)
		rpc_share_add(&cache->entries_of, owner, 1);
	bucket = bucket_of(cache, key, key_bytes);
	entry->chain = *bucket;
	*bucket = entry;
	cache->used++;
	return RPC_DRC_NEW;
}

int rpc_drc_begin(struct rpc_drc *cache, uint64_t owner, const void *key,
		  size_t key_bytes, void *buf, size_t size, size_t *bytes)
{
	struct entry *entry;
	int rc;

	if (key_bytes == 0 || key_bytes > RPC_DRC_KEY)
		return -EINVAL;
	pthread_mutex_lock(&cache->lock);
	entry = find(cache, key, key_bytes);
	if (!entry) {
		rc = begin_new(cache, owner, key, key_bytes);
	} else if (entry->is_in_progress) {
		rc = RPC_DRC_IN_PROGRESS;
	} else if (entry->reply_bytes > size) {
		rc = -EMSGSIZE;
	} else {
		if (entry->reply_bytes)
			memcpy(buf, entry->reply, entry->reply_bytes);
		*bytes = entry->reply_bytes;
		leave_lru(cache, entry);
		enter_lru(cache, entry);
		rc = RPC_DRC_KNOWN;
	}
	pthread_mutex_unlock(&cache->lock);
	return rc;
}

/* The same of bytes, for so many more. */
static void limit_bytes(struct rpc_drc *cache, uint64_t owner, size_t bytes)
{
	while (owner && rpc_share_get(&cache->bytes_of, owner) + bytes >
				cache->max_bytes - cache->bytes)
		if (!forget_own(cache, owner))
			return;
}

/* Under the lock; takes over copy unless it fails. */
static int keep(struct rpc_drc *cache, struct entry *entry, uint8_t *copy,
		size_t bytes)
{
	if (bytes > cache->max_bytes)
		return -EMSGSIZE;
	limit_bytes(cache, entry->owner, bytes);
	while (cache->bytes + bytes > cache->max_bytes)
		if (!forget_oldest(cache))
			return -EMSGSIZE;
	entry->reply = copy;
	entry->reply_bytes = bytes;
	entry->is_in_progress = false;
	cache->bytes += bytes;
	if (entry->owner)
		rpc_share_add(&cache->bytes_of, entry->owner, (int64_t)bytes);
	enter_lru(cache, entry);
	return 0;
}

int rpc_drc_finish(struct rpc_drc *cache, const void *key, size_t key_bytes,
		   const void *reply, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	struct entry *entry;
	int rc = -ENOMEM;

	if (copy && bytes)
		memcpy(copy, reply, bytes);
	pthread_mutex_lock(&cache->lock);
	entry = find(cache, key, key_bytes);
	if (!entry || !entry->is_in_progress)
		rc = -EINVAL;
	else if (copy)
		rc = keep(cache, entry, copy, bytes);
	if (rc && entry && entry->is_in_progress)
		forget(cache, entry);
	pthread_mutex_unlock(&cache->lock);
	if (rc)
		free(copy);
	return rc;
}

void rpc_drc_abandon(struct rpc_drc *cache, const void *key, size_t key_bytes)
{
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = find(cache, key, key_bytes);
	if (entry && entry->is_in_progress)
		forget(cache, entry);
	pthread_mutex_unlock(&cache->lock);
}

size_t rpc_drc_count(struct rpc_drc *cache, size_t *bytes)
{
	size_t used;

	pthread_mutex_lock(&cache->lock);
	used = cache->used;
	*bytes = cache->bytes;
	pthread_mutex_unlock(&cache->lock);
	return used;
}
