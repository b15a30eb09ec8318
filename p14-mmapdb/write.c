/* write.c - copy-on-write.
 *
 * The first change to a page copies it into the arena, and with it the way up
 * to the root, as each page is named by the one above. A page of the file is
 * never changed: readers look at it. Nor is it noted anywhere that its version
 * is over (see alloc.c).
 *
 * A leaf that is full gives some of its records to the one beside it if that
 * has room; if not, it is split. At the right edge of the tree a new page
 * begins with the new record alone, so that sorted input fills pages whole. */
#include "p14-mmapdb/write.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	/* Give to a neighbour that has that much room left. */
	ROOM_WORTH_A_MOVE = LAYOUT_PAGE / 4,
	/* Merge when less is used, and not to more than that. */
	USED_TOO_LITTLE = LAYOUT_PAGE / 4,
	USED_AFTER_MERGE = LAYOUT_PAGE * 7 / 8,
	/* More than there are in two pages, and a new one. */
	ITEMS_MAX = 2 * LAYOUT_PAGE / 8 + 1,
	KEEP_PAGES = 1024, /* of the arena, for the next transaction */
};

/* Room for the items of two pages and their keys. */
struct scratch {
	struct page_item items[ITEMS_MAX];
	unsigned char keys[ITEMS_MAX * MMAPDB_KEY_MAX];
	unsigned char page[2][LAYOUT_PAGE];
};

/* ---- the arena ----------------------------------------------------------------- */

int write_begin(struct mmapdb *db)
{
	struct handle_dirty *dirty = &db->dirty;
	size_t bytes = (size_t)LAYOUT_PAGE << 22; /* 16 GB of addresses */

	if (!dirty->scratch)
		dirty->scratch = calloc(1, sizeof(struct scratch));
	while (!dirty->arena && bytes >= (size_t)LAYOUT_PAGE << 8) {
		void *arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0);

		dirty->room = bytes / LAYOUT_PAGE;
		if (arena != MAP_FAILED)
			dirty->arena = arena;
		bytes /= 2;
	}
	if (!dirty->arena || !dirty->scratch)
		return handle_fail(db, -ENOMEM,
				   "no memory for a transaction's pages");
	return 0;
}

void write_end(struct mmapdb *db)
{
	struct handle_dirty *dirty = &db->dirty;

	if (dirty->used > KEEP_PAGES)
		madvise(dirty->arena + (size_t)KEEP_PAGES * LAYOUT_PAGE,
			(dirty->used - KEEP_PAGES) * LAYOUT_PAGE,
			MADV_DONTNEED);
	dirty->used = 0;
	dirty->n_freed = 0;
}

void write_fini(struct mmapdb *db)
{
	if (db->dirty.arena)
		munmap(db->dirty.arena, db->dirty.room * LAYOUT_PAGE);
	free(db->dirty.scratch);
	free(db->dirty.freed);
	db->dirty = (struct handle_dirty){0};
}

/* Pages that follow each other; one comes from those that were freed. */
static int new_pages(struct mmapdb *db, uint32_t n, uint32_t *ref)
{
	struct handle_dirty *dirty = &db->dirty;

	if (n == 1 && dirty->n_freed > 0) {
		*ref = dirty->freed[--dirty->n_freed] | LAYOUT_DIRTY;
		return 0;
	}
	if (n > dirty->room - dirty->used)
		return handle_fail(db, -ENOMEM, "the transaction is too large");
	*ref = (uint32_t)dirty->used | LAYOUT_DIRTY;
	dirty->used += n;
	return 0;
}

/* A page of the file is just left; one of ours can be used again. */
static int free_page(struct mmapdb *db, uint32_t ref)
{
	struct handle_dirty *dirty = &db->dirty;

	if (!(ref & LAYOUT_DIRTY))
		return 0;
	if (dirty->n_freed == dirty->freed_room) {
		const size_t room = dirty->freed_room * 2 + 64;
		uint32_t *freed =
			reallocarray(dirty->freed, room, sizeof(*freed));

		if (!freed)
			return handle_fail(db, -ENOMEM, "no memory");
		dirty->freed = freed;
		dirty->freed_room = room;
	}
	/* Kind 0: it is not written. */
	tree_dirty(db, ref & LAYOUT_PGNO)->kind = 0;
	dirty->freed[dirty->n_freed++] = ref & LAYOUT_PGNO;
	return 0;
}

/* ---- long values --------------------------------------------------------------- */

static int put_long(struct mmapdb *db, struct mmapdb_bytes value,
		    struct layout_long *ref)
{
	const size_t bytes = sizeof(struct layout_page) + value.len;
	const uint32_t run =
		(uint32_t)((bytes + LAYOUT_PAGE - 1) / LAYOUT_PAGE);
	struct layout_page *page;
	int error = new_pages(db, run, &ref->pgno);

	if (error)
		return error;
	ref->len = (uint32_t)value.len;
	page = tree_dirty(db, ref->pgno & LAYOUT_PGNO);
	*page = (struct layout_page){.kind = LAYOUT_VALUE, .run = run};
	memcpy(page + 1, value.data, value.len);
	memset((unsigned char *)page + bytes, 0,
	       (size_t)run * LAYOUT_PAGE - bytes);
	return 0;
}

/* The value in a slot is going to be left. */
static int free_long(struct mmapdb *db, const struct layout_page *leaf,
		     unsigned int slot)
{
	struct layout_long ref;
	uint16_t len;
	const unsigned char *at = page_value(leaf, slot, &len);
	int error = 0;

	if (!(len & LAYOUT_LONG))
		return 0;
	memcpy(&ref, at, sizeof(ref));
	if (ref.pgno & LAYOUT_DIRTY) {
		uint32_t run = tree_dirty(db, ref.pgno & LAYOUT_PGNO)->run;

		while (!error && run-- > 0)
			error = free_page(db, ref.pgno + run);
	}
	return error;
}

/* ---- the way down, in copies ------------------------------------------------------ */

static struct layout_page *at_level(struct mmapdb *db,
				    const struct tree_path *path,
				    unsigned int level)
{
	return tree_dirty(db, path->page[level] & LAYOUT_PGNO);
}

/* Have a copy of the page; what names it is told by the caller. */
static int copy_page(struct mmapdb *db, uint32_t *ref, enum layout_kind kind)
{
	const struct layout_page *page;
	uint32_t copy = 0;
	int error;

	if (*ref & LAYOUT_DIRTY)
		return 0;
	error = tree_page(db, *ref, kind, &page);
	if (!error)
		error = new_pages(db, 1, &copy);
	if (error)
		return error;
	memcpy(tree_dirty(db, copy & LAYOUT_PGNO), page, LAYOUT_PAGE);
	*ref = copy;
	return 0;
}

static int copy_path(struct mmapdb *db, struct tree_path *path)
{
	for (unsigned int level = 0; level < path->depth; level++) {
		int error =
			copy_page(db, &path->page[level], tree_kind(db, level));

		if (error)
			return error;
		if (level == 0)
			db->version.root = path->page[0];
		else
			page_set_child(at_level(db, path, level - 1),
				       path->slot[level - 1],
				       path->page[level]);
	}
	return 0;
}

/* Have a copy of the page beside the path's at this level, at a slot of the page
 * above. */
static int copy_sibling(struct mmapdb *db, const struct tree_path *path,
			unsigned int level, unsigned int slot, uint32_t *ref)
{
	struct layout_page *parent = at_level(db, path, level - 1);
	int error;

	*ref = page_child(parent, slot);
	error = copy_page(db, ref, tree_kind(db, level));
	if (!error)
		page_set_child(parent, slot, *ref);
	return error;
}

/* ---- splitting ------------------------------------------------------------------- */

/* The shortest key that is above a and not above b. */
static uint16_t separator(const struct page_item *a, const struct page_item *b)
{
	uint16_t len = 0;

	while (len < a->len && len < b->len && a->key[len] == b->key[len])
		len++;
	return (uint16_t)(len + 1);
}

/* Where to cut n items into two pages, so that both fit. In the middle, as no
 * item is larger than a third of a page (see LAYOUT_INLINE); but where one at an
 * end has spoilt what the others had in common, it is left alone. */
static unsigned int cut(enum layout_kind kind, const struct page_item *items,
			unsigned int n)
{
	const unsigned int total = page_need(kind, items, n);
	const unsigned int prefix = page_prefix(kind, items, n);
	unsigned int at = 1, left = (unsigned int)sizeof(struct layout_page);

	while (at < n - 1) {
		left += page_item_bytes(kind, &items[at - 1], prefix);
		if (left >= total / 2)
			break;
		at++;
	}
	if (page_need(kind, items, at) <= LAYOUT_PAGE &&
	    page_need(kind, items + at, n - at) <= LAYOUT_PAGE)
		return at;
	return page_need(kind, items + 1, n - 1) <= LAYOUT_PAGE ? 1 : n - 1;
}

static int disorder(struct mmapdb *db)
{
	return handle_fail(db, -EBADMSG, "page %u: its keys are out of order",
			   db->base.root);
}

/* What is joined, or put between others, has to be in order: each page is, but
 * a file can be made whose pages do not fit together. */
static bool is_before(const struct page_item *a, const struct page_item *b)
{
	const int order =
		memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);

	return order ? order < 0 : a->len < b->len;
}

static bool has_place(const struct layout_page *branch, unsigned int slot,
		      const struct page_item *item)
{
	unsigned char key[MMAPDB_KEY_MAX];
	struct page_item other = {.key = key};

	if (slot > 1) {
		other.len = (uint16_t)page_key(branch, slot - 1, key);
		if (!is_before(&other, item))
			return false;
	}
	if (slot >= branch->count)
		return true;
	other.len = (uint16_t)page_key(branch, slot, key);
	return is_before(item, &other);
}

static int insert_item(struct mmapdb *db, const struct tree_path *path,
		       unsigned int level, unsigned int slot,
		       const struct page_item *item);

/* Tell the page above, at slot, of a child whose keys begin between a and b. */
static int insert_child(struct mmapdb *db, const struct tree_path *path,
			unsigned int level, unsigned int slot, uint32_t child,
			const struct page_item *a, const struct page_item *b)
{
	unsigned char key[MMAPDB_KEY_MAX]; /* b's may lie in the scratch */
	struct page_item item = {.key = key, .child = child};

	item.len =
		tree_kind(db, level) == LAYOUT_LEAF ? separator(a, b) : b->len;
	memcpy(key, b->key, item.len);
	return insert_item(db, path, level - 1, slot, &item);
}

/* A new root above the one that there is, and another page beside that. */
static int grow_root(struct mmapdb *db, uint32_t right,
		     const struct page_item *a, const struct page_item *b)
{
	struct page_item items[2] = {
		{.key = b->key, .child = db->version.root},
		{.key = b->key, .child = right},
	};
	uint32_t root = 0;
	int error = new_pages(db, 1, &root);

	if (error)
		return error;
	items[1].len = db->version.depth == 1 ? separator(a, b) : b->len;
	page_build(tree_dirty(db, root & LAYOUT_PGNO), LAYOUT_BRANCH, items, 2);
	db->version.root = root;
	db->version.depth++;
	return 0;
}

/* The path goes along the right edge of the tree. */
static bool is_last(struct mmapdb *db, const struct tree_path *path,
		    unsigned int level)
{
	for (unsigned int up = 0; up < level; up++)
		if (path->slot[up] + 1 < at_level(db, path, up)->count)
			return false;
	return true;
}

static int split(struct mmapdb *db, const struct tree_path *path,
		 unsigned int level, const struct page_item *items,
		 unsigned int n, unsigned int at)
{
	const enum layout_kind kind = tree_kind(db, level);
	uint32_t right = 0;
	int error = new_pages(db, 1, &right);

	if (error)
		return error;
	page_build(at_level(db, path, level), kind, items, at);
	page_build(tree_dirty(db, right & LAYOUT_PGNO), kind, items + at,
		   n - at);
	if (level == 0)
		return db->version.depth < MMAPDB_DEPTH_MAX
			       ? grow_root(db, right, &items[at - 1],
					   &items[at])
			       : handle_fail(db, -EOVERFLOW,
					     "the tree is too deep");
	return insert_child(db, path, level, path->slot[level - 1] + 1U, right,
			    &items[at - 1], &items[at]);
}

/* Share a leaf's items with the one at another slot of the page above. -EAGAIN:
 * that one is nearly full, too. */
static int share(struct mmapdb *db, const struct tree_path *path,
		 struct scratch *scratch, unsigned int n, unsigned int slot)
{
	const unsigned int level = path->depth - 1;
	const bool is_right = slot > path->slot[level - 1];
	struct layout_page *parent = at_level(db, path, level - 1);
	struct page_item *items = scratch->items;
	const struct layout_page *page;
	struct layout_page *left, *right;
	unsigned int at, m;
	uint32_t ref;
	int error = tree_page(db, page_child(parent, slot), LAYOUT_LEAF, &page);

	if (error)
		return error;
	if (page_used(page) > LAYOUT_PAGE - ROOM_WORTH_A_MOVE)
		return -EAGAIN;
	m = page->count;
	memcpy(scratch->page[1], page, LAYOUT_PAGE);
	if (!is_right)
		memmove(items + m, items, n * sizeof(*items));
	page_take((struct layout_page *)scratch->page[1],
		  is_right ? items + n : items,
		  scratch->keys + sizeof(scratch->keys) / 2);
	at = is_right ? n : m;
	if (!is_before(&items[at - 1], &items[at]))
		return disorder(db);
	at = cut(LAYOUT_LEAF, items, n + m);
	if (page_need(LAYOUT_LEAF, items, at) > LAYOUT_PAGE ||
	    page_need(LAYOUT_LEAF, items + at, n + m - at) > LAYOUT_PAGE) {
		if (!is_right)
			memmove(items, items + m, n * sizeof(*items));
		return -EAGAIN;
	}
	error = copy_sibling(db, path, level, slot, &ref);
	if (error)
		return error;
	left = right = at_level(db, path, level);
	*(is_right ? &right : &left) = tree_dirty(db, ref & LAYOUT_PGNO);
	page_build(left, LAYOUT_LEAF, items, at);
	page_build(right, LAYOUT_LEAF, items + at, n + m - at);
	if (!is_right) {
		slot = path->slot[level - 1];
		ref = path->page[level];
	}
	page_remove(parent, slot);
	return insert_child(db, path, level, slot, ref, &items[at - 1],
			    &items[at]);
}

/* A leaf is full of n items: try its neighbours. */
static int share_or_split(struct mmapdb *db, const struct tree_path *path,
			  struct scratch *scratch, unsigned int n)
{
	const unsigned int level = path->depth - 1;
	int error = -EAGAIN;

	if (level > 0) {
		const unsigned int slot = path->slot[level - 1];

		if (slot + 1U < at_level(db, path, level - 1)->count)
			error = share(db, path, scratch, n, slot + 1);
		if (error == -EAGAIN && slot > 0)
			error = share(db, path, scratch, n, slot - 1);
	}
	return error == -EAGAIN ? split(db, path, level, scratch->items, n,
					cut(LAYOUT_LEAF, scratch->items, n))
				: error;
}

static int insert_item(struct mmapdb *db, const struct tree_path *path,
		       unsigned int level, unsigned int slot,
		       const struct page_item *item)
{
	const enum layout_kind kind = tree_kind(db, level);
	struct scratch *scratch = db->dirty.scratch;
	struct layout_page *page = at_level(db, path, level);
	struct page_item *items = scratch->items;
	unsigned int n = page->count;

	if (kind == LAYOUT_BRANCH && !has_place(page, slot, item))
		return disorder(db);
	if (page_insert(page, slot, item) == 0)
		return 0;
	memcpy(scratch->page[0], page, LAYOUT_PAGE);
	page_take((struct layout_page *)scratch->page[0], items, scratch->keys);
	memmove(items + slot + 1, items + slot, (n - slot) * sizeof(*items));
	items[slot] = *item;
	n++;
	if (page_need(kind, items, n) <= LAYOUT_PAGE) {
		page_build(page, kind, items, n);
		return 0;
	}
	if (slot == n - 1 && is_last(db, path, level))
		return split(db, path, level, items, n, n - 1);
	if (kind == LAYOUT_LEAF)
		return share_or_split(db, path, scratch, n);
	return split(db, path, level, items, n, cut(kind, items, n));
}

/* ---- put ------------------------------------------------------------------------- */

static int put_first(struct mmapdb *db, const struct page_item *item)
{
	int error = new_pages(db, 1, &db->version.root);

	if (error)
		return error;
	page_build(tree_dirty(db, db->version.root & LAYOUT_PGNO), LAYOUT_LEAF,
		   item, 1);
	db->version.depth = 1;
	return 0;
}

/* Take the old value out; 1: the new one of the same length stands in its
 * place. */
static int replace(struct mmapdb *db, struct layout_page *leaf,
		   unsigned int slot, const struct page_item *item)
{
	uint16_t len;
	const unsigned char *at = page_value(leaf, slot, &len);
	int error = free_long(db, leaf, slot);

	if (error)
		return error;
	if (len == item->value_len) {
		memcpy((unsigned char *)leaf +
			       (at - (const unsigned char *)leaf),
		       item->value, page_value_bytes(len));
		return 1;
	}
	page_remove(leaf, slot);
	return 0;
}

static int put_item(struct mmapdb *db, const struct page_item *item)
{
	const struct mmapdb_bytes key = {item->key, item->len};
	struct tree_path path;
	unsigned int leaf;
	bool is_equal;
	int error = tree_find(db, key, &path, &is_equal);

	if (error)
		return error;
	if (!is_equal)
		db->version.records++;
	if (path.depth == 0)
		return put_first(db, item);
	leaf = path.depth - 1;
	error = copy_path(db, &path);
	if (!error && is_equal)
		error = replace(db, at_level(db, &path, leaf), path.slot[leaf],
				item);
	if (error)
		return error < 0 ? error : 0;
	return insert_item(db, &path, leaf, path.slot[leaf], item);
}

/* A value that mmapdb_get() gave may lie in a page that is about to change. */
static const void *out_of_arena(const struct mmapdb *db,
				struct mmapdb_bytes bytes, unsigned char *copy)
{
	const unsigned char *at = bytes.data;

	if (at < db->dirty.arena ||
	    at >= db->dirty.arena + db->dirty.used * LAYOUT_PAGE)
		return at;
	memcpy(copy, at, bytes.len);
	return copy;
}

int write_put(struct mmapdb *db, struct mmapdb_bytes key,
	      struct mmapdb_bytes value)
{
	unsigned char key_copy[MMAPDB_KEY_MAX], value_copy[LAYOUT_INLINE];
	struct page_item item = {
		.key = out_of_arena(db, key, key_copy),
		.len = (uint16_t)key.len,
	};
	struct layout_long ref = {0};

	db->dirty.changes++;
	db->version.logical_end +=
		(key.len + value.len + MMAPDB_RECORD_UNIT - 1) /
		MMAPDB_RECORD_UNIT * MMAPDB_RECORD_UNIT;
	if (!value.len)
		value.data = ""; /* and not NULL */
	if (key.len + value.len <= LAYOUT_INLINE) {
		item.value = out_of_arena(db, value, value_copy);
		item.value_len = (uint16_t)value.len;
	} else {
		int error = put_long(db, value, &ref);

		if (error)
			return error;
		item.value = (const unsigned char *)&ref;
		item.value_len = LAYOUT_LONG;
	}
	return put_item(db, &item);
}

/* ---- del ------------------------------------------------------------------------- */

static int shrink(struct mmapdb *db, const struct tree_path *path,
		  unsigned int level);

/* Join a page that has little with one beside it, if there is room. */
static int merge(struct mmapdb *db, const struct tree_path *path,
		 unsigned int level)
{
	const enum layout_kind kind = tree_kind(db, level);
	struct scratch *scratch = db->dirty.scratch;
	struct layout_page *parent = at_level(db, path, level - 1);
	struct layout_page *page = at_level(db, path, level);
	const unsigned int mine = path->slot[level - 1];
	const unsigned int right = mine + 1U < parent->count ? mine + 1 : mine;
	const unsigned int other = right == mine ? mine - 1 : right;
	struct layout_page *left_copy = (struct layout_page *)scratch->page[0];
	struct layout_page *right_copy = (struct layout_page *)scratch->page[1];
	unsigned char *keys = scratch->keys + sizeof(scratch->keys) / 2;
	const struct layout_page *sibling;
	unsigned char key[MMAPDB_KEY_MAX];
	unsigned int n;
	uint32_t ref;
	int error;

	if (parent->count < 2)
		return 0;
	ref = page_child(parent, other);
	error = tree_page(db, ref, kind, &sibling);
	if (error)
		return error;
	memcpy(left_copy, right == mine ? sibling : page, LAYOUT_PAGE);
	memcpy(right_copy, right == mine ? page : sibling, LAYOUT_PAGE);
	page_take(left_copy, scratch->items, scratch->keys);
	n = left_copy->count;
	page_take(right_copy, scratch->items + n, keys);
	if (kind == LAYOUT_BRANCH) {
		/* What was not looked at, now is. */
		scratch->items[n].len = (uint16_t)page_key(parent, right, key);
		scratch->items[n].key = key;
	}
	if (left_copy->count > (kind == LAYOUT_BRANCH) &&
	    !is_before(&scratch->items[n - 1], &scratch->items[n]))
		return disorder(db);
	if (kind == LAYOUT_BRANCH && right_copy->count > 1 &&
	    !is_before(&scratch->items[n], &scratch->items[n + 1]))
		return disorder(db);
	n += right_copy->count;
	if (page_need(kind, scratch->items, n) > USED_AFTER_MERGE)
		return 0;
	page_build(page, kind, scratch->items, n);
	page_set_child(parent, right - 1, path->page[level]);
	page_remove(parent, right);
	error = free_page(db, ref);
	return error ? error : shrink(db, path, level - 1);
}

/* The root is empty, or has one child. */
static int shrink_root(struct mmapdb *db)
{
	while (db->version.depth > 0) {
		const uint32_t root = db->version.root;
		const struct layout_page *page;
		int error = tree_page(db, root, tree_kind(db, 0), &page);

		if (error)
			return error;
		if (page->count > 1 ||
		    (page->count == 1 && page->kind == LAYOUT_LEAF))
			return 0;
		db->version.root =
			page->count ? page_child(page, 0) & ~LAYOUT_OVERFLOW
				    : 0;
		db->version.depth = page->count ? db->version.depth - 1 : 0;
		error = free_page(db, root);
		if (error)
			return error;
	}
	return 0;
}

/* Something was taken from the page at this level. */
static int shrink(struct mmapdb *db, const struct tree_path *path,
		  unsigned int level)
{
	struct layout_page *page = at_level(db, path, level);
	int error;

	if (level == 0)
		return shrink_root(db);
	if (page->count > 0)
		return page_used(page) < USED_TOO_LITTLE
			       ? merge(db, path, level)
			       : 0;
	page_remove(at_level(db, path, level - 1), path->slot[level - 1]);
	error = free_page(db, path->page[level]);
	return error ? error : shrink(db, path, level - 1);
}

int write_del(struct mmapdb *db, struct mmapdb_bytes key)
{
	struct tree_path path;
	struct layout_page *page;
	unsigned int leaf;
	bool is_equal;
	int error = tree_find(db, key, &path, &is_equal);

	if (!error && !is_equal)
		error = handle_fail(db, -ENOENT, "there is no such key");
	if (!error)
		error = copy_path(db, &path);
	if (error)
		return error;
	db->dirty.changes++;
	db->version.records--;
	leaf = path.depth - 1;
	page = at_level(db, &path, leaf);
	error = free_long(db, page, path.slot[leaf]);
	if (error)
		return error;
	page_remove(page, path.slot[leaf]);
	return shrink(db, &path, leaf);
}
