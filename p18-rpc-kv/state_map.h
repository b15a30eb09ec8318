/* state_map.h - a sorted map whose old versions stay as they were: an AVL tree
 * (Adelson-Velsky and Landis; Knuth, volume 3, 6.2.3) with reference counts.
 *
 * A root is a version. Who wants to keep one takes a reference to it. A change
 * copies the nodes on its path that somebody else has too, and alters in place
 * those that are its own: so with no other version around it costs what an
 * ordinary tree does. Keys with their values are items, which never change and
 * which copied nodes share.
 *
 * One thread changes a map. Roots and items may be read, held and released by
 * any thread. */
#ifndef UNIXIPC_P18_RPC_KV_STATE_MAP_H
#define UNIXIPC_P18_RPC_KV_STATE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct state_item {
	uint32_t refs;
	uint32_t key_len, value_len;
	uint64_t revision;
	uint8_t bytes[]; /* key, value */
};

struct state_node {
	uint32_t refs;
	uint32_t height; /* of a leaf: 1 */
	struct state_node *left, *right;
	struct state_item *item;
};

struct state_map {
	struct state_node *root;  /* NULL: empty */
	struct state_node *spare; /* by left; a change never fails halfway */
	uint32_t n_spare;
};

/* NULL: no memory. One reference, the caller's. */
struct state_item *state_item_new(const void *key, size_t key_len,
				  const void *value, size_t value_len,
				  uint64_t revision);
void state_item_release(struct state_item *item); /* or NULL */

static inline const uint8_t *state_item_value(const struct state_item *item)
{
	return item->bytes + item->key_len;
}

/* Let go of it all; a map of zeros is an empty one. */
void state_map_fini(struct state_map *map);

/* Memory for one change; -ENOMEM. Before each of the two below. */
int state_map_reserve(struct state_map *map);

/* Put the item, whose reference the map takes, at its key. */
void state_map_put(struct state_map *map, struct state_item *item);

/* Remove a key that is there. */
void state_map_del(struct state_map *map, const void *key, size_t len);

struct state_node *state_map_hold(struct state_node *root); /* or NULL */
void state_map_release(struct state_node *root);            /* or NULL */

/* NULL: there is none. */
const struct state_item *state_map_find(const struct state_node *root,
					const void *key, size_t len);

/* Call visit for each item from that key on, in the order of bytes, until it
 * returns non-zero, which is returned. */
int state_map_each(const struct state_node *root, const void *from, size_t len,
		   int (*visit)(const struct state_item *item, void *arg),
		   void *arg);

#endif
