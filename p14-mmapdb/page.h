/* page.h - one page of the tree: its checksum, its structure, its records. */
#ifndef UNIXIPC_P14_MMAPDB_PAGE_H
#define UNIXIPC_P14_MMAPDB_PAGE_H

#include <stdbool.h>
#include <string.h>

#include "p14-mmapdb/layout.h"
#include "p14-mmapdb/mmapdb.h"

/* A record or a child with its whole key, on its way into a page. */
struct page_item {
	const unsigned char *key;
	const unsigned char *value; /* of a leaf; a layout_long with LONG set */
	uint32_t child;             /* of a branch */
	uint16_t len;
	uint16_t value_len; /* with LAYOUT_LONG */
};

static inline const struct layout_slot *page_slot(
	const struct layout_page *page, unsigned int i)
{
	return (const struct layout_slot *)(page + 1) + i;
}

/* The cell of a slot. */
static inline const unsigned char *page_cell(const struct layout_page *page,
					     unsigned int i)
{
	return (const unsigned char *)page + page_slot(page, i)->at;
}

/* How many bytes of this key stand in the cell. */
static inline unsigned int page_rest(const struct layout_page *page,
				     unsigned int i)
{
	const unsigned int len = page_slot(page, i)->len;

	return len > 4 ? len - 4 : 0;
}

static inline uint32_t page_child(const struct layout_page *page,
				  unsigned int i)
{
	uint32_t child;

	memcpy(&child, page_cell(page, i), sizeof(child));
	return child;
}

/* The bytes of a value as they stand in the leaf, and their length with
 * LAYOUT_LONG. */
static inline const unsigned char *page_value(const struct layout_page *page,
					      unsigned int i, uint16_t *len)
{
	memcpy(len, page_cell(page, i), sizeof(*len));
	return page_cell(page, i) + sizeof(*len) + page_rest(page, i);
}

/* How many bytes such a value takes in the leaf. */
static inline unsigned int page_value_bytes(uint16_t value_len)
{
	return value_len & LAYOUT_LONG
		       ? (unsigned int)sizeof(struct layout_long)
		       : value_len;
}

uint32_t page_checksum(const struct layout_page *page);

/* What is wrong with a page of pages pages that should be number pgno; NULL when
 * nothing is. Reads page->run pages, if there are so many. */
const char *page_fault(const struct layout_page *page, uint32_t pgno,
		       uint64_t pages);

/* In a leaf: the first slot that is not less than key, count if there is none.
 * In a branch: the one behind the child that the key belongs to. */
unsigned int page_search(const struct layout_page *page,
			 struct mmapdb_bytes key, bool *is_equal);

/* The whole key; its length. */
unsigned int page_key(const struct layout_page *page, unsigned int i,
		      unsigned char key[MMAPDB_KEY_MAX]);

/* Of a private page. -ENOSPC: it does not fit, or the prefix does not. */
int page_insert(struct layout_page *page, unsigned int i,
		const struct page_item *item);
void page_remove(struct layout_page *page, unsigned int i);
void page_set_child(struct layout_page *page, unsigned int i, uint32_t child);

/* The items of a page, their keys in bytes: MMAPDB_KEY_MAX for each. */
void page_take(const struct layout_page *page, struct page_item *items,
	       unsigned char *bytes);

/* What the keys of n > 0 items begin with, those that are looked at. */
unsigned int page_prefix(enum layout_kind kind, const struct page_item *items,
			 unsigned int n);

/* Bytes that an item takes in a page of such a prefix, and bytes that a page of n
 * items would take, header included. */
unsigned int page_item_bytes(enum layout_kind kind,
			     const struct page_item *item, unsigned int prefix);
unsigned int page_need(enum layout_kind kind, const struct page_item *items,
		       unsigned int n);

/* Make a page of items that fit. They must not lie in this page. */
void page_build(struct layout_page *page, enum layout_kind kind,
		const struct page_item *items, unsigned int n);

/* Bytes in use. */
static inline unsigned int page_used(const struct layout_page *page)
{
	return (unsigned int)sizeof(*page) +
	       page->count * (unsigned int)sizeof(struct layout_slot) +
	       LAYOUT_PAGE - page->heap - page->dead;
}

#endif
