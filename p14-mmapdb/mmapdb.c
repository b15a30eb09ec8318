/* mmapdb.c - handles and transactions; what they do is in the files below.
 *
 * Order of locks: the writer's in the old file, then that in the new one
 * (copy.c). A reader's slot is taken with no other lock in hand. */
#include "p14-mmapdb/mmapdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/handle.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/newfile.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/reader.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/writer.h"
#include "p14-mmapdb/write.h"

enum { PAGES_LEAST = MMAPDB_LEAST / LAYOUT_PAGE };
static_assert((int)PAGES_LEAST > (int)LAYOUT_FIRST, "");

/* ---- life ------------------------------------------------------------------------ */

static uint64_t to_pages(uint64_t bytes)
{
	return bytes / LAYOUT_PAGE + (bytes % LAYOUT_PAGE != 0);
}

int mmapdb_create(const char *path, uint64_t size_bytes, uint64_t max_bytes,
		  mode_t mode)
{
	const uint64_t max = to_pages(max_bytes);
	uint64_t pages = to_pages(size_bytes);
	struct newfile_place place;
	uint8_t id[16];
	int fd = -1, error;

	if (pages < PAGES_LEAST)
		pages = PAGES_LEAST;
	if ((max && pages > max) || pages > LAYOUT_PGNO || max > LAYOUT_PGNO)
		return -EINVAL;
	error = newfile_find(path, &place);
	if (error)
		return error;
	/* Before anything is written; newfile_publish() makes sure of it. */
	if (!faccessat(place.dir_fd, place.name, F_OK, AT_SYMLINK_NOFOLLOW))
		error = -EEXIST;
	if (!error && getrandom(id, sizeof(id), 0) != sizeof(id))
		error = -EIO;
	if (!error) {
		fd = newfile_open(place.dir_fd, mode);
		error = fd < 0 ? fd : 0;
	}
	if (!error)
		error = output_grow(fd, 0, pages * LAYOUT_PAGE);
	if (!error)
		error = meta_init(fd, id, pages, max);
	if (!error)
		error = newfile_publish(fd, place.dir_fd, place.name);
	fdio_close(&fd);
	fdio_close(&place.dir_fd);
	return error;
}

/* A page that a forked child finds empty. */
static unsigned char *make_guard(void)
{
	unsigned char *guard = mmap(NULL, LAYOUT_PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (guard == MAP_FAILED)
		return NULL;
	madvise(guard, LAYOUT_PAGE, MADV_WIPEONFORK);
	*guard = 1;
	return guard;
}

int mmapdb_open(const char *path, unsigned int flags, struct mmapdb **opened)
{
	struct mmapdb *db = calloc(1, sizeof(*db));
	struct newfile_place place = {.dir_fd = -1};
	int error = db ? 0 : -ENOMEM;

	*opened = NULL;
	if (!error)
		error = newfile_find(path, &place);
	if (!error) {
		db->flags = flags;
		db->dir_fd = place.dir_fd;
		memcpy(db->name, place.name, sizeof(db->name));
		db->guard = make_guard();
		error = db->guard ? handle_open(db) : -ENOMEM;
	}
	if (!error) {
		*opened = db;
		return 0;
	}
	if (db && db->guard)
		munmap(db->guard, LAYOUT_PAGE);
	fdio_close(&place.dir_fd);
	free(db);
	return error;
}

void mmapdb_close(struct mmapdb *db)
{
	if (!db)
		return;
	if (*db->guard)
		mmapdb_abort(db);
	else
		db->reader = -1; /* our parent's */
	write_fini(db);
	log_fini(db);
	handle_close(db);
	fdio_close(&db->dir_fd);
	munmap(db->guard, LAYOUT_PAGE);
	free(db);
}

const char *mmapdb_error(const struct mmapdb *db)
{
	return db->error;
}

/* ---- transactions ------------------------------------------------------------------ */

/* The handle is ours, and in such a transaction. */
static int demand(struct mmapdb *db, bool is_allowed)
{
	if (__builtin_expect(!*db->guard, 0))
		return handle_fail(db, -ECHILD,
				   "the handle is the parent process's");
	if (__builtin_expect(!is_allowed, 0))
		return handle_fail(db, -EINVAL, "no such transaction is open");
	return 0;
}

int mmapdb_begin_read(struct mmapdb *db)
{
	int error = demand(db, db->transaction == HANDLE_NONE);

	if (!error)
		error = reader_begin(db);
	if (!error) {
		db->transaction = HANDLE_READS;
		db->dirty.changes++; /* old cursors are of another snapshot */
	}
	return error;
}

int mmapdb_begin_write(struct mmapdb *db, int64_t deadline)
{
	int error = demand(db, db->transaction == HANDLE_NONE);

	if (!error && db->flags & MMAPDB_RDONLY)
		error = handle_fail(db, -EROFS, "it is open for reading");
	if (!error)
		error = writer_enter(db, deadline);
	if (error)
		return error;
	error = commit_begin(db);
	if (!error)
		error = writer_take(db);
	if (!error)
		error = write_begin(db);
	if (!error)
		error = log_begin(db);
	if (error) {
		writer_leave(db);
		return error;
	}
	db->version.txnid++;
	db->broken = 0;
	db->dirty.changes_before = ++db->dirty.changes; /* as above */
	db->transaction = HANDLE_WRITES;
	return 0;
}

int mmapdb_commit(struct mmapdb *db)
{
	int error = demand(db, db->transaction != HANDLE_NONE);
	uint64_t awaited = 0;

	if (error)
		return error;
	if (db->transaction == HANDLE_WRITES) {
		error = db->broken;
		if (!error && db->dirty.changes != db->dirty.changes_before)
			error = commit_end(db, &awaited);
	}
	/* Others may write, while we wait for the disk. */
	mmapdb_abort(db);
	return error || !awaited ? error : log_wait(db, awaited);
}

void mmapdb_abort(struct mmapdb *db)
{
	if (demand(db, true))
		return;
	if (db->transaction == HANDLE_WRITES) {
		write_end(db);
		writer_leave(db);
	}
	if (db->transaction == HANDLE_READS)
		reader_end(db);
	db->transaction = HANDLE_NONE;
}

pid_t mmapdb_writer(struct mmapdb *db)
{
	return *db->guard ? writer_pid(db) : 0;
}

/* ---- records ----------------------------------------------------------------------- */

static int check_key(struct mmapdb *db, struct mmapdb_bytes key)
{
	if (__builtin_expect(key.len - 1 < MMAPDB_KEY_MAX, 1))
		return 0;
	return handle_fail(db, -EINVAL, "a key has 1 to %d bytes, not %zu",
			   MMAPDB_KEY_MAX, key.len);
}

int mmapdb_get(struct mmapdb *db, struct mmapdb_bytes key,
	       struct mmapdb_bytes *value)
{
	int error = demand(db, db->transaction != HANDLE_NONE);

	if (!error)
		error = check_key(db, key);
	return error ? error : tree_get(db, key, value);
}

int mmapdb_put(struct mmapdb *db, struct mmapdb_bytes key,
	       struct mmapdb_bytes value, uint64_t *offset)
{
	int error = demand(db, db->transaction == HANDLE_WRITES);

	if (!error)
		error = check_key(db, key);
	if (!error && value.len > MMAPDB_VALUE_MAX)
		error = handle_fail(db, -EINVAL,
				    "a value has %d bytes at most, not %zu",
				    MMAPDB_VALUE_MAX, value.len);
	if (error)
		return error;
	if (offset)
		*offset = db->version.logical_end;
	/* The value may lie in a page that changes now. */
	if (!db->broken)
		log_note(db, key, &value);
	error = db->broken ? db->broken : write_put(db, key, value);
	if (error)
		db->broken = error;
	return error;
}

int mmapdb_del(struct mmapdb *db, struct mmapdb_bytes key)
{
	int error = demand(db, db->transaction == HANDLE_WRITES);

	if (!error)
		error = check_key(db, key);
	if (error)
		return error;
	error = db->broken ? db->broken : write_del(db, key);
	if (!error)
		log_note(db, key, NULL);
	else if (error != -ENOENT)
		db->broken = error;
	return error;
}
