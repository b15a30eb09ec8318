/* commit.c - one sync makes a transaction durable.
 *
 * The pages of transaction n go to free pages of the file; then a meta page that
 * names version n, and lists those pages with their checksums, goes over the
 * older of the two meta pages; then one fdatasync(2) for both. Only then is
 * version n the visible one. No order is asked of the disk: whatever part of
 * this a power cut leaves, recovery (meta_choose()) takes the newest meta page
 * that is whole and of whose list every page is whole, and so either all of n or
 * n-1. What it relies on is that the newest durable version D is never written
 * to:
 *
 *   its meta page	n is written over the other one (durable_slot).
 *   its pages		the sweep keeps them, until a later version is durable.
 *			(So they may be used again as soon as n is: recovery
 *			then takes n, whose meta page and list were synced. That
 *			a disk spoils them later is what the seal is for.)
 *
 * A list that is too long for the meta page is replaced by a sync before it is
 * written: it then lists nothing, as all was there before it.
 *
 * With MMAPDB_NO_SYNC there is no meta page: the version is published in the
 * lock file, and that and the page cache outlive kill -9. D stays the durable
 * one, and its pages stay; the next commit with a sync covers all since. So
 * nobody who does without syncs endangers what others have been promised.
 *
 * A writer that is killed:
 *
 *   before its meta page	has written to free pages only. They are found
 *				by the next sweep.
 *   in the midst of that page	has left one that is not whole, and not D's.
 *   behind it			has left a whole version n, not visible, and
 *				perhaps not durable. The next writer finds a meta
 *				page newer than D (commit_begin()), syncs, and
 *				publishes it: it goes on where the dead one was.
 *				Would it start from n-1 instead, it would use
 *				n's pages again, and a power cut could then bring
 *				back a meta page of n whose pages are others'.
 *
 * The same holds for a checkpoint: a meta page of the visible version that
 * nobody has synced. The power can fail at any moment of this, too: the syncs
 * come before anything is written that would rely on them.
 *
 * A sync that fails leaves us without a word on what is on the disk, and the
 * kernel does not try again: from then on nothing is written to this file any
 * more (is_failed), and nothing of n is shown. */
#include "p14-mmapdb/commit.h"

#include <errno.h>
#include <unistd.h>

#include "p14-mmapdb/flush.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/shared.h"

/* A checkpoint after so many pages without one: 4 GB. */
enum { UNSYNCED_MAX = 1 << 20 };

static int fail(struct mmapdb *db, const char *what)
{
	db->state->is_failed = 1;
	return handle_fail(db, -EIO,
			   "%s failed; the database is read-only until it is "
			   "compacted into a new file",
			   what);
}

static int sync_file(struct mmapdb *db)
{
	return fdatasync(db->fd) ? fail(db, "a sync") : 0;
}

/* Version n is whole in the file, apart from its meta page. */
static int make_durable(struct mmapdb *db, const struct layout_version *version,
			const struct layout_listed *list, unsigned int listed)
{
	const unsigned int slot = !db->state->durable_slot;
	uint32_t crc;

	/* If it fails, some of the page may be there, or all. */
	if (meta_write(db, slot, version, list, listed, &crc))
		return fail(db, "writing a meta page");
	if (sync_file(db))
		return -EIO;
	meta_seal(db, version->txnid);
	db->state->durable_crc = crc;
	/* Release: a killed writer leaves both or the old slot, which then has
	 * a meta page newer than it: see commit_begin(). */
	__atomic_store_n(&db->state->durable_slot, slot, __ATOMIC_RELEASE);
	db->state->unsynced = 0;
	return 0;
}

int commit_checkpoint(struct mmapdb *db)
{
	int error = sync_file(db);

	return error ? error : make_durable(db, &db->base, NULL, 0);
}

int commit_end(struct mmapdb *db)
{
	struct layout_state *state = db->state;
	struct flush flush;
	int error = flush_pages(db, &flush);

	if (error)
		return error;
	if (db->flags & MMAPDB_NO_SYNC && state->unsynced < UNSYNCED_MAX) {
		state->unsynced += flush.pages + 1;
		shared_publish(db, &db->version);
		return 0;
	}
	if (flush.listed > LAYOUT_LISTED || state->unsynced) {
		error = sync_file(db);
		if (error)
			return error;
		flush.listed = 0;
	}
	error = make_durable(db, &db->version, flush.list, flush.listed);
	if (error)
		return error;
	shared_publish(db, &db->version);
	return 0;
}

/* A meta page that is newer than what the state has seen of it. */
static int finish(struct mmapdb *db, const struct layout_meta *meta,
		  unsigned int slot)
{
	uint64_t pages;
	int error = map_extend(db, &pages);

	if (error)
		return error;
	error = meta_verify(db, meta);
	/* A page that it lists was spoilt since: it never was acknowledged, and
	 * recovery would not take it either. */
	if (error)
		return 0;
	error = sync_file(db);
	if (error)
		return error;
	meta_seal(db, meta->version.txnid);
	db->state->durable_crc = meta->crc;
	__atomic_store_n(&db->state->durable_slot, slot, __ATOMIC_RELEASE);
	db->state->unsynced = 0;
	if (meta->version.txnid > shared_visible(db))
		shared_publish(db, &meta->version);
	return 0;
}

/* The pages say what the state does: no writer was killed in the wrong place. */
static bool is_settled(const struct mmapdb *db, unsigned int slot)
{
	const struct layout_meta *metas = (const void *)db->map;
	const uint64_t durable = metas[slot].version.txnid;

	return metas[slot].crc == db->state->durable_crc &&
	       metas[!slot].version.txnid < durable &&
	       durable <= shared_visible(db);
}

int commit_begin(struct mmapdb *db)
{
	const unsigned int slot = db->state->durable_slot & 1;
	struct layout_meta meta, other;
	bool is_other_sound;

	if (db->state->is_failed)
		return fail(db, "a sync");
	if (is_settled(db, slot))
		return 0;
	if (meta_read(db, slot, &meta))
		return handle_fail(db, -EBADMSG, "page %u: it is no meta page",
				   slot);
	is_other_sound = !meta_read(db, !slot, &other);
	/* Neither is what we know: somebody has copied another file into this
	 * one. */
	if (meta.crc != db->state->durable_crc &&
	    !(is_other_sound && other.crc == db->state->durable_crc))
		return shared_rebuild(db);
	if (meta.version.txnid > shared_visible(db))
		return finish(db, &meta, slot);
	if (is_other_sound && other.version.txnid > meta.version.txnid)
		return finish(db, &other, !slot);
	return 0;
}
