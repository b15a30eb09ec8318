/* store.h - what a struct reclock holds, how it takes groups, and how it
 * follows its file when that is replaced. */
#ifndef UNIXIPC_P09_RECLOCK_STORE_H
#define UNIXIPC_P09_RECLOCK_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "p09-reclock/layout.h"
#include "p09-reclock/rangelock.h"
#include "p09-reclock/reclock.h"

/* A key that is locked over several calls. */
struct hold {
	uint64_t hash;
	unsigned int times;
};

struct reclock {
	struct rangelock lock; /* with the descriptor of the file */
	int dir;               /* where it lies (O_PATH) … */
	char *name;            /* … as what */
	unsigned int flags;
	pid_t pid; /* who may lock through it */
	dev_t dev;
	ino_t ino;
	struct layout layout;
	struct layout_header *map; /* the whole file */
	layout_eight *copy;        /* of the half that was read last */
	struct hold hold[RECLOCK_HOLDS_MAX];
	unsigned int holds;
	int entry; /* of the wait-for table; -1: none */
	struct reclock_trouble trouble;
};

/* Open name in dir into store, which has dir, name and flags. Returns as
 * reclock_open(), and has nothing open on failure. */
int store_open(struct reclock *store, const char **why);

/* Unmap and close the file. */
void store_close(struct reclock *store);

/* Whether its name still means this file: 1, 0 (another), -ESTALE (none), or
 * -errno. */
int store_is_named(const struct reclock *store);

/* Go where the file went: 1 (store is another file now: what was locked or
 * looked up is void), 0, or -errno. One load, unless it is being replaced.
 * has_lock: of a group, so that nobody replaces it now. */
int store_follow(struct reclock *store, bool has_lock);

/* Let the store that next is be what store is. */
void store_adopt(struct reclock *store, struct reclock *next);

/* Take n groups and follow. Returns 0, 1 (as store_follow; nothing is locked)
 * or -errno. label is what for, to tell people. */
int store_lock(struct reclock *store, uint32_t first, uint32_t n,
	       const struct reclock_label *label, int64_t deadline);

/* Give them back, but those of keys that are held. */
void store_unlock(struct reclock *store, uint32_t first, uint32_t n);

/* All groups there are. */
static inline uint32_t store_groups(const struct reclock *store)
{
	return store->layout.groups + LAYOUT_REACH;
}

static inline struct layout_group *store_group(const struct reclock *store,
					       uint32_t group)
{
	return layout_group(&store->layout, store->map, group);
}

#endif
