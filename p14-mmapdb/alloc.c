/* alloc.c - no list of free pages, on disk or elsewhere.
 *
 * Pages are taken in the order of the file: a cursor goes over the bits that the
 * last sweep left, skips what is in use, and never goes back. What lies below
 * the cursor counts as taken, used or not. When it comes to the end, the next
 * sweep looks what the versions that somebody may still need are made of, and
 * all else is free: the visible version, the newest durable one, and one for
 * each living reader. It reads branches only, about every two hundredth page, and
 * it is done once in the time that the free pages last.
 *
 * So nothing has to be logged, and nothing that a killed writer has left undone
 * can be wrong: pages that it took and never used are free after the next sweep,
 * and the cursor is moved before the first of them is written. */
#include "p14-mmapdb/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/reader.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/tree.h"

enum {
	GROW_LEAST = 64, /* pages */
	GROW_SHARE = 32, /* of the file */
	FREE_SHARE = 8,  /* of the file: with less free, it grows; and so */
	FREE_LEAST =
		512,   /* with less than this, as a sweep waits for the disk */
	PREPARE = 256, /* pages to write zeros to, ahead of their use */
	SMALL = 64,    /* pages of a commit for which that is worth it */
};

void alloc_init(struct alloc *alloc, struct mmapdb *db, uint64_t wanted)
{
	*alloc = (struct alloc){.db = db, .wanted = wanted};
	shared_read_room(db, db->mapped, &alloc->room);
}

/* ---- the sweep ------------------------------------------------------------------- */

static int mark_durable(struct mmapdb *db, uint64_t *bits)
{
	struct layout_meta meta;

	if (meta_read(db, db->state->durable_meta, &meta))
		return handle_fail(db, -EBADMSG, "page %u: it is no meta page",
				   db->state->durable_meta);
	return tree_mark(db, meta.version.root, meta.version.depth, bits, NULL);
}

/* What this commit has taken so far, before the cursor came to the end. */
static void mark_taken(const struct mmapdb *db, uint64_t *bits)
{
	const struct layout_page *page;
	size_t index = 0;

	while ((page = tree_next_dirty(db, &index)))
		for (uint32_t i = 0; page->pgno && i < page->run; i++)
			tree_set_mark(bits, page->pgno + i);
}

static int mark_all(struct mmapdb *db, uint64_t *bits)
{
	struct layout_reader reader;
	unsigned int next = 0;
	int error;

	for (uint32_t pgno = 0; pgno < LAYOUT_FIRST; pgno++)
		tree_set_mark(bits, pgno);
	mark_taken(db, bits);
	/* From here on the visible version is the one that we began from, and
	 * stays that: else readers could come to one that we do not mark. */
	error = commit_publish(db);
	if (!error)
		error = tree_mark(db, db->base.root, db->base.depth, bits,
				  NULL);
	if (!error)
		error = mark_durable(db, bits);
	while (!error && reader_each(db, &next, &reader))
		error = tree_mark(db, reader.root & LAYOUT_PGNO, reader.depth,
				  bits, NULL);
	return error;
}

/* Find out what is free; *n_free pages are. */
static int sweep(struct alloc *alloc, uint64_t *n_free)
{
	struct mmapdb *db = alloc->db;
	const uint64_t pages = alloc->room.pages, words = (pages + 63) / 64;
	uint64_t *bits;
	int error;

	alloc->has_swept = true;
	*n_free = 0;
	if (reader_is_pinned(db))
		return 0;
	bits = calloc(words, sizeof(*bits));
	if (!bits)
		return handle_fail(db, -ENOMEM, "no memory for a sweep");
	error = mark_all(db, bits);
	if (!error)
		error = shared_write_bits(db, bits, pages);
	if (!error) {
		*n_free = pages;
		for (uint64_t i = 0; i < words; i++)
			*n_free -= (uint64_t)__builtin_popcountll(bits[i]);
		alloc->room.swept = pages;
		alloc->room.cursor = LAYOUT_FIRST;
	}
	free(bits);
	return error;
}

/* ---- growing --------------------------------------------------------------------- */

static int grow_to(struct alloc *alloc, uint64_t pages)
{
	struct mmapdb *db = alloc->db;
	int error;

	if (pages > LAYOUT_PGNO || (db->max_pages && pages > db->max_pages))
		return handle_fail(
			db, -EDQUOT,
			"the file may not be larger than %llu bytes",
			(unsigned long long)db->max_pages * LAYOUT_PAGE);
	error = output_grow(db->fd, alloc->room.pages * LAYOUT_PAGE,
			    pages * LAYOUT_PAGE);
	if (error)
		return handle_fail(db, error, "cannot make the file larger");
	alloc->room.pages = pages;
	return 0;
}

/* By a share of what there is, or at least by what is needed. */
static int grow(struct alloc *alloc, uint64_t least)
{
	const uint64_t pages = alloc->room.pages;
	uint64_t more = pages / GROW_SHARE;
	int error = -ENOSPC;

	if (more < GROW_LEAST)
		more = GROW_LEAST;
	if (more > least)
		error = grow_to(alloc, pages + more);
	return error ? grow_to(alloc, pages + least) : 0;
}

/* The cursor has come to the end. */
static int make_room(struct alloc *alloc, uint32_t n)
{
	struct mmapdb *db = alloc->db;
	const uint64_t needed = alloc->wanted > n ? alloc->wanted : n;
	uint64_t n_free = 0, least = n;
	int error;

	if (!alloc->has_swept) {
		error = sweep(alloc, &n_free);
		if (error)
			return error;
		if (n_free >= needed && n_free >= FREE_LEAST &&
		    n_free >= alloc->room.pages / FREE_SHARE)
			return 0;
	}
	if (needed > n_free && needed - n_free > least)
		least = needed - n_free;
	error = grow(alloc, least);
	if (!error || n_free >= needed)
		return 0;
	/* What no commit with a sync has seen to keeps the pages of the last
	 * one's version, too. */
	if (commit_durable_txnid(db) != db->base.txnid &&
	    !commit_checkpoint(db)) {
		alloc->has_swept = false;
		return 0;
	}
	return error;
}

/* ---- taking ---------------------------------------------------------------------- */

static bool is_free(const struct alloc *alloc, uint64_t pgno)
{
	return pgno >= alloc->room.swept ||
	       !(shared_bits(alloc->db)[pgno / 64] >> pgno % 64 & 1);
}

/* Move the cursor to n free pages that follow each other, or so near to the end
 * that they would have to reach beyond it: false. */
static bool find(struct alloc *alloc, uint32_t n)
{
	struct layout_room *room = &alloc->room;
	uint64_t end = room->cursor;

	while (end < room->pages && end - room->cursor < n) {
		const bool is_full_word =
			end % 64 == 0 && end + 64 <= room->swept &&
			shared_bits(alloc->db)[end / 64] == UINT64_MAX;

		if (is_full_word)
			room->cursor = end += 64;
		else if (is_free(alloc, end))
			end++;
		else
			room->cursor = ++end;
	}
	return end - room->cursor == n;
}

int alloc_take(struct alloc *alloc, uint32_t n, uint32_t *pgno)
{
	struct layout_room *room = &alloc->room;

	while (!find(alloc, n)) {
		int error = make_room(alloc, n);

		if (error)
			return error;
	}
	*pgno = (uint32_t)room->cursor;
	room->cursor += n;
	if (room->cursor > alloc->top)
		alloc->top = room->cursor;
	alloc->wanted -= n;
	return 0;
}

/* Space that fallocate(2) gave is marked on disk as not written, and to change
 * that costs the next sync a commit of the file system's journal. */
static int write_ahead(struct alloc *alloc, uint64_t taken)
{
	struct layout_room *room = &alloc->room;
	uint64_t end = alloc->top;
	int error = 0;

	if (end <= room->written)
		return 0;
	if (taken <= SMALL) {
		end = end + PREPARE < room->pages ? end + PREPARE : room->pages;
		error = output_zeros(alloc->db->fd, alloc->top * LAYOUT_PAGE,
				     end * LAYOUT_PAGE);
	}
	if (error)
		return handle_fail(alloc->db, error,
				   "cannot write to the file");
	room->written = end;
	return 0;
}

int alloc_finish(struct alloc *alloc, uint64_t taken)
{
	int error = write_ahead(alloc, taken);

	if (!error)
		shared_write_room(alloc->db, &alloc->room);
	return error;
}
