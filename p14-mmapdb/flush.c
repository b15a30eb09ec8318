/* flush.c - see flush.h. */
#include "p14-mmapdb/flush.h"

#include "p14-mmapdb/alloc.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/tree.h"

static int number_pages(struct mmapdb *db, struct flush *flush)
{
	struct layout_page *page;
	struct alloc alloc;
	size_t index = 0;
	int error = 0;

	flush->pages = 0;
	while ((page = tree_next_dirty(db, &index))) {
		flush->pages += page->run;
		page->pgno = 0; /* it has no number yet: see mark_taken() */
	}
	alloc_init(&alloc, db, flush->pages);
	index = 0;
	while (!error && (page = tree_next_dirty(db, &index)))
		error = alloc_take(&alloc, page->run, &page->pgno);
	if (!error)
		error = alloc_finish(&alloc, flush->pages);
	db->version.pages = alloc.room.pages;
	return error;
}

/* The number that a page in memory got. */
static uint32_t number_of(const struct mmapdb *db, uint32_t ref)
{
	const struct layout_page *page;

	if (!(ref & LAYOUT_DIRTY))
		return ref;
	page = tree_dirty(db, ref & LAYOUT_PGNO);
	return page->pgno | (page->has_overflow ? LAYOUT_OVERFLOW : 0);
}

static void patch_leaf(struct mmapdb *db, struct layout_page *page)
{
	page->has_overflow = 0;
	for (unsigned int i = 0; i < page->count; i++) {
		struct layout_long ref;
		uint16_t len;
		const unsigned char *at = page_value(page, i, &len);

		if (!(len & LAYOUT_LONG))
			continue;
		page->has_overflow = 1;
		memcpy(&ref, at, sizeof(ref));
		ref.pgno = number_of(db, ref.pgno);
		memcpy((unsigned char *)page +
			       (at - (const unsigned char *)page),
		       &ref, sizeof(ref));
	}
}

static void patch_branch(struct mmapdb *db, struct layout_page *page)
{
	for (unsigned int i = 0; i < page->count; i++) {
		const uint32_t child = page_child(page, i);

		if (child & LAYOUT_DIRTY)
			page_set_child(page, i, number_of(db, child));
	}
}

/* Leaves first: who names them wants to know what they have. */
static void patch_pages(struct mmapdb *db)
{
	struct layout_page *page;
	size_t index = 0;

	while ((page = tree_next_dirty(db, &index)))
		if (page->kind == LAYOUT_LEAF && page->has_overflow)
			patch_leaf(db, page);
	index = 0;
	while ((page = tree_next_dirty(db, &index)))
		if (page->kind == LAYOUT_BRANCH)
			patch_branch(db, page);
	db->version.root = number_of(db, db->version.root) & ~LAYOUT_OVERFLOW;
}

static void seal_page(struct mmapdb *db, struct layout_page *page,
		      struct flush *flush)
{
	page->txnid = db->version.txnid;
	page->crc = page_checksum(page);
	/* We know what is in it. */
	if (page->pgno < db->reserved)
		db->tags[page->pgno] = tree_tag(page->txnid);
	if (flush->listed < LAYOUT_LISTED)
		flush->list[flush->listed] =
			(struct layout_listed){page->pgno, page->crc};
	flush->listed++;
}

/* What follows each other in the file is one call, wherever it is in memory. */
static int write_pages(struct mmapdb *db, struct flush *flush)
{
	enum { PIECES = 64 };
	struct iovec pieces[PIECES];
	struct layout_page *page;
	unsigned int n = 0;
	uint64_t at = 0, end = 0;
	size_t index = 0;

	flush->listed = 0;
	while ((page = tree_next_dirty(db, &index))) {
		const size_t bytes = (size_t)page->run * LAYOUT_PAGE;
		struct iovec *last = &pieces[n ? n - 1 : 0];

		seal_page(db, page, flush);
		if (n > 0 && (end != page->pgno || n == PIECES)) {
			int error = output_write_pieces(db->fd, pieces, n,
							at * LAYOUT_PAGE);

			if (error)
				return error;
			n = 0;
		}
		if (n == 0)
			at = page->pgno;
		if (n > 0 &&
		    (char *)last->iov_base + last->iov_len == (char *)page)
			last->iov_len += bytes;
		else
			pieces[n++] = (struct iovec){page, bytes};
		end = page->pgno + (uint64_t)page->run;
	}
	return n ? output_write_pieces(db->fd, pieces, n, at * LAYOUT_PAGE) : 0;
}

int flush_pages(struct mmapdb *db, struct flush *flush)
{
	int error = number_pages(db, flush);

	if (error)
		return error;
	patch_pages(db);
	error = write_pages(db, flush);
	return error ? handle_fail(db, error, "cannot write to the file") : 0;
}
