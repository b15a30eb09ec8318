/* cursor.c - from record to record. A cursor keeps the way from the root, as
 * leaves do not know each other: in a copy-on-write tree, each would have to be
 * written anew with its neighbour. */
#include <errno.h>
#include <string.h>

#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/tree.h"

/* ---- the range ------------------------------------------------------------------- */

static int compare(struct mmapdb_bytes a, struct mmapdb_bytes b)
{
	const int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The greater of from and prefix: the first key that there can be. */
static struct mmapdb_bytes first_key(const struct mmapdb_range *range)
{
	if (range->prefix.len == 0 ||
	    (range->from.len > 0 && compare(range->from, range->prefix) > 0))
		return range->from;
	return range->prefix;
}

static bool is_inside(const struct mmapdb_range *range, struct mmapdb_bytes key)
{
	const struct mmapdb_bytes *prefix = &range->prefix;

	return (range->from.len == 0 || compare(key, range->from) >= 0) &&
	       (range->to.len == 0 || compare(key, range->to) < 0) &&
	       key.len >= prefix->len &&
	       (prefix->len == 0 ||
		memcmp(key.data, prefix->data, prefix->len) == 0);
}

/* ---- the way --------------------------------------------------------------------- */

static int demand(struct mmapdb_cursor *cursor)
{
	struct mmapdb *db = cursor->db;

	if (!*db->guard)
		return handle_fail(db, -ECHILD,
				   "the handle is the parent process's");
	if (db->transaction == HANDLE_NONE ||
	    cursor->changes != db->dirty.changes)
		return handle_fail(db, -ESTALE,
				   "the cursor is of before a change");
	return 0;
}

static int page_at(struct mmapdb_cursor *cursor, unsigned int level,
		   const struct layout_page **page)
{
	return tree_page(cursor->db, cursor->page[level],
			 tree_kind(cursor->db, level), page);
}

static int none(struct mmapdb_cursor *cursor)
{
	cursor->depth = 0;
	return handle_fail(cursor->db, -ENOENT, "there is no such key");
}

/* Give the record where the way ends, if it is in the range. */
static int arrive(struct mmapdb_cursor *cursor)
{
	const unsigned int level = cursor->depth - 1;
	const struct layout_page *leaf;
	int error = page_at(cursor, level, &leaf);

	if (error)
		return error;
	cursor->key.data = cursor->bytes;
	cursor->key.len = page_key(leaf, cursor->slot[level], cursor->bytes);
	if (!is_inside(&cursor->range, cursor->key))
		return none(cursor);
	return tree_value(cursor->db, leaf, cursor->slot[level],
			  &cursor->value);
}

/* From a page down to its first or last record. */
static int descend(struct mmapdb_cursor *cursor, unsigned int level,
		   bool is_last)
{
	const struct layout_page *page;
	int error = 0;

	for (; !error && level < cursor->depth; level++) {
		if (level > 0) {
			error = page_at(cursor, level - 1, &page);
			if (error)
				break;
			cursor->page[level] =
				page_child(page, cursor->slot[level - 1]);
		}
		error = page_at(cursor, level, &page);
		if (!error)
			cursor->slot[level] =
				is_last ? (uint16_t)(page->count - 1) : 0;
	}
	return error;
}

/* One record on, or back. */
static int step(struct mmapdb_cursor *cursor, bool is_back)
{
	const struct layout_page *page;
	unsigned int level = cursor->depth;
	int error;

	while (level-- > 0) {
		error = page_at(cursor, level, &page);
		if (error)
			return error;
		if (is_back ? cursor->slot[level] > 0
			    : cursor->slot[level] + 1 < page->count)
			break;
	}
	if (level == UINT32_MAX)
		return none(cursor);
	cursor->slot[level] =
		(uint16_t)(cursor->slot[level] + (is_back ? -1 : 1));
	error = descend(cursor, level + 1, is_back);
	return error ? error : arrive(cursor);
}

/* Stand where the key is, or before the first that is greater, which may be
 * behind the end of the leaf; then take that one, or the one before. */
static int stand_at(struct mmapdb_cursor *cursor, struct mmapdb_bytes key,
		    bool is_before)
{
	const struct layout_page *leaf;
	struct tree_path path;
	unsigned int level;
	bool is_equal;
	int error = tree_find(cursor->db, key, &path, &is_equal);

	cursor->depth = 0;
	if (error)
		return error;
	if (!path.depth)
		return none(cursor);
	cursor->depth = path.depth;
	memcpy(cursor->page, path.page, path.depth * sizeof(*path.page));
	memcpy(cursor->slot, path.slot, path.depth * sizeof(*path.slot));
	if (is_before)
		return step(cursor, true);
	level = path.depth - 1;
	error = page_at(cursor, level, &leaf);
	if (error)
		return error;
	if (cursor->slot[level] < leaf->count)
		return arrive(cursor);
	cursor->slot[level]--;
	return step(cursor, false);
}

static int stand_at_end(struct mmapdb_cursor *cursor, bool is_last)
{
	int error;

	cursor->depth = cursor->db->version.depth;
	if (!cursor->depth)
		return none(cursor);
	cursor->page[0] = cursor->db->version.root;
	error = descend(cursor, 0, is_last);
	return error ? error : arrive(cursor);
}

/* ---- what others call -------------------------------------------------------------- */

int mmapdb_cursor_open(struct mmapdb_cursor *cursor, struct mmapdb *db,
		       const struct mmapdb_range *range)
{
	static const struct mmapdb_range all;

	cursor->db = db;
	cursor->range = range ? *range : all;
	cursor->changes = db->dirty.changes;
	cursor->depth = 0;
	return demand(cursor);
}

int mmapdb_cursor_first(struct mmapdb_cursor *cursor)
{
	const struct mmapdb_bytes key = first_key(&cursor->range);
	int error = demand(cursor);

	if (error)
		return error;
	return key.len ? stand_at(cursor, key, false)
		       : stand_at_end(cursor, false);
}

int mmapdb_cursor_last(struct mmapdb_cursor *cursor)
{
	const struct mmapdb_range *range = &cursor->range;
	unsigned char beyond[MMAPDB_KEY_MAX + 1];
	const struct mmapdb_bytes end = {beyond, sizeof(beyond)};
	int error = demand(cursor);

	if (error)
		return error;
	/* Greater than each key that begins with the prefix. */
	memset(beyond, 0xff, sizeof(beyond));
	if (range->prefix.len > MMAPDB_KEY_MAX)
		return none(cursor);
	if (range->prefix.len)
		memcpy(beyond, range->prefix.data, range->prefix.len);
	if (range->to.len && compare(range->to, end) < 0)
		return stand_at(cursor, range->to, true);
	return stand_at(cursor, end, true);
}

int mmapdb_cursor_seek(struct mmapdb_cursor *cursor, struct mmapdb_bytes key)
{
	const struct mmapdb_bytes first = first_key(&cursor->range);
	int error = demand(cursor);

	if (error)
		return error;
	if (first.len && (!key.len || compare(key, first) < 0))
		key = first;
	return key.len ? stand_at(cursor, key, false)
		       : stand_at_end(cursor, false);
}

int mmapdb_cursor_next(struct mmapdb_cursor *cursor)
{
	int error = demand(cursor);

	if (error)
		return error;
	return cursor->depth ? step(cursor, false)
			     : mmapdb_cursor_first(cursor);
}

int mmapdb_cursor_prev(struct mmapdb_cursor *cursor)
{
	int error = demand(cursor);

	if (error)
		return error;
	return cursor->depth ? step(cursor, true) : mmapdb_cursor_last(cursor);
}
