/* tree.c - reading. The depth of a tree is in its version, so that a damaged
 * file cannot lead us round in circles. */
#include "p14-mmapdb/tree.h"

#include <errno.h>

int tree_check_page(struct mmapdb *db, uint32_t pgno, enum layout_kind kind)
{
	const struct layout_page *page;
	const char *fault = NULL;

	if (pgno < LAYOUT_FIRST || pgno >= db->version.pages)
		return handle_fail(db, -EBADMSG,
				   "page %u: there is none of this number",
				   pgno);
	page = (const struct layout_page *)(db->map +
					    (size_t)pgno * LAYOUT_PAGE);
	fault = page_fault(page, pgno, db->version.pages);
	if (!fault && page->kind != kind)
		fault = "it is of another kind";
	if (!fault && page->txnid > db->version.txnid)
		fault = "it is of a later version";
	if (fault)
		return handle_fail(db, -EBADMSG, "page %u: %s", pgno, fault);
	db->tags[pgno] = tree_tag(page->txnid);
	return 0;
}

struct layout_page *tree_next_dirty(const struct mmapdb *db, size_t *index)
{
	while (*index < db->dirty.used) {
		struct layout_page *page = tree_dirty(db, (uint32_t)*index);

		*index += page->kind == LAYOUT_VALUE ? page->run : 1;
		if (page->kind)
			return page;
	}
	return NULL;
}

int tree_find(struct mmapdb *db, struct mmapdb_bytes key,
	      struct tree_path *path, bool *is_equal)
{
	const struct layout_page *page;
	uint32_t ref = db->version.root;

	path->depth = db->version.depth;
	*is_equal = false;
	for (unsigned int level = 0; level < path->depth; level++) {
		const enum layout_kind kind = tree_kind(db, level);
		int error = tree_page(db, ref, kind, &page);

		if (error)
			return error;
		path->page[level] = ref;
		path->slot[level] = (uint16_t)page_search(page, key, is_equal);
		if (kind == LAYOUT_LEAF)
			break;
		ref = page_child(page, --path->slot[level]);
	}
	return 0;
}

/* A long value: its pages follow each other, the first has the checksum. */
static int long_value(struct mmapdb *db, const unsigned char *at,
		      struct mmapdb_bytes *value)
{
	const struct layout_page *page;
	struct layout_long ref;
	int error;

	memcpy(&ref, at, sizeof(ref));
	error = tree_page(db, ref.pgno, LAYOUT_VALUE, &page);
	if (error)
		return error;
	if (ref.len > (uint64_t)page->run * LAYOUT_PAGE - sizeof(*page))
		return handle_fail(db, -EBADMSG, "page %u: it is too short",
				   ref.pgno);
	*value = (struct mmapdb_bytes){page + 1, ref.len};
	return 0;
}

int tree_value(struct mmapdb *db, const struct layout_page *leaf,
	       unsigned int slot, struct mmapdb_bytes *value)
{
	uint16_t len;
	const unsigned char *at = page_value(leaf, slot, &len);

	if (len & LAYOUT_LONG)
		return long_value(db, at, value);
	*value = (struct mmapdb_bytes){at, len};
	return 0;
}

int tree_get(struct mmapdb *db, struct mmapdb_bytes key,
	     struct mmapdb_bytes *value)
{
	const struct layout_page *page;
	uint32_t ref = db->version.root;
	bool is_equal;

	for (unsigned int level = 0; level < db->version.depth; level++) {
		const enum layout_kind kind = tree_kind(db, level);
		int error = tree_page(db, ref, kind, &page);
		unsigned int slot;

		if (error)
			return error;
		slot = page_search(page, key, &is_equal);
		if (kind == LAYOUT_BRANCH)
			ref = page_child(page, slot - 1);
		else if (is_equal)
			return tree_value(db, page, slot, value);
	}
	return handle_fail(db, -ENOENT, "there is no such key");
}

/* ---- marking ----------------------------------------------------------------- */

struct marking {
	struct mmapdb *db;
	uint64_t *bits;
	struct mmapdb_stat *stat;
	uint32_t depth;
};

static bool has_mark(const uint64_t *bits, uint32_t pgno)
{
	return bits[pgno / 64] >> pgno % 64 & 1;
}

static int mark_values(struct marking *marking, uint32_t ref)
{
	const struct layout_page *leaf, *page;
	struct layout_long long_ref;
	uint16_t len;
	int error = tree_page(marking->db, ref, LAYOUT_LEAF, &leaf);

	for (unsigned int i = 0; !error && i < leaf->count; i++) {
		const unsigned char *at = page_value(leaf, i, &len);

		if (!(len & LAYOUT_LONG))
			continue;
		memcpy(&long_ref, at, sizeof(long_ref));
		error = tree_page(marking->db, long_ref.pgno, LAYOUT_VALUE,
				  &page);
		for (uint32_t n = 0; !error && n < page->run; n++)
			tree_set_mark(marking->bits, long_ref.pgno + n);
		if (!error && marking->stat)
			marking->stat->overflow_pages += page->run;
	}
	return error;
}

static int mark(struct marking *marking, uint32_t ref, unsigned int level)
{
	const uint32_t pgno = ref & LAYOUT_PGNO;
	const struct layout_page *page;
	int error;

	if (pgno < LAYOUT_FIRST || pgno >= marking->db->version.pages)
		return handle_fail(marking->db, -EBADMSG,
				   "page %u: there is none of this number",
				   pgno);
	if (has_mark(marking->bits, pgno))
		return 0;
	tree_set_mark(marking->bits, pgno);
	if (level + 1 == marking->depth) {
		if (marking->stat)
			marking->stat->leaf_pages++;
		return ref & LAYOUT_OVERFLOW ? mark_values(marking, ref) : 0;
	}
	if (marking->stat)
		marking->stat->branch_pages++;
	error = tree_page(marking->db, ref, LAYOUT_BRANCH, &page);
	for (unsigned int i = 0; !error && i < page->count; i++)
		error = mark(marking, page_child(page, i), level + 1);
	return error;
}

int tree_mark(struct mmapdb *db, uint32_t root, uint32_t depth, uint64_t *bits,
	      struct mmapdb_stat *stat)
{
	struct marking marking = {db, bits, stat, depth};
	const struct layout_page *page;
	int error;

	if (!depth)
		return 0;
	/* A root that is a leaf has no parent to say what it has. */
	if (depth == 1) {
		error = tree_page(db, root, LAYOUT_LEAF, &page);
		if (error)
			return error;
		if (page->has_overflow)
			root |= LAYOUT_OVERFLOW;
	}
	return mark(&marking, root, 0);
}
