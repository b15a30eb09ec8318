/* look.c - what there is, and who looks at it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/tick.h"
#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/queue.h"
#include "p14-mmapdb/reader.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/tree.h"

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
	bits = calloc(db->version.pages / 64 + 1, sizeof(*bits));
	stat->txnid = db->version.txnid;
	stat->records = db->version.records;
	stat->depth = db->version.depth;
	stat->logical_end = db->version.logical_end;
	error = bits ? tree_mark(db, db->version.root, db->version.depth, bits,
				 stat)
		     : handle_fail(db, -ENOMEM, "no memory to count pages");
	free(bits);
	db->version = version;
	return error;
}

static void look_at_state(struct mmapdb *db, struct mmapdb_stat *stat)
{
	const struct layout_state *state = db->state;
	struct layout_meta meta;
	unsigned int slot;

	if (shared_is_ours(db)) {
		slot = __atomic_load_n(&state->durable_slot, __ATOMIC_ACQUIRE);
		if (meta_read(db, slot & 1, &meta) == 0)
			stat->durable_txnid = meta.version.txnid;
		stat->is_failed = state->is_failed != 0;
	} else if (meta_choose(db, &meta, &slot) == 0) {
		stat->durable_txnid = meta.version.txnid;
	}
	stat->writer =
		db->transaction == HANDLE_WRITES ? db->pid : queue_writer(db);
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
	if (!result && db->transaction == HANDLE_READS && db->slot >= 0)
		result = tell(db, &db->slots[db->slot], each, arg);
	return result;
}
