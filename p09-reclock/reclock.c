/* reclock.c - reads without a lock, and changes with the lock of a group.
 *
 * A change locks the home group of its key, which keeps out all others of that
 * key, and those groups behind it that its records may have been spilled to. If
 * it turns out to need more of them, it gives back what it has and takes all in
 * one call: nobody ever waits for a group while a change keeps another. */
#include "p09-reclock/reclock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"
#include "p09-reclock/store.h"
#include "p09-reclock/rebuild.h"
#include "p09-reclock/item.h"

/* ---- reading ---- */

/* What is in the way of a read that takes no lock is a change: it is over soon,
 * unless changes are so many, or it is damage. */
static int find_unlocked(struct reclock *store, struct item_key *key,
			 struct item_slot *slot)
{
	enum { TRIES = 64 };
	int error = -EAGAIN;

	for (int i = 0; i < TRIES && (error == -EAGAIN || error == -EBADMSG);
	     i++) {
		error = store_follow(store, false);
		if (error < 0)
			return error;
		error = item_find(store, key, slot);
	}
	return error;
}

static int find_locked(struct reclock *store, struct item_key *key,
		       struct item_slot *slot, int64_t deadline)
{
	const struct reclock_label label = item_label(key);
	uint32_t home;
	int error;

	do {
		home = layout_home(store->layout.groups, key->hash);
		error = store_lock(store, home, LAYOUT_REACH + 1, &label,
				   deadline);
	} while (error > 0);
	if (error)
		return error;
	error = item_find(store, key, slot);
	store_unlock(store, home, LAYOUT_REACH + 1);
	return error;
}

ssize_t reclock_get_until(struct reclock *store, const void *key,
			  size_t key_len, void *value, size_t size,
			  int64_t deadline)
{
	struct item_key wanted = item_key(store, key, key_len);
	struct item_slot slot;
	int error = find_unlocked(store, &wanted, &slot);
	size_t value_len;

	if (error == -EAGAIN || error == -EBADMSG)
		error = find_locked(store, &wanted, &slot, deadline);
	if (error)
		return error;
	value_len = item_half(store)->value_len;
	if (size)
		memcpy(value, item_value(store),
		       size < value_len ? size : value_len);
	return (ssize_t)value_len;
}

/* ---- one change, with its groups locked ---- */

/* -EXFULL: it needs more groups than are locked; -ENOSPC: there is no room. */
static int put(struct reclock *store, const struct item_key *key,
	       struct item_slot *slot, bool is_there, uint32_t width,
	       const void *value, size_t len)
{
	if (key->len == 0 || key->len + len > store->layout.record_bytes)
		return -EMSGSIZE;
	if (!is_there && item_find_room(store, key, width, slot))
		return width < LAYOUT_REACH ? -EXFULL : -ENOSPC;
	return item_write(store, slot, key, value, len);
}

static int read_number(const struct reclock *store, int64_t *number)
{
	const size_t len = item_half(store)->value_len;
	char text[24];

	if (len >= sizeof(text) || memchr(item_value(store), 0, len))
		return -EINVAL;
	memcpy(text, item_value(store), len);
	text[len] = '\0';
	return parse_integer(text, number) ? -EINVAL : 0;
}

static int add(struct reclock *store, const struct item_key *key,
	       struct item_slot *slot, bool is_there, uint32_t width,
	       int64_t *by)
{
	int64_t sum = 0;
	char text[24];
	int error = is_there ? read_number(store, &sum) : 0;

	if (error)
		return error;
	if (__builtin_add_overflow(sum, *by, &sum))
		return -ERANGE;
	snprintf(text, sizeof(text), "%" PRId64, sum);
	error = put(store, key, slot, is_there, width, text, strlen(text));
	if (!error)
		*by = sum;
	return error;
}

static int change_locked(struct reclock *store, struct reclock_change *change,
			 const struct item_key *key, uint32_t width)
{
	struct item_slot slot;
	const uint32_t home = layout_home(store->layout.groups, key->hash);
	const int reach = item_reach(store, home);
	int error;

	if (reach < 0)
		return reach;
	if ((uint32_t)reach > width)
		return -EXFULL;
	error = item_find(store, key, &slot);
	if (error && error != -ENOENT)
		return error;
	switch (change->action) {
	case RECLOCK_SET:
		return put(store, key, &slot, !error, width, change->value,
			   change->value_len);
	case RECLOCK_INCR:
		return add(store, key, &slot, !error, width, &change->by);
	case RECLOCK_DEL:
		return error ? error : item_free(store, &slot);
	}
	return -EINVAL;
}

/* ---- changes ---- */

/* In the order of their homes, and those of one key in the order given. */
struct pending {
	uint64_t hash; /* of its key */
	struct reclock_change *change;
};

static struct item_key key_of(const struct pending *pending)
{
	return (struct item_key){
		.bytes = pending->change->key,
		.len = pending->change->key_len,
		.hash = pending->hash,
	};
}

static uint32_t home_of(const struct reclock *store,
			const struct pending *pending)
{
	return layout_home(store->layout.groups, pending->hash);
}

static int compare(const void *a, const void *b)
{
	const struct pending *one = a, *other = b;

	if (one->hash != other->hash)
		return one->hash < other->hash ? -1 : 1;
	return one->change < other->change ? -1 : one->change > other->change;
}

/* So many changes, in so many groups, share a lock: it is a matter of dozens of
 * microseconds for those who wait. */
enum { SHARE_CHANGES = 64, SHARE_GROUPS = 4096 };

/* How many of n, the first at least, go together. */
static size_t share(const struct reclock *store, const struct pending *pending,
		    size_t n, uint32_t *last)
{
	const uint32_t first = home_of(store, pending);
	size_t i = 1;

	*last = first;
	for (; i < n && i < SHARE_CHANGES; i++) {
		uint32_t home = home_of(store, &pending[i]);

		if (home - first >= SHARE_GROUPS)
			break;
		*last = home;
	}
	return i;
}

/* Make some of them with one lock; returns how many, or -errno. -EXFULL and
 * -ENOSPC are of the first that was not made. */
static ssize_t change_some(struct reclock *store, struct pending *pending,
			   size_t n, uint32_t width, int64_t deadline)
{
	enum { AHEAD = 3 };
	const uint32_t first = home_of(store, pending);
	struct item_key key = key_of(pending);
	const struct reclock_label label = item_label(&key);
	uint32_t last;
	size_t done = 0;
	int error;

	n = share(store, pending, n, &last);
	last += width;
	error = store_lock(store, first, last - first + 1, &label, deadline);
	if (error)
		return error > 0 ? 0 : error;
	while (done < n) {
		struct reclock_change *change = pending[done].change;

		if (done + AHEAD < n) {
			key = key_of(&pending[done + AHEAD]);
			item_prefetch(store, &key);
		}
		key = key_of(&pending[done]);
		error = change_locked(store, change, &key, width);
		if (error == -EXFULL || error == -ENOSPC)
			break;
		change->error = error;
		done++;
	}
	store_unlock(store, first, last - first + 1);
	return done || !error ? (ssize_t)done : error;
}

static uint32_t guess_width(struct reclock *store,
			    const struct pending *pending)
{
	int reach = item_reach(store, home_of(store, pending));

	return reach < 0 ? 0 : (uint32_t)reach;
}

/* How many records there will be more, at most: what is sorted fills the file
 * from one end, which says nothing of the rest. */
static uint64_t count_new(struct reclock *store, const struct pending *pending,
			  size_t n)
{
	struct item_slot slot;
	uint64_t more = 1;

	for (size_t i = 0; i < n; i++) {
		const struct item_key key = key_of(&pending[i]);

		if (pending[i].change->action != RECLOCK_DEL &&
		    item_find(store, &key, &slot) == -ENOENT)
			more++;
	}
	return more;
}

static int change_all(struct reclock *store, struct pending *pending, size_t n,
		      int64_t deadline)
{
	uint32_t width = n > 1 ? LAYOUT_REACH : guess_width(store, pending);

	while (n > 0) {
		ssize_t done = change_some(store, pending, n, width, deadline);
		int error = 0;

		if (done == -EXFULL)
			width = LAYOUT_REACH;
		else if (done == -ENOSPC)
			error = rebuild_grow(
				store, count_new(store, pending, n), deadline);
		else if (done < 0)
			error = (int)done;
		if (error) {
			for (size_t i = 0; i < n; i++)
				pending[i].change->error = error;
			return error;
		}
		if (done > 0) {
			pending += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

int reclock_apply_until(struct reclock *store, struct reclock_change *changes,
			size_t n, int64_t deadline)
{
	struct pending *pending;
	int error;

	if (store->flags & RECLOCK_READ_ONLY)
		return -EROFS;
	if (n == 0)
		return 0;
	pending = reallocarray(NULL, n, sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		pending[i] = (struct pending){
			.hash = layout_hash(store->layout.id, changes[i].key,
					    changes[i].key_len),
			.change = &changes[i],
		};
	qsort(pending, n, sizeof(*pending), compare);
	error = change_all(store, pending, n, deadline);
	free(pending);
	return error;
}

static int change_one(struct reclock *store, struct reclock_change *change,
		      int64_t deadline)
{
	struct pending pending = {
		.hash = layout_hash(store->layout.id, change->key,
				    change->key_len),
		.change = change,
	};
	int error;

	if (store->flags & RECLOCK_READ_ONLY)
		return -EROFS;
	error = change_all(store, &pending, 1, deadline);
	return error ? error : change->error;
}

int reclock_set_until(struct reclock *store, const void *key, size_t key_len,
		      const void *value, size_t value_len, int64_t deadline)
{
	struct reclock_change change = {
		.action = RECLOCK_SET,
		.key = key,
		.key_len = key_len,
		.value = value,
		.value_len = value_len,
	};

	return change_one(store, &change, deadline);
}

int reclock_del_until(struct reclock *store, const void *key, size_t key_len,
		      int64_t deadline)
{
	struct reclock_change change = {
		.action = RECLOCK_DEL,
		.key = key,
		.key_len = key_len,
	};

	return change_one(store, &change, deadline);
}

int reclock_incr_until(struct reclock *store, const void *key, size_t key_len,
		       int64_t by, int64_t *sum, int64_t deadline)
{
	struct reclock_change change = {
		.action = RECLOCK_INCR,
		.key = key,
		.key_len = key_len,
		.by = by,
	};
	int error = change_one(store, &change, deadline);

	if (!error)
		*sum = change.by;
	return error;
}
