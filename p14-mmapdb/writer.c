/* writer.c - the lock lies in the database file, which a compaction replaces: so
 * who has it looks whether it still has the right file. */
#include "p14-mmapdb/writer.h"

#include <errno.h>
#include <sys/stat.h>

#include "p14-mmapdb/map.h"
#include "p14-mmapdb/newfile.h"
#include "p14-mmapdb/queue.h"
#include "p14-mmapdb/shared.h"

int writer_settle(struct mmapdb *db)
{
	struct layout_state *state = db->state;
	bool is_ours = shared_is_ours(db);
	struct stat st;
	int error = 0;

	if (fstat(db->lock_fd, &st))
		return handle_fail(db, -errno, "cannot look at %s-lock",
				   db->name);
	if (st.st_nlink == 0)
		return -ESTALE;
	db->lock_bytes = (uint64_t)st.st_size;
	if (is_ours && !state->is_moving)
		return 0;
	error = handle_is_current(db);
	if (error)
		return error;
	/* The file may be one that a compaction has renamed to this name, and
	 * been killed before it synced the folder. */
	error = newfile_sync_dir(db->dir_fd);
	if (error)
		return handle_fail(db, error, "cannot sync the folder");
	/* One that was killed before it renamed anything. */
	if (is_ours)
		__atomic_store_n(&state->is_moving, 0, __ATOMIC_RELAXED);
	return is_ours ? 0 : shared_rebuild(db);
}

static int time_out(struct mmapdb *db)
{
	const int32_t pid = queue_writer(db);

	if (pid > 0)
		return handle_fail(db, -ETIMEDOUT,
				   "process %d is writing, and does not end",
				   pid);
	return handle_fail(db, -ETIMEDOUT, "another process is writing");
}

int writer_enter(struct mmapdb *db, int64_t deadline)
{
	struct mmapdb fresh;
	int error;

	for (;;) {
		if (!db->slots)
			return handle_fail(db, -EACCES,
					   "cannot write to %s-lock", db->name);
		error = queue_enter(db, deadline);
		if (error == -ETIMEDOUT)
			return time_out(db);
		if (error)
			return handle_fail(db, error, "cannot lock the file");
		error = writer_settle(db);
		if (!error)
			return 0;
		queue_leave(db);
		if (error != -ESTALE)
			return error;
		error = handle_open_again(db, &fresh);
		if (error)
			return handle_fail(
				db, error == -ENOENT ? -ESTALE : error,
				"%s leads to another file now", db->name);
		handle_replace(db, &fresh);
	}
}

int writer_take(struct mmapdb *db)
{
	uint64_t pages;
	struct layout_entry tip = {0};
	int error = map_extend(db, &pages);

	if (!error && db->state->is_failed)
		error = shared_look(db, &db->base);
	else if (!error)
		error = shared_tip(db, &tip);
	if (!error && !db->state->is_failed)
		db->base = tip.version;
	if (!error && pages < db->base.pages)
		error = handle_fail(db, -EBADMSG,
				    "the file is cut off: %llu of %llu pages",
				    (unsigned long long)pages,
				    (unsigned long long)db->base.pages);
	db->version = db->base;
	return error;
}
