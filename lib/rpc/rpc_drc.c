/* rpc_drc.c - slots, all made at the start; each is in one chain of the
 * hash table or free, and those that may be forgotten stand in a queue, the
 * one that was used longest ago first. */
#include "lib/rpc/rpc_drc.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc/rpc_share.h"

struct slot {
	struct slot *chain;         /* next of the same bucket, or free */
	struct slot *newer, *older; /* in the queue */
	bool is_busy;               /* and then in no queue */
	uint8_t key[RPC_DRC_KEY];
	size_t key_bytes;
	uint64_t owner; /* 0: nobody */
	uint8_t *reply;
	size_t reply_bytes;
};

struct rpc_drc {
	pthread_mutex_t lock;
	struct slot *slots, *unused;
	struct slot **buckets;
	size_t n_buckets; /* a power of two */
	struct slot *newest, *oldest;
	size_t used, bytes, max_slots, max_bytes;
	struct rpc_share slots_of, bytes_of; /* owners */
};

/* ---- the table ---- */

static struct slot **bucket_of(const struct rpc_drc *replies, const void *key,
			       size_t key_bytes)
{
	const uint8_t *at = key;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key_bytes; i++)
		h = (h ^ at[i]) * 0x100000001b3u;
	return &replies->buckets[(h ^ h >> 32) & (replies->n_buckets - 1)];
}

static struct slot *find(const struct rpc_drc *replies, const void *key,
			 size_t key_bytes)
{
	struct slot *slot = *bucket_of(replies, key, key_bytes);

	while (slot && (slot->key_bytes != key_bytes ||
			memcmp(slot->key, key, key_bytes) != 0))
		slot = slot->chain;
	return slot;
}

static void leave_queue(struct rpc_drc *replies, struct slot *slot)
{
	if (slot->newer)
		slot->newer->older = slot->older;
	else
		replies->newest = slot->older;
	if (slot->older)
		slot->older->newer = slot->newer;
	else
		replies->oldest = slot->newer;
	slot->newer = slot->older = NULL;
}

static void enter_queue(struct rpc_drc *replies, struct slot *slot)
{
	slot->newer = NULL;
	slot->older = replies->newest;
	if (replies->newest)
		replies->newest->newer = slot;
	else
		replies->oldest = slot;
	replies->newest = slot;
}

/* Of a slot that is in no queue (any more). */
static void forget(struct rpc_drc *replies, struct slot *slot)
{
	struct slot **at = bucket_of(replies, slot->key, slot->key_bytes);

	while (*at != slot)
		at = &(*at)->chain;
	*at = slot->chain;
	replies->bytes -= slot->reply_bytes;
	if (slot->owner) {
		rpc_share_add(&replies->slots_of, slot->owner, -1);
		rpc_share_add(&replies->bytes_of, slot->owner,
			      -(int64_t)slot->reply_bytes);
	}
	free(slot->reply);
	slot->reply = NULL;
	slot->reply_bytes = 0;
	slot->is_busy = false;
	slot->chain = replies->unused;
	replies->unused = slot;
	replies->used--;
}

static bool forget_oldest(struct rpc_drc *replies)
{
	struct slot *slot = replies->oldest;

	if (!slot)
		return false;
	leave_queue(replies, slot);
	forget(replies, slot);
	return true;
}

/* The oldest of this owner; false where it has none but busy ones. */
static bool forget_own(struct rpc_drc *replies, uint64_t owner)
{
	struct slot *slot = replies->oldest;

	while (slot && slot->owner != owner)
		slot = slot->newer;
	if (!slot)
		return false;
	leave_queue(replies, slot);
	forget(replies, slot);
	return true;
}

/* ---- the interface ---- */

int rpc_drc_open(struct rpc_drc **out, size_t max_replies, size_t max_bytes)
{
	struct rpc_drc *replies;

	*out = NULL;
	if (max_replies == 0 || max_replies > SIZE_MAX / 4 || max_bytes == 0 ||
	    max_bytes > UINT32_MAX)
		return -EINVAL;
	replies = calloc(1, sizeof(*replies));
	if (!replies)
		return -ENOMEM;
	pthread_mutex_init(&replies->lock, NULL);
	replies->max_slots = max_replies;
	replies->max_bytes = max_bytes;
	rpc_share_init(&replies->slots_of);
	rpc_share_init(&replies->bytes_of);
	replies->n_buckets = 1;
	while (replies->n_buckets < max_replies)
		replies->n_buckets *= 2;
	replies->buckets = calloc(replies->n_buckets, sizeof(struct slot *));
	replies->slots = calloc(max_replies, sizeof(struct slot));
	if (!replies->buckets || !replies->slots) {
		rpc_drc_close(replies);
		return -ENOMEM;
	}
	for (size_t i = max_replies; i-- > 0;) {
		replies->slots[i].chain = replies->unused;
		replies->unused = &replies->slots[i];
	}
	*out = replies;
	return 0;
}

void rpc_drc_close(struct rpc_drc *replies)
{
	if (!replies)
		return;
	while (forget_oldest(replies))
		;
	free(replies->buckets);
	free(replies->slots);
	pthread_mutex_destroy(&replies->lock);
	free(replies);
}

/* Keep the owner to its share of slots. */
static void make_slot(struct rpc_drc *replies, uint64_t owner)
{
	size_t free = replies->max_slots - replies->used;

	if (owner && rpc_share_get(&replies->slots_of, owner) >= free)
		forget_own(replies, owner);
}

static int begin_new(struct rpc_drc *replies, uint64_t owner, const void *key,
		     size_t key_bytes)
{
	struct slot **bucket, *slot;

	make_slot(replies, owner);
	if (!replies->unused && !forget_oldest(replies))
		return -ENOBUFS;
	slot = replies->unused;
	replies->unused = slot->chain;
	memcpy(slot->key, key, key_bytes);
	slot->key_bytes = key_bytes;
	slot->is_busy = true;
	slot->owner = owner;
	if (owner)
		rpc_share_add(&replies->slots_of, owner, 1);
	bucket = bucket_of(replies, key, key_bytes);
	slot->chain = *bucket;
	*bucket = slot;
	replies->used++;
	return RPC_DRC_NEW;
}

int rpc_drc_begin(struct rpc_drc *replies, uint64_t owner, const void *key,
		  size_t key_bytes, void *buf, size_t size, size_t *bytes)
{
	struct slot *slot;
	int rc;

	if (key_bytes == 0 || key_bytes > RPC_DRC_KEY)
		return -EINVAL;
	pthread_mutex_lock(&replies->lock);
	slot = find(replies, key, key_bytes);
	if (!slot) {
		rc = begin_new(replies, owner, key, key_bytes);
	} else if (slot->is_busy) {
		rc = RPC_DRC_BUSY;
	} else if (slot->reply_bytes > size) {
		rc = -EMSGSIZE;
	} else {
		if (slot->reply_bytes)
			memcpy(buf, slot->reply, slot->reply_bytes);
		*bytes = slot->reply_bytes;
		leave_queue(replies, slot);
		enter_queue(replies, slot);
		rc = RPC_DRC_KNOWN;
	}
	pthread_mutex_unlock(&replies->lock);
	return rc;
}

/* The same of bytes, for so many more. */
static void make_bytes(struct rpc_drc *replies, uint64_t owner, size_t bytes)
{
	while (owner && rpc_share_get(&replies->bytes_of, owner) + bytes >
				replies->max_bytes - replies->bytes)
		if (!forget_own(replies, owner))
			return;
}

/* Under the lock; takes over copy unless it fails. */
static int keep(struct rpc_drc *replies, struct slot *slot, uint8_t *copy,
		size_t bytes)
{
	if (bytes > replies->max_bytes)
		return -EMSGSIZE;
	make_bytes(replies, slot->owner, bytes);
	while (replies->bytes + bytes > replies->max_bytes)
		if (!forget_oldest(replies))
			return -EMSGSIZE;
	slot->reply = copy;
	slot->reply_bytes = bytes;
	slot->is_busy = false;
	replies->bytes += bytes;
	if (slot->owner)
		rpc_share_add(&replies->bytes_of, slot->owner, (int64_t)bytes);
	enter_queue(replies, slot);
	return 0;
}

int rpc_drc_finish(struct rpc_drc *replies, const void *key, size_t key_bytes,
		   const void *reply, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	struct slot *slot;
	int rc = -ENOMEM;

	if (copy && bytes)
		memcpy(copy, reply, bytes);
	pthread_mutex_lock(&replies->lock);
	slot = find(replies, key, key_bytes);
	if (!slot || !slot->is_busy)
		rc = -EINVAL;
	else if (copy)
		rc = keep(replies, slot, copy, bytes);
	if (rc && slot && slot->is_busy)
		forget(replies, slot);
	pthread_mutex_unlock(&replies->lock);
	if (rc)
		free(copy);
	return rc;
}

void rpc_drc_abandon(struct rpc_drc *replies, const void *key, size_t key_bytes)
{
	struct slot *slot;

	pthread_mutex_lock(&replies->lock);
	slot = find(replies, key, key_bytes);
	if (slot && slot->is_busy)
		forget(replies, slot);
	pthread_mutex_unlock(&replies->lock);
}

size_t rpc_drc_count(struct rpc_drc *replies, size_t *bytes)
{
	size_t used;

	pthread_mutex_lock(&replies->lock);
	used = replies->used;
	*bytes = replies->bytes;
	pthread_mutex_unlock(&replies->lock);
	return used;
}
