/* commit.c - what makes a transaction durable: its record in the log, or, as there
 * must be another way when the log is full, a meta page.
 *
 * Its pages go to free pages of the file in any case, without a sync.
 *
 * THE META PAGE. One that names version n, and lists the pages of its transaction
 * with their checksums, goes over the older of the two meta pages; then one
 * fdatasync(2) for all of it. Only then is version n the visible one. No order is
 * asked of the disk: whatever part of this a power cut leaves, recovery
 * (meta_choose()) takes the newest meta page that is whole and of whose list
 * every page is whole, and so either all of n or what was before. What it relies
 * on is that D, the version of the newest durable meta page, is never written
 * to:
 *
 *   its meta page	n is written over the other one (durable_meta).
 *   its pages		the sweep keeps them, until a later version has a durable
 *			meta page. (So they may be used again as soon as n has:
 *			recovery then takes n, whose meta page and list were
 *			synced. That a disk spoils them later is what the seal
 *			is for.)
 *   the log		has what was done since D, until then.
 *
 * If there are versions between D and n, or the list is too long for the meta
 * page, a sync comes before it: it then lists nothing, as all was there before.
 *
 * THE LOG. Versions behind D have records in it, which are durable long before
 * their pages are: see log.c. A power cut leaves D and the log, and replay.c does
 * again what was done. When the log is full, the next transaction gets a meta
 * page, and the log begins anew behind that.
 *
 * With MMAPDB_NO_SYNC there is neither: the version is published in the lock
 * file, and that and the page cache outlive kill -9. The next commit with a sync
 * gets a meta page, which covers all since. So nobody who does without syncs
 * endangers what others have been promised.
 *
 * A writer that is killed:
 *
 *   before its record or	has written to free pages only. They are found
 *   meta page			by the next sweep.
 *   in the midst of that	has left one that is not whole, where the next will
 *				write, and not D's.
 *   behind its record		if the version is the tip, the next writer starts
 *				from it, and who syncs the log next syncs this,
 *				too. If it is not, the next writes over it.
 *   behind its meta page	has left a whole version n, not visible, and
 *				perhaps not durable. The next writer finds a meta
 *				page newer than D (commit_begin()), syncs, and
 *				publishes it: it goes on where the dead one was.
 *				Would it start from n-1 instead, it would use
 *				n's pages again, and a power cut could then bring
 *				back a meta page of n whose pages are others'.
 *
 * The same holds for a checkpoint: a meta page of the tip that nobody has
 * synced. The power can fail at any moment of this, too: the syncs come before
 * anything is written that would rely on them. */
#include "p14-mmapdb/commit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "p14-mmapdb/flush.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/write.h"

/* A checkpoint after so many pages without a sync: 4 GB. */
enum { UNSYNCED_MAX = 1 << 20 };

unsigned int commit_durable_meta(const struct mmapdb *db)
{
	return __atomic_load_n(&db->state->durable_meta, __ATOMIC_ACQUIRE) & 1;
}

uint64_t commit_durable_txnid(const struct mmapdb *db)
{
	const struct layout_meta *metas = (const void *)db->map;

	return metas[commit_durable_meta(db)].version.txnid;
}

static int sync_file(struct mmapdb *db)
{
	return fdatasync(db->fd) ? shared_fail(db, "a sync") : 0;
}

/* That meta page is the newest durable one. */
static void note_durable(struct mmapdb *db, unsigned int page, uint32_t crc)
{
	db->state->durable_crc = crc;
	/* Release: a killed writer leaves both or the old page, which then has
	 * a meta page newer than it: see commit_begin(). */
	__atomic_store_n(&db->state->durable_meta, page, __ATOMIC_RELEASE);
	db->state->unsynced = 0;
}

/* A version is whole in the file, apart from its meta page. */
static int make_durable(struct mmapdb *db, const struct layout_version *version,
			const struct layout_listed *list, unsigned int listed)
{
	const unsigned int page = !commit_durable_meta(db);
	uint32_t crc;

	/* If it fails, some of the page may be there, or all. */
	if (meta_write(db, page, version, list, listed, &crc))
		return shared_fail(db, "writing a meta page");
	if (sync_file(db))
		return -EIO;
	meta_seal(db, version->txnid);
	note_durable(db, page, crc);
	return 0;
}

/* The version is what it was asked to be: durable, or not. */
static void publish(struct mmapdb *db, const struct layout_version *version)
{
	const uint64_t visible = shared_visible_txnid(db);
	struct layout_entry entry = {
		.version = *version,
		.behind = LAYOUT_UNLOGGED, /* it has no record */
	};

	if (version->txnid > shared_tip_txnid(db))
		shared_push(db, &entry);
	shared_publish(db, version->txnid);
	shared_wake(db, visible);
}

int commit_publish(struct mmapdb *db)
{
	const uint64_t visible = shared_visible_txnid(db);
	int error = 0;

	if (visible != shared_tip_txnid(db)) {
		error = log_sync(db);
		shared_wake(db, visible);
	}
	return error;
}

int commit_checkpoint(struct mmapdb *db)
{
	int error = sync_file(db);

	if (!error)
		error = make_durable(db, &db->base, NULL, 0);
	if (!error)
		publish(db, &db->base);
	return error;
}

/* ---- a commit ---------------------------------------------------------------------- */

static int end_without_sync(struct mmapdb *db, uint64_t pages)
{
	/* What it publishes includes what others want to have durable first. */
	int error = commit_publish(db);

	if (error)
		return error;
	db->state->unsynced += pages + 1;
	publish(db, &db->version);
	return 0;
}

/* -ENOBUFS: the log cannot have it. */
static int end_in_log(struct mmapdb *db, uint64_t *awaited)
{
	struct layout_entry entry = {.version = db->version};
	int error = log_append(db, &entry);

	if (!error && entry.version.txnid - shared_visible_txnid(db) >=
			      LAYOUT_VERSIONS - 1)
		error = commit_publish(db);
	if (error)
		return error;
	db->failures = __atomic_load_n(&db->state->failures, __ATOMIC_RELAXED);
	*awaited = entry.version.txnid;
	shared_push(db, &entry);
	return 0;
}

static int end_with_meta(struct mmapdb *db, const struct flush *flush)
{
	const bool has_list = flush->listed <= LAYOUT_LISTED &&
			      db->base.txnid == commit_durable_txnid(db);
	int error = has_list ? 0 : sync_file(db);

	if (!error)
		error = make_durable(db, &db->version, flush->list,
				     has_list ? flush->listed : 0);
	if (!error)
		publish(db, &db->version);
	return error;
}

int commit_end(struct mmapdb *db, uint64_t *awaited)
{
	struct flush flush;
	int error = flush_pages(db, &flush);

	if (error)
		return error;
	if (db->flags & MMAPDB_NO_SYNC && db->state->unsynced < UNSYNCED_MAX)
		return end_without_sync(db, flush.pages);
	error = end_in_log(db, awaited);
	return error == -ENOBUFS ? end_with_meta(db, &flush) : error;
}

/* ---- what others have left ----------------------------------------------------------- */

/* The tip again, under another number: in the place of a meta page that nobody may
 * take for one, even if its pages should come to have what it lists. */
static int replace_meta(struct mmapdb *db)
{
	struct layout_entry tip;
	int error = shared_tip(db, &tip);

	tip.version.txnid++;
	if (!error)
		error = sync_file(db);
	if (!error)
		error = make_durable(db, &tip.version, NULL, 0);
	if (!error)
		publish(db, &tip.version);
	return error;
}

/* A meta page that is newer than what the state has seen of it. */
static int finish(struct mmapdb *db, const struct layout_meta *meta,
		  unsigned int page)
{
	uint64_t pages;
	int error = map_extend(db, &pages);

	if (error)
		return error;
	/* A page that it lists was spoilt since: it never was acknowledged, and
	 * recovery would not take it either. */
	if (meta_verify(db, meta))
		return replace_meta(db);
	error = sync_file(db);
	if (error)
		return error;
	meta_seal(db, meta->version.txnid);
	note_durable(db, page, meta->crc);
	if (meta->version.txnid > shared_visible_txnid(db))
		publish(db, &meta->version);
	return 0;
}

/* The log has the tip's record where the state says: else somebody has copied
 * another file into this one. */
static bool is_our_log(struct mmapdb *db)
{
	const unsigned char *log = db->map + (size_t)LAYOUT_LOG * LAYOUT_PAGE;
	struct layout_record record;
	struct layout_entry tip;

	if (shared_tip(db, &tip) || tip.behind != commit_durable_txnid(db))
		return true;
	if (tip.log_at > LAYOUT_LOG_BYTES - sizeof(record))
		return false;
	memcpy(&record, log + tip.log_at, sizeof(record));
	return record.crc == tip.log_crc;
}

/* The pages say what the state does: no writer was killed in the wrong place. */
static bool is_settled(const struct mmapdb *db, unsigned int page)
{
	const struct layout_meta *metas = (const void *)db->map;
	const uint64_t durable = metas[page].version.txnid;

	return metas[page].crc == db->state->durable_crc &&
	       metas[!page].version.txnid < durable &&
	       durable <= shared_tip_txnid(db);
}

int commit_begin(struct mmapdb *db)
{
	const unsigned int page = commit_durable_meta(db);
	struct layout_meta meta, other;
	bool is_other_sound;

	if (db->state->is_failed)
		return shared_has_failed(db);
	if (!is_our_log(db))
		return shared_rebuild(db);
	if (is_settled(db, page))
		return 0;
	if (meta_read(db, page, &meta))
		return handle_fail(db, -EBADMSG, "page %u: it is no meta page",
				   page);
	is_other_sound = !meta_read(db, !page, &other);
	/* Neither is what we know: somebody has copied another file into this
	 * one. */
	if (meta.crc != db->state->durable_crc &&
	    !(is_other_sound && other.crc == db->state->durable_crc))
		return shared_rebuild(db);
	if (meta.version.txnid > shared_tip_txnid(db))
		return finish(db, &meta, page);
	if (is_other_sound && other.version.txnid > meta.version.txnid)
		return finish(db, &other, !page);
	return 0;
}

/* The other meta page has a version that did not become whole, or the log has
 * records that are not of this chain: the next boot must not find them, when
 * something else is there by then. */
static bool has_left_overs(struct mmapdb *db, const struct layout_meta *meta)
{
	struct layout_meta other;

	return !log_is_new(db) ||
	       (meta_read(db, !commit_durable_meta(db), &other) == 0 &&
		other.version.txnid > meta->version.txnid);
}

int commit_recover(struct mmapdb *db, const struct layout_meta *meta)
{
	struct flush flush;
	uint64_t done;
	int error;

	db->base = db->version = meta->version;
	error = log_replay(db, meta, &done);
	if (!error && done > 0)
		error = flush_pages(db, &flush);
	write_end(db);
	if (error)
		return error;
	if (done == 0 && has_left_overs(db, meta))
		db->version.txnid++;
	if (db->version.txnid == meta->version.txnid) {
		if (!db->state->is_failed)
			meta_seal(db, meta->version.txnid);
		return 0;
	}
	if (!db->state->is_failed && !sync_file(db))
		make_durable(db, &db->version, NULL, 0);
	/* When a sync has failed, it can be read. */
	publish(db, &db->version);
	return 0;
}
