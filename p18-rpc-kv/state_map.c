/* state_map.c - see state_map.h.
 *
 * Whoever is about to change a node owns it first (own()): a node with one
 * reference, all of whose ancestors have been made our own, is reachable by
 * nobody else; for copying a parent has given its children one reference more.
 * Acquire there pairs with the release of whoever let go of it last. */
#include "p18-rpc-kv/state_map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The analyzer does not count references: it takes the first release for the
 * last. */
// NOLINTBEGIN(clang-analyzer-unix.Malloc)

/* ---- items ------------------------------------------------------------------- */

struct state_item *state_item_new(const void *key, size_t key_len,
				  const void *value, size_t value_len,
				  uint64_t revision)
{
	struct state_item *item = malloc(sizeof(*item) + key_len + value_len);

	if (!item)
		return NULL;
	item->refs = 1;
	item->key_len = (uint32_t)key_len;
	item->value_len = (uint32_t)value_len;
	item->revision = revision;
	if (key_len)
		memcpy(item->bytes, key, key_len);
	if (value_len)
		memcpy(item->bytes + key_len, value, value_len);
	return item;
}

static void take(uint32_t *refs)
{
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

/* Was that the last one? */
static bool let_go(uint32_t *refs)
{
	return __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 1;
}

void state_item_release(struct state_item *item)
{
	if (item && let_go(&item->refs))
		free(item);
}

static int compare(const struct state_item *item, const void *key, size_t len)
{
	const size_t least = len < item->key_len ? len : item->key_len;
	const int order = least ? memcmp(key, item->bytes, least) : 0;

	if (order || len == item->key_len)
		return order;
	return len < item->key_len ? -1 : 1;
}

/* ---- nodes ------------------------------------------------------------------- */

struct state_node *state_map_hold(struct state_node *root)
{
	if (root)
		take(&root->refs);
	return root;
}

/* As deep as the tree is high. */
// NOLINTNEXTLINE(misc-no-recursion)
void state_map_release(struct state_node *root)
{
	if (!root || !let_go(&root->refs))
		return;
	state_map_release(root->left);
	state_map_release(root->right);
	state_item_release(root->item);
	free(root);
}

void state_map_fini(struct state_map *map)
{
	struct state_node *next;

	state_map_release(map->root);
	for (; map->spare; map->spare = next) {
		next = map->spare->left;
		free(map->spare);
	}
	*map = (struct state_map){0};
}

static uint32_t height(const struct state_node *node)
{
	return node ? node->height : 0;
}

/* On each level of the path a copy of the node, and for a rotation one of its
 * child and one of its grandchild; and a new leaf. */
int state_map_reserve(struct state_map *map)
{
	const uint32_t wanted = 3 * height(map->root) + 1;
	struct state_node *node;

	while (map->n_spare < wanted) {
		node = malloc(sizeof(*node));
		if (!node)
			return -ENOMEM;
		node->left = map->spare;
		map->spare = node;
		map->n_spare++;
	}
	return 0;
}

static struct state_node *take_spare(struct state_map *map)
{
	struct state_node *node = map->spare;

	if (!node)
		abort(); /* nobody has reserved */
	map->spare = node->left;
	map->n_spare--;
	return node;
}

static void give_back(struct state_map *map, struct state_node *node)
{
	node->left = map->spare;
	map->spare = node;
	map->n_spare++;
}

/* The node, if nobody else has it, or a copy; takes our reference. */
static struct state_node *own(struct state_map *map, struct state_node *node)
{
	struct state_node *copy;

	if (__atomic_load_n(&node->refs, __ATOMIC_ACQUIRE) == 1)
		return node;
	copy = take_spare(map);
	*copy = (struct state_node){
		.refs = 1,
		.height = node->height,
		.left = state_map_hold(node->left),
		.right = state_map_hold(node->right),
		.item = node->item,
	};
	take(&copy->item->refs);
	state_map_release(node);
	return copy;
}

/* ---- balance ----------------------------------------------------------------- */

static void measure(struct state_node *node)
{
	const uint32_t l = height(node->left), r = height(node->right);

	node->height = 1 + (l > r ? l : r);
}

/* Both nodes are our own. */
static struct state_node *rotate_right(struct state_node *node)
{
	struct state_node *top = node->left;

	node->left = top->right;
	top->right = node;
	measure(node);
	measure(top);
	return top;
}

static struct state_node *rotate_left(struct state_node *node)
{
	struct state_node *top = node->right;

	node->right = top->left;
	top->left = node;
	measure(node);
	measure(top);
	return top;
}

/* Of a node of our own, whose subtrees differ by two levels at most. */
static struct state_node *balance(struct state_map *map,
				  struct state_node *node)
{
	const uint32_t l = height(node->left), r = height(node->right);

	if (l > r + 1) {
		node->left = own(map, node->left);
		if (height(node->left->left) < height(node->left->right)) {
			node->left->right = own(map, node->left->right);
			node->left = rotate_left(node->left);
		}
		return rotate_right(node);
	}
	if (r > l + 1) {
		node->right = own(map, node->right);
		if (height(node->right->right) < height(node->right->left)) {
			node->right->left = own(map, node->right->left);
			node->right = rotate_right(node->right);
		}
		return rotate_left(node);
	}
	measure(node);
	return node;
}

/* ---- changes ----------------------------------------------------------------- */

// NOLINTNEXTLINE(misc-no-recursion)
static struct state_node *put(struct state_map *map, struct state_node *node,
			      struct state_item *item)
{
	int order;

	if (!node) {
		node = take_spare(map);
		*node = (struct state_node){
			.refs = 1, .height = 1, .item = item};
		return node;
	}
	node = own(map, node);
	order = compare(node->item, item->bytes, item->key_len);
	if (order < 0) {
		node->left = put(map, node->left, item);
	} else if (order > 0) {
		node->right = put(map, node->right, item);
	} else {
		state_item_release(node->item);
		node->item = item;
	}
	return balance(map, node);
}

void state_map_put(struct state_map *map, struct state_item *item)
{
	map->root = put(map, map->root, item);
}

/* Take the first node out of a tree; *item gets its item. */
// NOLINTNEXTLINE(misc-no-recursion)
static struct state_node *take_first(struct state_map *map,
				     struct state_node *node,
				     struct state_item **item)
{
	struct state_node *right;

	node = own(map, node);
	if (node->left) {
		node->left = take_first(map, node->left, item);
		return balance(map, node);
	}
	*item = node->item;
	right = node->right;
	give_back(map, node);
	return right;
}

static struct state_node *del_here(struct state_map *map,
				   struct state_node *node)
{
	struct state_node *child;

	state_item_release(node->item);
	if (node->left && node->right) {
		node->right = take_first(map, node->right, &node->item);
		return balance(map, node);
	}
	child = node->left ? node->left : node->right;
	give_back(map, node);
	return child;
}

// NOLINTNEXTLINE(misc-no-recursion)
static struct state_node *del(struct state_map *map, struct state_node *node,
			      const void *key, size_t len)
{
	int order;

	if (!node)
		return NULL;
	node = own(map, node);
	order = compare(node->item, key, len);
	if (order == 0)
		return del_here(map, node);
	if (order < 0)
		node->left = del(map, node->left, key, len);
	else
		node->right = del(map, node->right, key, len);
	return balance(map, node);
}

void state_map_del(struct state_map *map, const void *key, size_t len)
{
	map->root = del(map, map->root, key, len);
}

/* ---- looking ----------------------------------------------------------------- */

const struct state_item *state_map_find(const struct state_node *root,
					const void *key, size_t len)
{
	while (root) {
		const int order = compare(root->item, key, len);

		if (order == 0)
			return root->item;
		root = order < 0 ? root->left : root->right;
	}
	return NULL;
}

// NOLINTNEXTLINE(misc-no-recursion)
int state_map_each(const struct state_node *root, const void *from, size_t len,
		   int (*visit)(const struct state_item *item, void *arg),
		   void *arg)
{
	int stopped = 0;

	if (!root)
		return 0;
	if (len && compare(root->item, from, len) > 0)
		return state_map_each(root->right, from, len, visit, arg);
	stopped = state_map_each(root->left, from, len, visit, arg);
	if (!stopped)
		stopped = visit(root->item, arg);
	if (!stopped)
		stopped = state_map_each(root->right, NULL, 0, visit, arg);
	return stopped;
}

// NOLINTEND(clang-analyzer-unix.Malloc)
