/* rebuild.c - with all groups locked:
 *
 *	1. a new file: built in memory, written, synced, linked as NAME.rebuild
 *	2. its groups are locked, so that what is held here is held there
 *	3. the old header says REPLACING
 *	4. NAME.rebuild becomes NAME, and the folder is synced
 *	5. the handle is that file now; the old one's locks go with its descriptor
 *
 * Killed before 4: NAME is the old file, and the next process takes the mark
 * back (store.c). After: NAME is the new one, and whole. NAME.rebuild may be
 * left over; the next rebuild removes it, if it is surely that: it has our
 * magic, this store's id and the mark BESIDE, which goes after 4, and nobody
 * has its locks. */
#include "p09-reclock/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p09-reclock/wholefile.h"
#include "p09-reclock/item.h"

/* ---- into memory ---- */

/* Call each() for what is live; its half is in store->copy. */
static int for_each(struct reclock *store,
		    int (*each)(struct reclock *store, void *arg), void *arg)
{
	struct item_slot at;
	int error = 0;

	for (at.group = 0; at.group < store_groups(store); at.group++) {
		const struct layout_group *group = store_group(store, at.group);

		for (at.slot = 0; at.slot < LAYOUT_SLOTS && !error; at.slot++) {
			at.word = group->word[at.slot];
			if (layout_is_sound(at.word) && !layout_tag(at.word))
				continue;
			error = item_read(store, &at);
			if (!error)
				error = each(store, arg);
		}
		if (error)
			break;
	}
	return error;
}

static int count(struct reclock *store, void *arg)
{
	(void)store;
	++*(uint64_t *)arg;
	return 0;
}

static int copy_record(struct reclock *store, void *arg)
{
	struct reclock *next = arg;
	const struct layout_half *half = item_half(store);
	const struct item_key key = item_key(next, half->bytes, half->key_len);
	struct item_slot slot;
	int error = item_find_room(next, &key, LAYOUT_REACH, &slot);

	return error ? error
		     : item_write(next, &slot, &key, item_value(store),
				  half->value_len);
}

/* All records into groups groups: next->map, of memory. */
static int build(struct reclock *store, struct reclock *next, uint64_t groups)
{
	int error;

	if (layout_plan(&next->layout, store->layout.record_bytes, groups,
			store->layout.id))
		return -EFBIG;
	next->map = wholefile_image(&next->layout);
	next->copy = malloc(next->layout.half_bytes);
	error = next->map && next->copy ? for_each(store, copy_record, next)
					: -ENOMEM;
	free(next->copy);
	if (error) {
		free(next->map);
		return error;
	}
	/* It will be on the disk before anybody uses it. */
	for (uint32_t i = 0; i < store_groups(next); i++)
		store_group(next, i)->unsynced = 0;
	next->map->state = LAYOUT_BESIDE;
	return 0;
}

/* It may happen that they find no room: then with half as many groups more. But
 * where they would be spread ever so thin, they were made to collide. */
static int build_with_room(struct reclock *store, struct reclock *next,
			   uint64_t more)
{
	const uint64_t least = store->layout.groups * UINT64_C(3) / 2;
	uint64_t records = more, groups;
	int error = for_each(store, count, &records);

	if (error)
		return error;
	groups = layout_groups_for(records);
	if (more && groups < least)
		groups = least;
	do {
		if (groups > 64 && groups > records)
			return -ENOSPC;
		error = build(store, next, groups);
		groups += groups / 2 + 1;
	} while (error == -ENOSPC);
	return error;
}

/* ---- into the file's place ---- */

/* Whether a file in the way is surely left over: of this store, never in its
 * place, and nobody's any more. Never opens
 * the store itself, whose locks would go with the descriptor. */
static bool is_left_over(const struct reclock *store, char *name)
{
	struct reclock other = {
		.dir = store->dir,
		.name = name,
		.flags = store->flags,
	};
	struct stat st;
	const char *why;
	bool is_ours;

	if (fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) ||
	    (st.st_dev == store->dev && st.st_ino == store->ino) ||
	    store_open(&other, &why))
		return false;
	is_ours = other.layout.id == store->layout.id &&
		  other.map->state == LAYOUT_BESIDE &&
		  rangelock_try(other.lock, RANGELOCK_WRITE, RANGELOCK_TABLE,
				0) == 0;
	store_close(&other);
	return is_ours;
}

static int write_beside(struct reclock *store, const struct reclock *image,
			char *name)
{
	struct wholefile file;
	struct stat st;
	int error;

	if (fstat(store->lock.fd, &st))
		return -errno;
	if (is_left_over(store, name))
		unlinkat(store->dir, name, 0);
	error = wholefile_write(&file, store->dir, name, 0600, &image->layout,
				image->map);
	if (error)
		return error;
	/* Only root may give a file away. */
	if (fchown(file.fd, st.st_uid, st.st_gid) && errno != EPERM)
		error = -errno;
	if (!error && fchmod(file.fd, st.st_mode & 0777))
		error = -errno;
	if (!error)
		error = wholefile_link(&file, store->dir, name, name);
	if (!error)
		file.has_name = false; /* it is not discarded with it */
	wholefile_discard(&file, store->dir, name);
	return error;
}

/* Our name may mean another file by now, which is not ours to replace. */
static int rename_over(struct reclock *store, struct reclock *next)
{
	int is_named, error = 0;

	/* Pairs with the acquire in store_follow(). */
	__atomic_store_n(&store->map->state, LAYOUT_REPLACING,
			 __ATOMIC_RELEASE);
	is_named = store_is_named(store);
	if (is_named <= 0)
		error = is_named ? is_named : -ESTALE;
	else if (renameat(store->dir, next->name, store->dir, store->name))
		error = -errno;
	if (error)
		__atomic_store_n(&store->map->state, LAYOUT_NORMAL,
				 __ATOMIC_RELEASE);
	return error;
}

/* The file beside, which is whole, comes into the place of ours. */
static int move_in(struct reclock *store, char *name)
{
	struct reclock next = {
		.dir = store->dir,
		.name = name,
		.flags = store->flags,
	};
	const char *why;
	int error = store_open(&next, &why);

	if (error)
		goto out;
	error = rangelock_try(next.lock, RANGELOCK_WRITE, RANGELOCK_GROUP,
			      store_groups(&next));
	if (!error)
		error = rename_over(store, &next);
	if (!error) {
		store_adopt(store, &next);
		error = wholefile_sync_dir(store->dir);
		/* Pairs with the acquire in store_follow(). */
		__atomic_store_n(&store->map->state, LAYOUT_NORMAL,
				 __ATOMIC_RELEASE);
		return error;
	}
	store_close(&next);
out:
	unlinkat(store->dir, name, 0);
	return error;
}

static int replace(struct reclock *store, uint64_t more)
{
	struct reclock image = {0};
	char name[NAME_MAX + 1];
	int error;

	if (snprintf(name, sizeof(name), "%s.rebuild", store->name) >=
	    (int)sizeof(name))
		return -ENAMETOOLONG;
	error = build_with_room(store, &image, more);
	if (error)
		return error;
	error = write_beside(store, &image, name);
	free(image.map);
	return error ? error : move_in(store, name);
}

/* Returns 1 if somebody else was quicker. */
static int rebuild(struct reclock *store, uint64_t more, int64_t deadline)
{
	static const struct reclock_label all = {11, "all records"};
	int error;

	if (store->flags & RECLOCK_READ_ONLY)
		return -EROFS;
	error = store_lock(store, 0, store_groups(store), &all, deadline);
	if (error)
		return error;
	error = replace(store, more);
	store_unlock(store, 0, store_groups(store));
	return error;
}

int rebuild_grow(struct reclock *store, uint64_t more, int64_t deadline)
{
	int error = rebuild(store, more, deadline);

	return error > 0 ? 0 : error;
}

int reclock_compact_until(struct reclock *store, int64_t deadline)
{
	int error;

	do
		error = rebuild(store, 0, deadline);
	while (error > 0);
	return error;
}
