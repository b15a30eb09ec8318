/* cache.c - the server's side: which keys are published, and where.
 *
 * What the server has to remember of its slots it keeps in its own memory, and
 * reads nothing of the shared one: who scribbles there misleads readers, who
 * believe little, but never the server. */
#include "p18-rpc-kv/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache_turnstile.h"
#include "p18-rpc-kv/cache_object.h"

enum { SLOTS = 1024, SLOTS_MAX = 16384 };

/* What the server remembers of a slot. */
struct entry {
	uint64_t tag; /* 0: nothing */
	uint64_t revision;
	uint64_t sequence;
	uint64_t used; /* the count of uses when it was used last */
};

struct cache {
	char name[CACHE_NAME_MAX];
	struct cache_identity identity;
	size_t slots_max;
	mode_t mode;
	sem_t *turnstile; /* NULL: none */
	int fd;           /* holds the lock */
	struct cache_map map;
	struct entry *entries; /* of each slot */
	size_t lost;           /* keys that left this table for others */
	uint64_t uses;         /* puts so far: a clock */
	int64_t looked_at_ns;  /* whether the name is ours */
	struct cache_stat stat;
	void (*made)(void *arg); /* NULL: nobody wants to know */
	void *arg;
};

int64_t cache_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return tick_from_timespec(now);
}

void cache_name(char name[CACHE_NAME_MAX], uid_t owner, uint16_t port)
{
	snprintf(name, CACHE_NAME_MAX, "/ipc.kv_server.%u.%u",
		 (unsigned int)owner, (unsigned int)port);
}

/* ---- keys ---- */

/* The slot of a key, or map.n_slots. Another key of the same hash counts as this
 * one, and is driven out by it. */
static size_t find(const struct cache *cache, uint64_t tag)
{
	size_t first = cache_object_bucket(tag, cache->map.n_slots);

	for (size_t i = first; i < first + CACHE_WAYS; i++)
		if (cache->entries[i].tag == tag)
			return i;
	return cache->map.n_slots;
}

/* The slot of its bucket that is free, or was used the longest time ago. */
static size_t choose(struct cache *cache, uint64_t tag)
{
	size_t first = cache_object_bucket(tag, cache->map.n_slots);
	size_t oldest = first;

	for (size_t i = first; i < first + CACHE_WAYS; i++) {
		if (!cache->entries[i].tag)
			return i;
		if (cache->entries[i].used < cache->entries[oldest].used)
			oldest = i;
	}
	cache->lost++;
	cache->stat.evictions++;
	return oldest;
}

static void set_tag(struct cache *cache, size_t slot, uint64_t tag)
{
	if (!tag != !cache->entries[slot].tag)
		cache->stat.used += tag ? 1 : (size_t)-1;
	cache->entries[slot].tag = tag;
	/* A hint: no order is needed. */
	__atomic_store_n(&cache->map.tags[slot], tag, __ATOMIC_RELAXED);
}

static void empty(struct cache *cache, size_t slot)
{
	struct entry *entry = &cache->entries[slot];

	cache_slot_write(&cache->map.slots[slot], &entry->sequence, NULL, 0,
			 NULL, 0, 0);
	set_tag(cache, slot, 0);
}

void cache_put(struct cache *cache, const void *key, size_t key_len,
	       const void *value, size_t value_len, uint64_t revision)
{
	uint64_t tag = cache_object_tag(key, key_len);
	size_t slot = find(cache, tag);
	bool is_here = slot < cache->map.n_slots;
	struct entry *entry;

	if (!cache_slot_has_room(key_len, value_len)) {
		cache_del(cache, key, key_len);
		return;
	}
	if (!is_here)
		slot = choose(cache, tag);
	entry = &cache->entries[slot];
	entry->used = ++cache->uses;
	if (is_here && entry->revision == revision)
		return;
	entry->revision = revision;
	cache_slot_write(&cache->map.slots[slot], &entry->sequence, key,
			 key_len, value, value_len, revision);
	set_tag(cache, slot, tag);
	cache->stat.puts++;
}

void cache_del(struct cache *cache, const void *key, size_t key_len)
{
	size_t slot = find(cache, cache_object_tag(key, key_len));

	if (slot < cache->map.n_slots)
		empty(cache, slot);
}

void cache_clear(struct cache *cache)
{
	for (size_t i = 0; i < cache->map.n_slots; i++)
		if (cache->entries[i].tag)
			empty(cache, i);
}

/* ---- tables ---- */

static void set_state(struct cache_map *map, enum cache_state state)
{
	/* Pairs with the acquire in the reader's is_serving(): who reads a
	 * later table has found this one's end. */
	__atomic_store_n(&map->super->state, state, __ATOMIC_RELEASE);
}

static void let_go(struct cache *cache)
{
	cache_object_unmap(&cache->map);
	fdio_close(&cache->fd);
	free(cache->entries);
	cache->entries = NULL;
}

/* Make a table and put it in the place of the one that there is, if any: keys
 * come into it when they are used next. The old one serves until then, and for
 * good if there is no other to be had. The turnstile is locked meanwhile. */
static int make_table(struct cache *cache, size_t slots)
{
	struct entry *entries = calloc(slots, sizeof(*entries));
	struct cache_map map = {0};
	int fd, error;

	if (!entries)
		return -ENOMEM;
	if (cache->map.super)
		cache_object_unname(cache->name, cache->fd);
	fd = cache_object_make(cache->name, slots, &map);
	error = fd < 0 ? fd
		       : cache_object_publish(fd, cache->mode, &map,
					      &cache->identity);
	if (error) {
		if (fd >= 0)
			cache_object_unname(cache->name, fd);
		cache_object_unmap(&map);
		fdio_close(&fd);
		free(entries);
		return error;
	}
	if (cache->map.super)
		set_state(&cache->map, CACHE_REPLACED);
	let_go(cache);
	cache->fd = fd;
	cache->map = map;
	cache->entries = entries;
	cache->lost = 0;
	cache->stat.used = 0;
	cache->stat.slots = slots;
	cache->stat.tables++;
	return 0;
}

static void tell_made(const struct cache *cache)
{
	if (cache->made)
		cache->made(cache->arg);
}

static int replace_table(struct cache *cache, size_t slots)
{
	int error;

	cache_turnstile_lock(cache->turnstile);
	error = make_table(cache, slots);
	cache_turnstile_unlock(cache->turnstile);
	if (!error)
		tell_made(cache);
	return error;
}

/* Once a second: whether the name is ours, the turnstile unlocked, and the
 * table large enough. It is not, when as many keys had to leave as there is
 * room for. */
static int look_after(struct cache *cache)
{
	size_t slots = cache->map.n_slots;

	cache_turnstile_unlock(cache->turnstile);
	if (!cache_object_is_named(cache->name, cache->fd))
		return replace_table(cache, slots);
	if (cache->lost > slots && slots < cache->slots_max)
		return replace_table(cache, 2 * slots);
	return 0;
}

int cache_note(struct cache *cache, uint64_t applied, int64_t known_at_ns)
{
	int64_t now = cache_now();
	struct cache_super *super;
	int error = 0;

	if (now - cache->looked_at_ns >= TICK_S) {
		cache->looked_at_ns = now;
		error = look_after(cache);
	}
	super = cache->map.super;
	/* Each pairs with an acquire in cache_get(), which sees all puts that
	 * came before what it has read here. */
	__atomic_store_n(&super->applied, applied, __ATOMIC_RELEASE);
	__atomic_store_n(&super->known_at_ns, known_at_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&super->noted_at_ns, now, __ATOMIC_RELEASE);
	return error;
}

void cache_stat(const struct cache *cache, struct cache_stat *stat)
{
	*stat = cache->stat;
}

/* ---- life ---- */

static size_t power_of_two(size_t wanted)
{
	size_t slots = CACHE_WAYS;

	while (slots < wanted)
		slots *= 2;
	return slots;
}

static int take_options(struct cache *cache,
			const struct cache_options *options, size_t *slots)
{
	size_t first = options->slots ? options->slots : SLOTS;
	size_t most = options->slots_max ? options->slots_max : SLOTS_MAX;

	cache->mode = options->mode ? options->mode : 0640;
	if (options->port == 0 || first > CACHE_SLOTS_MAX ||
	    most > CACHE_SLOTS_MAX ||
	    (cache->mode != 0600 && cache->mode != 0640 && cache->mode != 0644))
		return -EINVAL;
	*slots = power_of_two(first);
	cache->slots_max = power_of_two(most);
	cache->identity.server = options->server;
	memcpy(cache->identity.cluster, options->cluster, CACHE_CLUSTER);
	cache_name(cache->name, geteuid(), options->port);
	cache->made = options->made;
	cache->arg = options->arg;
	if (getrandom(&cache->identity.epoch, sizeof(cache->identity.epoch),
		      0) != (ssize_t)sizeof(cache->identity.epoch))
		return -EIO;
	return 0;
}

int cache_create(struct cache **cache, const struct cache_options *options)
{
	struct cache *new = calloc(1, sizeof(*new));
	size_t slots;
	int error;

	if (!new)
		return -ENOMEM;
	new->fd = -1;
	error = take_options(new, options, &slots);
	if (!error)
		error = make_table(new, slots);
	if (error) {
		free(new);
		return error;
	}
	new->looked_at_ns = cache_now();
	/* After the object, whose lock says that the turnstile is ours, too. */
	new->turnstile = cache_turnstile_make(new->name);
	cache_turnstile_unlock(new->turnstile);
	tell_made(new);
	*cache = new;
	return 0;
}

void cache_remove(struct cache *cache)
{
	if (!cache)
		return;
	set_state(&cache->map, CACHE_ENDED);
	/* The turnstile goes while the name is still ours, and so it is no
	 * successor's; who comes through it now finds the end. */
	if (cache_object_is_named(cache->name, cache->fd))
		cache_turnstile_remove(cache->turnstile, cache->name);
	cache_object_unname(cache->name, cache->fd);
	let_go(cache);
	free(cache);
}
