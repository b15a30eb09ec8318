/* reclock_lock.c - locks that a caller keeps. What it holds is a list of keys,
 * as their groups change when the file is rebuilt; a group is locked as long as
 * one of them has its home there. */
#include <errno.h>
#include <unistd.h>

#include "p09-reclock/store.h"
#include "p09-reclock/item.h"
#include "p09-reclock/waitfor.h"

static struct hold *find_hold(struct reclock *store, uint64_t hash)
{
	for (unsigned int i = 0; i < store->holds; i++)
		if (store->hold[i].hash == hash)
			return &store->hold[i];
	return NULL;
}

int reclock_lock_until(struct reclock *store, const void *key, size_t key_len,
		       int64_t deadline)
{
	const struct item_key wanted = item_key(store, key, key_len);
	const struct reclock_label label = item_label(&wanted);
	struct hold *hold = find_hold(store, wanted.hash);
	int error;

	if (store->flags & RECLOCK_READ_ONLY)
		return -EROFS;
	if (hold) {
		hold->times++;
		return 0;
	}
	if (store->holds == RECLOCK_HOLDS_MAX)
		return -ENOBUFS;
	do
		error = store_lock(
			store, layout_home(store->layout.groups, wanted.hash),
			1, &label, deadline);
	while (error > 0);
	if (!error)
		store->hold[store->holds++] = (struct hold){wanted.hash, 1};
	return error;
}

int reclock_unlock(struct reclock *store, const void *key, size_t key_len)
{
	const struct item_key wanted = item_key(store, key, key_len);
	struct hold *hold = find_hold(store, wanted.hash);

	if (getpid() != store->pid)
		return -ECHILD;
	if (!hold)
		return -EPERM;
	if (--hold->times > 0)
		return 0;
	*hold = store->hold[--store->holds];
	store_unlock(store, layout_home(store->layout.groups, wanted.hash), 1);
	if (store->holds == 0)
		waitfor_leave(store);
	return 0;
}

int64_t reclock_lock_byte(const struct reclock *store, const void *key,
			  size_t key_len)
{
	const struct item_key wanted = item_key(store, key, key_len);

	return RANGELOCK_GROUP + layout_home(store->layout.groups, wanted.hash);
}
