/* build.c - from the bottom up: each level collects the items of one page, and
 * when no more fit, writes the page and tells the level above. */
#include "p14-mmapdb/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/page.h"

enum { ITEMS_MAX = LAYOUT_PAGE / 8 };

struct level {
	unsigned int n;
	struct page_item items[ITEMS_MAX];
	struct layout_long longs[ITEMS_MAX];
	unsigned char keys[ITEMS_MAX][MMAPDB_KEY_MAX];
};

struct build {
	int fd;
	uint64_t txnid;
	uint32_t next; /* page to write */
	unsigned int depth;
	struct level *levels[MMAPDB_DEPTH_MAX]; /* 0: leaves */
};

static int write_page(struct build *build, struct layout_page *page)
{
	const size_t bytes = (size_t)page->run * LAYOUT_PAGE;
	int error;

	if (page->run > LAYOUT_PGNO - build->next)
		return -EFBIG;
	page->pgno = build->next;
	page->txnid = build->txnid;
	page->crc = page_checksum(page);
	error = output_write(build->fd, page, bytes,
			     (uint64_t)page->pgno * LAYOUT_PAGE);
	build->next += page->run;
	return error;
}

static int add(struct build *build, unsigned int at,
	       const struct page_item *item);

/* Write the page that a level has collected; the level above, if there is to be
 * one, gets its first key. */
static int write_level(struct build *build, unsigned int at, bool is_root,
		       uint32_t *root)
{
	_Alignas(16) unsigned char bytes[LAYOUT_PAGE] = {0};
	struct layout_page *page = (struct layout_page *)bytes;
	struct level *level = build->levels[at];
	struct page_item item = level->items[0];
	int error;

	page_build(page, at ? LAYOUT_BRANCH : LAYOUT_LEAF, level->items,
		   level->n);
	for (unsigned int i = 0; at == 1 && i < level->n; i++)
		page->has_overflow |=
			(level->items[i].child & LAYOUT_OVERFLOW) != 0;
	if (at)
		page->has_overflow = 0;
	error = write_page(build, page);
	item.child = page->pgno | (page->has_overflow ? LAYOUT_OVERFLOW : 0);
	level->n = 0;
	*root = page->pgno;
	return error || is_root ? error : add(build, at + 1, &item);
}

static int add(struct build *build, unsigned int at,
	       const struct page_item *item)
{
	struct level *level;
	uint32_t root;
	unsigned int n;

	if (at == MMAPDB_DEPTH_MAX)
		return -EOVERFLOW;
	if (at == build->depth) {
		build->levels[at] = calloc(1, sizeof(*level));
		if (!build->levels[at])
			return -ENOMEM;
		build->depth++;
	}
	level = build->levels[at];
	n = level->n;
	level->items[n] = *item;
	if (n > 0 && page_need(at ? LAYOUT_BRANCH : LAYOUT_LEAF, level->items,
			       n + 1) > LAYOUT_PAGE - 4) {
		int error = write_level(build, at, false, &root);

		if (error)
			return error;
		n = 0;
	}
	memcpy(level->keys[n], item->key, item->len);
	level->items[n] = *item;
	level->items[n].key = level->keys[n];
	if (!at && item->value_len & LAYOUT_LONG) {
		memcpy(&level->longs[n], item->value, sizeof(level->longs[n]));
		level->items[n].value = (unsigned char *)&level->longs[n];
	}
	level->n = n + 1;
	return 0;
}

/* A long value, in pages of its own. */
static int write_long(struct build *build, struct mmapdb_bytes value,
		      struct layout_long *ref)
{
	const size_t bytes = sizeof(struct layout_page) + value.len;
	const uint32_t run =
		(uint32_t)((bytes + LAYOUT_PAGE - 1) / LAYOUT_PAGE);
	struct layout_page *page = calloc(run, LAYOUT_PAGE);
	int error;

	if (!page)
		return -ENOMEM;
	*page = (struct layout_page){.kind = LAYOUT_VALUE, .run = run};
	memcpy(page + 1, value.data, value.len);
	error = write_page(build, page);
	*ref = (struct layout_long){(uint32_t)value.len, page->pgno};
	free(page);
	return error;
}

static int add_record(struct build *build, const struct mmapdb_cursor *cursor)
{
	struct page_item item = {
		.key = cursor->key.data,
		.len = (uint16_t)cursor->key.len,
		.value = cursor->value.data,
		.value_len = (uint16_t)cursor->value.len,
	};
	struct layout_long ref;

	if (cursor->key.len + cursor->value.len > LAYOUT_INLINE) {
		int error = write_long(build, cursor->value, &ref);

		if (error)
			return error;
		item.value = (const unsigned char *)&ref;
		item.value_len = LAYOUT_LONG;
	}
	return add(build, 0, &item);
}

/* What the levels still have; the last page is the root. */
static int finish(struct build *build, struct layout_version *version)
{
	int error = 0;

	for (unsigned int at = 0; !error && at < build->depth; at++)
		error = write_level(build, at, at + 1 == build->depth,
				    &version->root);
	version->depth = build->depth;
	version->pages = build->next;
	return error;
}

static int build_tree(struct mmapdb *db, struct build *build,
		      struct layout_version *version)
{
	struct mmapdb_cursor cursor;
	int error = mmapdb_cursor_open(&cursor, db, NULL);

	while (!error) {
		error = mmapdb_cursor_next(&cursor);
		if (error)
			break;
		error = add_record(build, &cursor);
		if (error)
			handle_fail(db, error, "cannot write the copy");
	}
	if (error != -ENOENT)
		return error;
	error = finish(build, version);
	return error ? handle_fail(db, error, "cannot write the copy") : 0;
}

int build_copy(struct mmapdb *db, int fd, const uint8_t id[16])
{
	struct layout_version version = db->version;
	struct build build = {
		.fd = fd,
		.txnid = version.txnid,
		.next = LAYOUT_FIRST,
	};
	struct mmapdb copy = {.fd = fd, .max_pages = db->max_pages};
	uint32_t crc;
	int error = meta_init(fd, id, LAYOUT_FIRST, db->max_pages);

	version.root = 0;
	if (error)
		return handle_fail(db, error, "cannot write the copy");
	error = build_tree(db, &build, &version);
	for (unsigned int at = 0; at < build.depth; at++)
		free(build.levels[at]);
	if (error)
		return error;
	memcpy(copy.id, id, sizeof(copy.id));
	error = meta_write(&copy, 0, &version, NULL, 0, &crc);
	return error ? handle_fail(db, error, "cannot write the copy") : 0;
}
