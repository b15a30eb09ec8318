/* look.c - what there is, and who looks at it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/tick.h"
#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/reader.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/tree.h"
#include "p14-mmapdb/writer.h"

static int count_reader(const struct mmapdb_reader *reader, void *arg)
{
	(void)reader;
	++*(uint32_t *)arg;
	return 0;
}

static int count_pages(struct mmapdb *db, struct mmapdb_stat *stat)
{
	const struct layout_version version = db->version;
	uint64_t *bits;
	int error;

	if (db->transaction == HANDLE_WRITES)
		db->version = db->base;
	stat->txnid = db->version.txnid;
	stat->records = db->version.records;
	stat->logical_end = db->version.logical_end;
	/* What we have replayed for ourselves has no pages yet. */
	if (db->version.root & LAYOUT_DIRTY)
		db->version = db->base;
	stat->depth = db->version.depth;
	bits = calloc(db->version.pages / 64 + 1, sizeof(*bits));
	error = bits ? tree_mark(db, db->version.root, db->version.depth, bits,
				 stat)
		     : handle_fail(db, -ENOMEM, "no memory to count pages");
	free(bits);
	db->version = version;
	return error;
}

static void look_at_state(struct mmapdb *db, struct mmapdb_stat *stat)
{
	struct layout_entry shown;
	uint64_t visible;

	stat->durable_txnid = stat->txnid;
	if (shared_is_ours(db)) {
		visible = shared_visible_txnid(db);
		stat->durable_txnid = commit_durable_txnid(db);
		if (shared_entry(db, visible, &shown) == 0 &&
		    shown.behind != LAYOUT_UNLOGGED)
			stat->durable_txnid = visible;
		stat->is_failed = db->state->is_failed != 0;
	}
	stat->writer =
		db->transaction == HANDLE_WRITES ? db->pid : writer_pid(db);
	stat->is_pinned = reader_is_pinned(db) || db->is_pinned;
}

int mmapdb_stat(struct mmapdb *db, struct mmapdb_stat *stat)
{
	struct stat st;
	int error;

	*stat = (struct mmapdb_stat){0};
	if (!*db->guard || db->transaction == HANDLE_NONE)
		return handle_fail(db, *db->guard ? -EINVAL : -ECHILD,
				   "no transaction is open");
	if (fstat(db->fd, &st))
		return handle_fail(db, -errno, "cannot look at the file");
	stat->file_bytes = (uint64_t)st.st_size;
	stat->pages = stat->file_bytes / LAYOUT_PAGE;
	stat->max_bytes = db->max_pages * LAYOUT_PAGE;
	stat->fixed_pages = LAYOUT_FIRST;
	error = count_pages(db, stat);
	if (error)
		return error;
	look_at_state(db, stat);
	return mmapdb_readers(db, count_reader, &stat->readers);
}

static int tell(const struct mmapdb *db, const struct layout_reader *slot,
		int (*each)(const struct mmapdb_reader *reader, void *arg),
		void *arg)
{
	const struct mmapdb_reader reader = {
		.pid = handle_pid(db, slot->pid, slot->pid_ns),
		.txnid = slot->txnid,
		.age_ns = tick_now() - slot->since,
	};

	return each(&reader, arg);
}

int mmapdb_readers(struct mmapdb *db,
		   int (*each)(const struct mmapdb_reader *reader, void *arg),
		   void *arg)
{
	struct layout_reader slot;
	unsigned int next = 0;
	int result = 0;

	if (!*db->guard)
		return handle_fail(db, -ECHILD,
				   "the handle is the parent process's");
	while (!result && db->state && reader_each(db, &next, &slot))
		result = tell(db, &slot, each, arg);
	/* Our own lock does not stand in our way, so we are not among them. */
	if (!result && db->transaction == HANDLE_READS && db->reader >= 0)
		result = tell(db, &db->readers[db->reader], each, arg);
	return result;
}
