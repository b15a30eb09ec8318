/* copy.c - backup and compaction.
 *
 * A compaction writes a new file and renames it to the name of the old one, all
 * under the writer's lock. Others have the old file open. Before the rename,
 * is_moving in the lock file tells them to look where the name leads to, each
 * time they begin a transaction; behind it, the lock file is the new file's. If
 * we are killed
 *
 *   before the rename	the name leads to the old file. The next writer
 *			takes the mark back.
 *   behind it		the name leads to the new file, which is whole and synced.
 *			Whoever begins a transaction moves over. The next writer
 *			syncs the folder, before it promises anybody that
 *			something in the new file is durable.
 *
 * and if the power fails, the folder has either name, and both files have all
 * that was promised: nobody can write to the new one before the folder is
 * synced, as we have its writer's lock, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p14-mmapdb/build.h"
#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/lock.h"
#include "p14-mmapdb/newfile.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/write.h"
#include "p14-mmapdb/writer.h"

/* ---- backup ---------------------------------------------------------------------- */

static int write_backup(struct mmapdb *db, const struct newfile_place *place)
{
	uint8_t id[16];
	struct stat st;
	int fd, error;

	if (!faccessat(place->dir_fd, place->name, F_OK, AT_SYMLINK_NOFOLLOW))
		return handle_fail(db, -EEXIST, "%s", place->name);
	if (fstat(db->fd, &st) || getrandom(id, sizeof(id), 0) != sizeof(id))
		return handle_fail(db, -errno, "cannot look at the file");
	fd = newfile_open(place->dir_fd, st.st_mode & 0777);
	if (fd < 0)
		return handle_fail(db, fd, "cannot make %s", place->name);
	error = build_copy(db, fd, id);
	if (!error) {
		error = newfile_publish(fd, place->dir_fd, place->name);
		if (error)
			handle_fail(db, error, "cannot make %s", place->name);
	}
	fdio_close(&fd);
	return error;
}

int mmapdb_backup(struct mmapdb *db, const char *path)
{
	const bool is_reading = db->transaction == HANDLE_READS;
	struct newfile_place place;
	int error = is_reading ? 0 : mmapdb_begin_read(db);

	if (error)
		return error;
	error = newfile_find(path, &place);
	if (error)
		handle_fail(db, error, "cannot make %s", path);
	else
		error = write_backup(db, &place);
	fdio_close(&place.dir_fd);
	if (!is_reading)
		mmapdb_abort(db);
	return error;
}

/* ---- compaction ------------------------------------------------------------------ */

static int check_name(struct mmapdb *db, struct stat *st)
{
	int error = handle_is_current(db);

	if (error)
		return error;
	if (fstat(db->fd, st))
		return handle_fail(db, -errno, "cannot look at the file");
	return st->st_nlink == 1
		       ? 0
		       : handle_fail(db, -EMLINK, "it has several names");
}

/* NAME.compact, from a compaction that was killed between two steps: it has our
 * database's id, and its maker does not live, as we have the writer's lock. A
 * copy that somebody keeps has the id, too; but it has been in use, and so has a
 * seal, which the new file does not get before it has its name. */
static bool is_left_over(struct mmapdb *db, const char *name)
{
	static const struct layout_seal none;
	struct layout_meta meta;
	struct layout_seal seal;
	int fd = openat(db->dir_fd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const bool is_ours =
		fd >= 0 && pread(fd, &meta, sizeof(meta), 0) == sizeof(meta) &&
		meta.magic == LAYOUT_MAGIC &&
		memcmp(meta.id, db->id, sizeof(db->id)) == 0 &&
		pread(fd, &seal, sizeof(seal), LAYOUT_SEAL * LAYOUT_PAGE) ==
			sizeof(seal) &&
		memcmp(&seal, &none, sizeof(none)) == 0;

	fdio_close(&fd);
	return is_ours;
}

static int give_name(struct mmapdb *db, int fd)
{
	char name[NAME_MAX + 1];
	int error;

	snprintf(name, sizeof(name), "%.*s.compact", NAME_MAX - 8, db->name);
	__atomic_store_n(&db->state->is_moving, 1, __ATOMIC_SEQ_CST);
	error = newfile_publish(fd, db->dir_fd, name);
	if (error == -EEXIST && is_left_over(db, name) &&
	    !unlinkat(db->dir_fd, name, 0))
		error = newfile_publish(fd, db->dir_fd, name);
	if (error)
		return handle_fail(db, error, "cannot make %s", name);
	/* Our name may mean another file by now, which is not ours to replace. */
	error = handle_is_current(db);
	if (!error && renameat(db->dir_fd, name, db->dir_fd, db->name))
		error = -errno;
	if (error) {
		unlinkat(db->dir_fd, name, 0);
		return handle_fail(db, error, "cannot rename %s", name);
	}
	return 0;
}

/* The name leads to the new file. */
static int move_over(struct mmapdb *db)
{
	struct mmapdb fresh;
	int error = newfile_sync_dir(db->dir_fd);

	if (error)
		return handle_fail(db, error, "cannot sync the folder");
	error = handle_open_again(db, &fresh);
	if (error)
		return handle_fail(db, error, "cannot open the new file");
	error = shared_rebuild(&fresh);
	if (!error && db->state->is_failed)
		error = handle_fail(&fresh, -EIO, "cannot sync the new file");
	writer_leave(db);
	handle_replace(db, &fresh);
	return error;
}

static int compact(struct mmapdb *db)
{
	struct stat st;
	int fd, error = check_name(db, &st);

	if (error)
		return error;
	fd = newfile_open(db->dir_fd, st.st_mode & 0777);
	if (fd < 0)
		return handle_fail(db, fd, "cannot make a new file");
	/* Whoever opens it meanwhile cannot write yet. */
	error = lock_try(fd, LAYOUT_WRITER_BYTE, F_WRLCK);
	if (!error && fchmod(fd, st.st_mode & 0777))
		error = -errno;
	if (!error && fchown(fd, st.st_uid, st.st_gid) && errno != EPERM)
		error = -errno;
	if (error)
		handle_fail(db, error, "cannot prepare a new file");
	if (!error)
		error = build_copy(db, fd, db->id);
	if (!error)
		error = give_name(db, fd);
	if (!error) {
		error = move_over(db);
	} else {
		__atomic_store_n(&db->state->is_moving, 0, __ATOMIC_RELAXED);
		writer_leave(db);
	}
	fdio_close(&fd);
	return error;
}

int mmapdb_compact(struct mmapdb *db, int64_t deadline)
{
	int error = 0;

	if (!*db->guard)
		return handle_fail(db, -ECHILD,
				   "the handle is the parent process's");
	if (db->transaction != HANDLE_NONE)
		return handle_fail(db, -EINVAL, "a transaction is open");
	if (db->flags & MMAPDB_RDONLY)
		return handle_fail(db, -EROFS, "it is open for reading");
	error = writer_enter(db, deadline);
	if (error)
		return error;
	/* After a failed sync, the visible version is the one to keep. */
	error = db->state->is_failed ? 0 : commit_begin(db);
	if (!error && !db->state->is_failed)
		error = commit_publish(db);
	if (!error)
		error = writer_take(db);
	if (error) {
		writer_leave(db);
		return error;
	}
	db->transaction = HANDLE_READS; /* for the cursor that copies */
	error = compact(db);
	db->transaction = HANDLE_NONE;
	return error;
}
