/* tree.h - from a key to its record: pages, checked, and the way between them. */
#ifndef UNIXIPC_P14_MMAPDB_TREE_H
#define UNIXIPC_P14_MMAPDB_TREE_H

#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/page.h"

/* The pages from the root to a leaf, and in each the slot that was taken. */
struct tree_path {
	uint32_t depth;
	uint32_t page[MMAPDB_DEPTH_MAX]; /* references */
	uint16_t slot[MMAPDB_DEPTH_MAX];
};

/* The slow way of tree_page(): check it first. */
int tree_check_page(struct mmapdb *db, uint32_t pgno, enum layout_kind kind);

/* The copy in memory of a page that this transaction writes. */
static inline struct layout_page *tree_dirty(const struct mmapdb *db,
					     uint32_t index)
{
	return (struct layout_page *)(db->dirty.arena +
				      (size_t)index * LAYOUT_PAGE);
}

/* The next of them from index on that is in use, or NULL; *index is that behind
 * it. */
struct layout_page *tree_next_dirty(const struct mmapdb *db, size_t *index);

/* What a handle notes of a page that it has checked: never 0, whatever number a
 * page claims. */
static inline uint32_t tree_tag(uint64_t txnid)
{
	return (uint32_t)txnid << 1 | 1;
}

/* The page of a reference that the transaction's tree has. Returns 0, or
 * -EBADMSG when it is not what it should be. Each version of a page is checked
 * once. */
static inline int tree_page(struct mmapdb *db, uint32_t ref,
			    enum layout_kind kind,
			    const struct layout_page **page)
{
	const uint32_t pgno = ref & LAYOUT_PGNO;

	if (__builtin_expect((ref & LAYOUT_DIRTY) != 0, 0)) {
		*page = tree_dirty(db, pgno);
		return 0;
	}
	*page = (const struct layout_page *)(db->map +
					     (size_t)pgno * LAYOUT_PAGE);
	if (__builtin_expect(pgno >= db->version.pages ||
				     db->tags[pgno] !=
					     tree_tag((*page)->txnid) ||
				     (*page)->kind != kind,
			     0))
		return tree_check_page(db, pgno, kind);
	return 0;
}

/* What kind of page stands at a level of the transaction's tree. */
static inline enum layout_kind tree_kind(const struct mmapdb *db,
					 unsigned int level)
{
	return level + 1 == db->version.depth ? LAYOUT_LEAF : LAYOUT_BRANCH;
}

/* Go from the root to where the key stands or would stand. *is_equal: it is
 * there. An empty tree is a path of depth 0. */
int tree_find(struct mmapdb *db, struct mmapdb_bytes key,
	      struct tree_path *path, bool *is_equal);

/* The value in a slot of a leaf. */
int tree_value(struct mmapdb *db, const struct layout_page *leaf,
	       unsigned int slot, struct mmapdb_bytes *value);

/* mmapdb_get(), in an open transaction. */
int tree_get(struct mmapdb *db, struct mmapdb_bytes key,
	     struct mmapdb_bytes *value);

static inline void tree_set_mark(uint64_t *bits, uint32_t pgno)
{
	bits[pgno / 64] |= UINT64_C(1) << pgno % 64;
}

/* Set a bit for each page of a version's tree, reading no leaves but those with
 * overflow pages. What has its bit already is taken to be done. Counts, if stat
 * is not NULL. */
int tree_mark(struct mmapdb *db, uint32_t root, uint32_t depth, uint64_t *bits,
	      struct mmapdb_stat *stat);

#endif
