/* cache_reader.c - a client's side: reads that promise something, or say that
 * they cannot. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p18-rpc-kv/cache.h"
#include "p18-rpc-kv/cache_turnstile.h"
#include "p18-rpc-kv/cache_object.h"

struct cache_reader {
	int fd;
	struct cache_map map;
	struct cache_identity identity;
	int64_t asked_at_ns; /* the kernel, whether the server lives */
	int error;           /* what was found then; it does not get better */
};

/* ---- coming ---- */

/* An object may be half-made where there is no turnstile, or one that somebody
 * plays with: then it is asked for again after a pause. */
static int find_until(struct cache_reader *reader, const char *name,
		      uid_t owner, int64_t deadline)
{
	int64_t pause_ns = 100 * TICK_US;

	for (;;) {
		int error;

		reader->fd = cache_object_find(name, owner, &reader->map,
					       &reader->identity);
		if (reader->fd != -EAGAIN)
			return reader->fd < 0 ? reader->fd : 0;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		error = tick_sleep_until(tick_after(pause_ns));
		if (error)
			return error;
		if (pause_ns < 10 * TICK_MS)
			pause_ns *= 2;
	}
}

int cache_open(struct cache_reader **reader, uid_t owner, uint16_t port,
	       int64_t deadline)
{
	struct cache_reader *new = calloc(1, sizeof(*new));
	char name[CACHE_NAME_MAX];
	int error;

	if (!new)
		return -ENOMEM;
	cache_name(name, owner, port);
	error = cache_turnstile_pass(name, deadline);
	if (!error)
		error = find_until(new, name, owner, deadline);
	if (error) {
		free(new);
		return error;
	}
	new->asked_at_ns = cache_now();
	*reader = new;
	return 0;
}

void cache_identify(const struct cache_reader *reader,
		    struct cache_identity *identity)
{
	*identity = reader->identity;
}

void cache_close(struct cache_reader *reader)
{
	if (!reader)
		return;
	cache_object_unmap(&reader->map);
	fdio_close(&reader->fd);
	free(reader);
}

/* ---- reading ---- */

static int find(const struct cache_map *map, const void *key, size_t key_len,
		struct cache_value *value)
{
	uint64_t tag = cache_object_tag(key, key_len);
	size_t first = cache_object_bucket(tag, map->n_slots);

	for (size_t i = first; i < first + CACHE_WAYS; i++)
		if (__atomic_load_n(&map->tags[i], __ATOMIC_RELAXED) == tag)
			return cache_slot_read(&map->slots[i], key, key_len,
					       value);
	return -ENOENT;
}

/* What was copied before this, the table had: it was served until now. */
static int check_state(const struct cache_reader *reader)
{
	/* Pairs with the release in set_state(). */
	switch (__atomic_load_n(&reader->map.super->state, __ATOMIC_ACQUIRE)) {
	case CACHE_SERVING:
		return 0;
	case CACHE_REPLACED:
	case CACHE_ENDED:
		return -ESTALE;
	default:
		return -EBADMSG;
	}
}

static int check_server(struct cache_reader *reader, int64_t now)
{
	int has_server;

	if (reader->error || now - reader->asked_at_ns < CACHE_ASK_MS * TICK_MS)
		return reader->error;
	has_server = cache_object_has_server(reader->fd);
	if (has_server <= 0)
		reader->error = has_server < 0 ? has_server : -EOWNERDEAD;
	else
		reader->asked_at_ns = now;
	return reader->error;
}

/* How old a moment is that somebody wrote into the memory; negative: it cannot
 * be. */
static int64_t age_of(int64_t moment, int64_t now)
{
	return moment <= 0 ? -1 : now - moment;
}

static bool holds(const struct cache_promise *promise,
		  const struct cache_value *value)
{
	if (promise->bound_ms >= 0 &&
	    (value->age_ms < 0 || value->age_ms > promise->bound_ms))
		return false;
	return value->applied >= promise->revision;
}

int cache_get(struct cache_reader *reader, const void *key, size_t key_len,
	      const struct cache_promise *promise, struct cache_value *value)
{
	const struct cache_super *super = reader->map.super;
	int64_t known_at, noted_at, now, age;
	int found, error;

	if (key_len == 0)
		return -EINVAL;
	/* Before the copy, which then has all that these speak of; pair with
	 * the releases in cache_note(). */
	noted_at = __atomic_load_n(&super->noted_at_ns, __ATOMIC_ACQUIRE);
	known_at = __atomic_load_n(&super->known_at_ns, __ATOMIC_ACQUIRE);
	value->applied = __atomic_load_n(&super->applied, __ATOMIC_ACQUIRE);
	found = find(&reader->map, key, key_len, value);
	/* After the copy: we may have been stopped in between. */
	now = cache_now();
	error = check_state(reader);
	if (!error)
		error = check_server(reader, now);
	if (error)
		return error;
	age = age_of(noted_at, now);
	if (age < 0 || age > CACHE_SILENCE_MS * TICK_MS)
		return -ETIMEDOUT;
	age = age_of(known_at, now);
	value->age_ms = age < 0 ? -1 : (age + TICK_MS - 1) / TICK_MS;
	if (found == 0 && !holds(promise, value))
		return -ETIMEDOUT;
	return found;
}
