/* check.c - the whole of a version, read again: what was checked before counts
 * for nothing here. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/tree.h"

struct checking {
	struct mmapdb *db;
	struct mmapdb_fault *fault;
	uint64_t *seen; /* a bit for each page */
	uint64_t records;
	size_t len; /* of the last key */
	unsigned char last[MMAPDB_KEY_MAX];
};

static int found(struct checking *checking, uint64_t page, const char *format,
		 ...) __attribute__((format(printf, 3, 4)));

static int found(struct checking *checking, uint64_t page, const char *format,
		 ...)
{
	struct mmapdb_fault *fault = checking->fault;
	va_list args;

	va_start(args, format);
	vsnprintf(fault->what, sizeof(fault->what), format, args);
	va_end(args);
	fault->page = page;
	handle_fail(checking->db, -EBADMSG, "page %llu: %s",
		    (unsigned long long)page, fault->what);
	return -EBADMSG;
}

/* The page of a reference, checked, and seen for the first time. */
static int visit(struct checking *checking, uint32_t ref, enum layout_kind kind,
		 const struct layout_page **page)
{
	const struct layout_version *version = &checking->db->version;
	const uint32_t pgno = ref & LAYOUT_PGNO;
	const char *fault;

	if (pgno < LAYOUT_FIRST || pgno >= version->pages) {
		found(checking, pgno, "there is none of this number");
		return -EBADMSG;
	}
	*page = (const void *)(checking->db->map + (size_t)pgno * LAYOUT_PAGE);
	fault = page_fault(*page, pgno, version->pages);
	if (!fault && (*page)->kind != kind)
		fault = "it is of another kind";
	if (!fault && (*page)->txnid > version->txnid)
		fault = "it is of a later version";
	for (uint32_t i = 0; !fault && i < (*page)->run; i++) {
		uint64_t *word = &checking->seen[(pgno + i) / 64];
		const uint64_t bit = UINT64_C(1) << (pgno + i) % 64;

		if (*word & bit)
			fault = "it is used twice";
		*word |= bit;
	}
	return fault ? found(checking, pgno, "%s", fault) : 0;
}

/* Each key of a leaf is above the last, and not above what a branch says of
 * the leaf behind it: the next key of the branch, if there is one. */
static int check_key(struct checking *checking, uint32_t pgno,
		     const unsigned char *key, size_t len)
{
	const size_t common = len < checking->len ? len : checking->len;
	const int order = memcmp(checking->last, key, common);

	if (order > 0 || (order == 0 && checking->len >= len))
		return found(checking, pgno, "its keys are out of order");
	memcpy(checking->last, key, len);
	checking->len = len;
	return 0;
}

static int check_value(struct checking *checking,
		       const struct layout_page *leaf, unsigned int slot)
{
	const struct layout_page *page;
	struct layout_long ref;
	uint16_t len;
	const unsigned char *at = page_value(leaf, slot, &len);
	int error;

	if (!(len & LAYOUT_LONG))
		return 0;
	memcpy(&ref, at, sizeof(ref));
	error = visit(checking, ref.pgno, LAYOUT_VALUE, &page);
	if (!error && ref.len > page->run * LAYOUT_PAGE - sizeof(*page))
		error = found(checking, ref.pgno, "it is too short");
	return error;
}

static int check_leaf(struct checking *checking, uint32_t ref)
{
	unsigned char key[MMAPDB_KEY_MAX];
	const struct layout_page *page;
	int error = visit(checking, ref, LAYOUT_LEAF, &page);

	if (error)
		return error;
	for (unsigned int i = 0; !error && i < page->count; i++) {
		const unsigned int len = page_key(page, i, key);

		error = check_key(checking, ref & LAYOUT_PGNO, key, len);
		if (!error)
			error = check_value(checking, page, i);
		checking->records++;
	}
	if (!error && page->has_overflow && !(ref & LAYOUT_OVERFLOW) &&
	    checking->db->version.depth > 1)
		error = found(
			checking, ref & LAYOUT_PGNO,
			"the page above does not know of its long values");
	return error;
}

/* A branch's key divides the keys of the children on its sides: so it counts
 * as one of them, if the next is not less. */
static int check_branch(struct checking *checking, uint32_t ref,
			unsigned int level)
{
	unsigned char key[MMAPDB_KEY_MAX];
	const struct layout_page *page;
	int error = visit(checking, ref, LAYOUT_BRANCH, &page);

	if (error)
		return error;
	for (unsigned int i = 0; !error && i < page->count; i++) {
		const unsigned int len = i ? page_key(page, i, key) : 0;

		if (i > 0)
			error = check_key(checking, ref & LAYOUT_PGNO, key,
					  len);
		/* The key itself may come now. */
		if (i > 0 && !error)
			checking->len = len - 1;
		if (error)
			break;
		error = level + 2 == checking->db->version.depth
				? check_leaf(checking, page_child(page, i))
				: check_branch(checking, page_child(page, i),
					       level + 1);
	}
	return error;
}

/* What a power cut would leave of the visible version. */
static int check_durable(struct checking *checking)
{
	struct layout_meta meta;
	struct layout_entry shown = {.behind = LAYOUT_UNLOGGED};
	struct mmapdb *db = checking->db;
	uint64_t page = 0, txnid;
	unsigned int slot;
	int error;

	/* The transaction began with that. */
	if (!shared_is_ours(db))
		return 0;
	/* A commit may be writing to the other meta page, and then to the log. */
	do {
		txnid = commit_durable_txnid(db);
		slot = commit_durable_meta(db);
		error = meta_read(db, slot, &meta);
		if (error) {
			page = slot;
			continue;
		}
		shared_entry(db, shared_visible_txnid(db), &shown);
		if (shown.behind == meta.version.txnid)
			error = log_check(db, &meta, shown.version.txnid,
					  &page);
	} while (error == -EBADMSG && txnid != commit_durable_txnid(db));
	if (error != -EBADMSG)
		return error;
	return found(checking, page,
		     page < LAYOUT_LOG ? "the newest meta page is damaged"
				       : "a record of the log is damaged");
}

static int check_all(struct checking *checking)
{
	const struct layout_version *version = &checking->db->version;
	int error = check_durable(checking);

	if (!error && version->depth == 1)
		error = check_leaf(checking, version->root);
	if (!error && version->depth > 1)
		error = check_branch(checking, version->root, 0);
	if (!error && checking->records != version->records)
		error = found(
			checking, version->root,
			"it has %llu records below it, and should have %llu",
			(unsigned long long)checking->records,
			(unsigned long long)version->records);
	return error;
}

int mmapdb_check(struct mmapdb *db, struct mmapdb_fault *first)
{
	const struct layout_version version = db->version;
	struct checking checking = {.db = db, .fault = first};
	int error;

	if (!*db->guard || db->transaction == HANDLE_NONE)
		return handle_fail(db, *db->guard ? -EINVAL : -ECHILD,
				   "no transaction is open");
	if (db->transaction == HANDLE_WRITES || db->version.root & LAYOUT_DIRTY)
		db->version = db->base;
	*first = (struct mmapdb_fault){0};
	checking.seen = calloc(db->version.pages / 64 + 1, sizeof(uint64_t));
	error = checking.seen ? check_all(&checking)
			      : handle_fail(db, -ENOMEM, "no memory to check");
	free(checking.seen);
	db->version = version;
	return error;
}
