/* page.c - see layout.h for the drawing.
 *
 * Everything that is read from a page was checked by page_fault() when a handle
 * met it first; the functions behind it rely on that. */
#include "p14-mmapdb/page.h"

#include <errno.h>

#include "lib/crc32c.h"

/* ---- checking ---------------------------------------------------------------- */

uint32_t page_checksum(const struct layout_page *page)
{
	return crc32c((const unsigned char *)page + sizeof(page->crc),
		      (size_t)page->run * LAYOUT_PAGE - sizeof(page->crc));
}

static unsigned int cell_head(unsigned int kind)
{
	return kind == LAYOUT_LEAF ? sizeof(uint16_t) : sizeof(uint32_t);
}

/* A bit for each byte of a page: no two cells may share one, or to change one
 * would change the other. */
struct claims {
	uint64_t bits[LAYOUT_PAGE / 64];
	unsigned int bytes;
};

static bool claim(struct claims *claims, unsigned int at, unsigned int len)
{
	const unsigned int end = at + len;

	claims->bytes += len;
	while (at < end) {
		const unsigned int n =
			64 - at % 64 < end - at ? 64 - at % 64 : end - at;
		const uint64_t mask = (UINT64_MAX >> (64 - n)) << at % 64;

		if (claims->bits[at / 64] & mask)
			return false;
		claims->bits[at / 64] |= mask;
		at += n;
	}
	return true;
}

/* A slot, its cell and its value lie where they may. */
static bool is_slot_sound(const struct layout_page *page, unsigned int i,
			  struct claims *claims)
{
	const struct layout_slot *slot = page_slot(page, i);
	const unsigned int end = LAYOUT_PAGE - page->prefix;
	unsigned int cell = cell_head(page->kind) + page_rest(page, i);
	const unsigned char *at;
	struct layout_long ref;
	uint16_t value;

	if (slot->at < page->heap || slot->at + cell > end ||
	    page->prefix + slot->len > MMAPDB_KEY_MAX)
		return false;
	/* A key that is shorter than a head: else its place would not be that
	 * of its bytes. */
	if (slot->len < 4 && (uint32_t)((uint64_t)slot->head << 8 * slot->len))
		return false;
	if (page->kind == LAYOUT_BRANCH)
		return (page_child(page, i) & LAYOUT_DIRTY) == 0 &&
		       claim(claims, slot->at, cell);
	at = page_value(page, i, &value);
	cell += page_value_bytes(value);
	if (page->prefix + slot->len == 0 || slot->at + cell > end ||
	    !claim(claims, slot->at, cell))
		return false;
	if (!(value & LAYOUT_LONG))
		return true;
	memcpy(&ref, at, sizeof(ref));
	return (ref.pgno & ~LAYOUT_PGNO) == 0;
}

static int compare_slots(const struct layout_page *page, unsigned int a,
			 unsigned int b)
{
	const struct layout_slot *x = page_slot(page, a);
	const struct layout_slot *y = page_slot(page, b);
	const unsigned int i = page_rest(page, a), j = page_rest(page, b);
	int order = (x->head > y->head) - (x->head < y->head);

	if (!order)
		order = memcmp(page_cell(page, a) + cell_head(page->kind),
			       page_cell(page, b) + cell_head(page->kind),
			       i < j ? i : j);
	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool is_tree_page_sound(const struct layout_page *page)
{
	const unsigned int slots_end =
		(unsigned int)sizeof(*page) +
		page->count * (unsigned int)sizeof(struct layout_slot);
	const unsigned int first = page->kind == LAYOUT_BRANCH;
	struct claims claims = {0};

	if (page->run != 1 || page->count == 0 || slots_end > page->heap ||
	    page->prefix > MMAPDB_KEY_MAX ||
	    page->heap > LAYOUT_PAGE - page->prefix)
		return false;
	for (unsigned int i = 0; i < page->count; i++)
		if (!is_slot_sound(page, i, &claims) ||
		    (i > first && compare_slots(page, i - 1, i) >= 0))
			return false;
	return page->heap + page->dead + claims.bytes + page->prefix ==
	       LAYOUT_PAGE;
}

const char *page_fault(const struct layout_page *page, uint32_t pgno,
		       uint64_t pages)
{
	if (page->run == 0 || page->run > LAYOUT_RUN_MAX ||
	    page->run > pages - pgno)
		return "its length is wrong";
	if (page->crc != page_checksum(page))
		return "the checksum is wrong";
	if (page->pgno != pgno)
		return "it is another page";
	if (page->kind == LAYOUT_VALUE)
		return NULL;
	if ((page->kind != LAYOUT_LEAF && page->kind != LAYOUT_BRANCH) ||
	    !is_tree_page_sound(page))
		return "the structure is wrong";
	return NULL;
}

/* ---- searching --------------------------------------------------------------- */

/* memcmp(3) of the prefix and a key. The prefix ends where the page does, and
 * memcmp may load, and mask, what is beyond: where that is not in memory, it
 * costs as much as the whole rest of a search. */
static inline int compare_prefix(const struct layout_page *page,
				 const unsigned char *key, size_t len)
{
	const unsigned char *prefix =
		(const unsigned char *)page + LAYOUT_PAGE - page->prefix;
	uint64_t a, b;

	for (; len >= sizeof(a); len -= sizeof(a)) {
		memcpy(&a, prefix, sizeof(a));
		memcpy(&b, key, sizeof(b));
		if (a != b)
			return __builtin_bswap64(a) < __builtin_bswap64(b) ? -1
									   : 1;
		prefix += sizeof(a);
		key += sizeof(a);
	}
	for (; len > 0; len--, prefix++, key++)
		if (*prefix != *key)
			return *prefix < *key ? -1 : 1;
	return 0;
}

/* Four bytes as a number that compares as they do; zeros behind the end. */
static inline uint32_t head_of(const unsigned char *key, size_t len)
{
	uint32_t head = 0;

	memcpy(&head, key, len < 4 ? len : 4);
	return __builtin_bswap32(head);
}

/* Slot i is less than key (behind the prefix), where the heads are equal. */
static int compare_rest(const struct layout_page *page, unsigned int i,
			const unsigned char *key, size_t len)
{
	const size_t mine = page_slot(page, i)->len;
	const size_t common = mine < len ? mine : len;
	int order = 0;

	if (common > 4)
		order = memcmp(page_cell(page, i) + cell_head(page->kind),
			       key + 4, common - 4);
	return order ? order : (mine > len) - (mine < len);
}

/* The first slot of [lo, hi) that is not less (or, with after, not less or
 * equal). */
static unsigned int bisect(const struct layout_page *page, unsigned int lo,
			   unsigned int hi, const unsigned char *key,
			   size_t len, int after)
{
	const struct layout_slot *slots = page_slot(page, 0);
	const uint32_t head = head_of(key, len);
	unsigned int n = hi - lo;

	while (n > 0) {
		const unsigned int half = n / 2, mid = lo + half;
		bool is_less = slots[mid].head < head;

		if (__builtin_expect(slots[mid].head == head, 0))
			is_less = compare_rest(page, mid, key, len) < after;
		lo = is_less ? mid + 1 : lo;
		n = is_less ? n - half - 1 : half;
	}
	return lo;
}

unsigned int page_search(const struct layout_page *page,
			 struct mmapdb_bytes key, bool *is_equal)
{
	const unsigned char *bytes = key.data;
	const unsigned int first = page->kind == LAYOUT_BRANCH;
	const size_t prefix = page->prefix;
	const size_t common = key.len < prefix ? key.len : prefix;
	int order = -compare_prefix(page, bytes, common);
	unsigned int at;

	*is_equal = false;
	if (order > 0)
		return page->count;
	if (order < 0 || key.len < prefix)
		return first;
	bytes += prefix;
	key.len -= prefix;
	at = bisect(page, first, page->count, bytes, key.len, (int)first);
	if (!first && at < page->count &&
	    page_slot(page, at)->head == head_of(bytes, key.len))
		*is_equal = compare_rest(page, at, bytes, key.len) == 0;
	return at;
}

unsigned int page_key(const struct layout_page *page, unsigned int i,
		      unsigned char key[MMAPDB_KEY_MAX])
{
	const struct layout_slot *slot = page_slot(page, i);
	const uint32_t head = __builtin_bswap32(slot->head);
	unsigned char *end = key + page->prefix;

	memcpy(key, (const unsigned char *)page + LAYOUT_PAGE - page->prefix,
	       page->prefix);
	memcpy(end, &head, slot->len < 4 ? slot->len : 4);
	if (slot->len > 4)
		memcpy(end + 4, page_cell(page, i) + cell_head(page->kind),
		       slot->len - 4U);
	return page->prefix + slot->len;
}

/* ---- changing ---------------------------------------------------------------- */

static unsigned int cell_bytes(unsigned int kind, unsigned int len,
			       const struct page_item *item)
{
	return cell_head(kind) + (len > 4 ? len - 4 : 0) +
	       (kind == LAYOUT_LEAF ? page_value_bytes(item->value_len) : 0);
}

/* Put the cell of item below the heap, for a key that is len bytes at key. */
static struct layout_slot add_cell(struct layout_page *page,
				   const unsigned char *key, unsigned int len,
				   const struct page_item *item)
{
	struct layout_slot slot = {
		.head = head_of(key, len),
		.len = (uint16_t)len,
	};
	unsigned char *cell;

	page->heap = (uint16_t)(page->heap - cell_bytes(page->kind, len, item));
	slot.at = page->heap;
	cell = (unsigned char *)page + slot.at;
	if (page->kind == LAYOUT_LEAF)
		memcpy(cell, &item->value_len, sizeof(item->value_len));
	else
		memcpy(cell, &item->child, sizeof(item->child));
	cell += cell_head(page->kind);
	if (len > 4) {
		memcpy(cell, key + 4, len - 4);
		cell += len - 4;
	}
	if (page->kind == LAYOUT_LEAF) {
		memcpy(cell, item->value, page_value_bytes(item->value_len));
		page->has_overflow |= (item->value_len & LAYOUT_LONG) != 0;
	}
	return slot;
}

int page_insert(struct layout_page *page, unsigned int i,
		const struct page_item *item)
{
	struct layout_slot *slots = (struct layout_slot *)(page + 1);
	const unsigned int slots_end =
		(unsigned int)sizeof(*page) +
		(page->count + 1U) * (unsigned int)sizeof(*slots);
	unsigned int len;

	if (item->len < page->prefix ||
	    compare_prefix(page, item->key, page->prefix) != 0)
		return -ENOSPC;
	len = item->len - page->prefix;
	/* When it is built anew, of a longer prefix, it may take 4 bytes more. */
	if (slots_end + cell_bytes(page->kind, len, item) + 4 > page->heap)
		return -ENOSPC;
	memmove(slots + i + 1, slots + i, (page->count - i) * sizeof(*slots));
	slots[i] = add_cell(page, item->key + page->prefix, len, item);
	page->count++;
	return 0;
}

void page_remove(struct layout_page *page, unsigned int i)
{
	struct layout_slot *slots = (struct layout_slot *)(page + 1);
	struct page_item item = {0};

	if (page->kind == LAYOUT_LEAF)
		page_value(page, i, &item.value_len);
	page->dead = (uint16_t)(page->dead +
				cell_bytes(page->kind, slots[i].len, &item));
	page->count--;
	memmove(slots + i, slots + i + 1, (page->count - i) * sizeof(*slots));
}

void page_set_child(struct layout_page *page, unsigned int i, uint32_t child)
{
	memcpy((unsigned char *)page + page_slot(page, i)->at, &child,
	       sizeof(child));
}

/* ---- whole pages ------------------------------------------------------------- */

void page_take(const struct layout_page *page, struct page_item *items,
	       unsigned char *bytes)
{
	for (unsigned int i = 0; i < page->count; i++) {
		struct page_item *item = &items[i];

		item->key = bytes;
		item->len = (uint16_t)page_key(page, i, bytes);
		bytes += item->len;
		if (page->kind == LAYOUT_LEAF)
			item->value = page_value(page, i, &item->value_len);
		else
			item->child = page_child(page, i);
	}
}

unsigned int page_prefix(enum layout_kind kind, const struct page_item *items,
			 unsigned int n)
{
	const struct page_item *a = items + (kind == LAYOUT_BRANCH);
	const struct page_item *b = items + n - 1;
	unsigned int len = 0;

	if (a > b)
		return 0;
	while (len < a->len && len < b->len && a->key[len] == b->key[len])
		len++;
	return len;
}

unsigned int page_item_bytes(enum layout_kind kind,
			     const struct page_item *item, unsigned int prefix)
{
	return (unsigned int)sizeof(struct layout_slot) +
	       cell_bytes(kind, item->len > prefix ? item->len - prefix : 0,
			  item);
}

unsigned int page_need(enum layout_kind kind, const struct page_item *items,
		       unsigned int n)
{
	const unsigned int prefix = page_prefix(kind, items, n);
	unsigned int need = (unsigned int)sizeof(struct layout_page) + prefix;

	for (unsigned int i = 0; i < n; i++)
		need += page_item_bytes(kind, &items[i],
					kind == LAYOUT_BRANCH && i == 0
						? MMAPDB_KEY_MAX
						: prefix);
	return need;
}

void page_build(struct layout_page *page, enum layout_kind kind,
		const struct page_item *items, unsigned int n)
{
	struct layout_slot *slots = (struct layout_slot *)(page + 1);
	const unsigned int prefix = page_prefix(kind, items, n);

	*page = (struct layout_page){
		.kind = (uint8_t)kind,
		.count = (uint16_t)n,
		.prefix = (uint16_t)prefix,
		.heap = (uint16_t)(LAYOUT_PAGE - prefix),
		.run = 1,
	};
	if (prefix)
		memcpy((unsigned char *)page + LAYOUT_PAGE - prefix,
		       items[n - 1].key, prefix);
	for (unsigned int i = 0; i < n; i++)
		slots[i] = kind == LAYOUT_BRANCH && i == 0
				   ? add_cell(page, items[i].key, 0, &items[i])
				   : add_cell(page, items[i].key + prefix,
					      items[i].len - prefix, &items[i]);
}
