/* handle.c - the files behind a handle. */
#include "p14-mmapdb/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/identity.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/reader.h"
#include "p14-mmapdb/shared.h"

int handle_fail(struct mmapdb *db, int error, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	vsnprintf(db->error, sizeof(db->error), format, args);
	va_end(args);
	len = strlen(db->error);
	/* What the number says, unless the words do. */
	if (error != -EBADMSG && error != -ENOENT && error != -EINVAL &&
	    error != -ETIMEDOUT)
		snprintf(db->error + len, sizeof(db->error) - len, ": %s",
			 strerrordesc_np(-error));
	return error;
}

/* The number is the kernel's for the namespace, and used again: it is enough to
 * tell people, and nothing else relies on it. */
static uint32_t own_pid_ns(void)
{
	struct identity_place here;

	return identity_place_here(&here) ? 0 : (uint32_t)here.pid.inode;
}

int32_t handle_pid(const struct mmapdb *db, int32_t pid, uint32_t pid_ns)
{
	return pid_ns && pid_ns == db->pid_ns ? pid : 0;
}

static int open_file(struct mmapdb *db)
{
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	struct stat st;

	db->fd = openat(db->dir_fd, db->name, O_RDWR | flags);
	if (db->fd < 0 && db->flags & MMAPDB_RDONLY &&
	    (errno == EACCES || errno == EROFS || errno == EPERM ||
	     errno == ETXTBSY))
		db->fd = openat(db->dir_fd, db->name, O_RDONLY | flags);
	if (db->fd < 0)
		return -errno;
	db->fd = fdio_above_std(db->fd);
	if (db->fd < 0)
		return db->fd;
	if (fstat(db->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EMEDIUMTYPE;
	/* Each name had a lock file of its own. */
	if (st.st_nlink > 1)
		return -EMLINK;
	db->dev = st.st_dev;
	db->ino = st.st_ino;
	return 0;
}

/* Which database it is, by whichever meta page is whole. One may be in the midst
 * of being written, and even both, for who is slow. */
static int identify(struct mmapdb *db)
{
	const struct layout_meta *metas = (const void *)db->map;
	struct layout_meta meta;

	if (db->mapped < LAYOUT_FIRST)
		return -EMEDIUMTYPE;
	if (metas[0].magic != LAYOUT_MAGIC && metas[1].magic != LAYOUT_MAGIC)
		return -EMEDIUMTYPE;
	for (int i = 0; i < 64; i++) {
		memcpy(db->id, metas[i % 2].id, sizeof(db->id));
		if (meta_read(db, (unsigned int)i % 2, &meta) == 0) {
			db->max_pages = meta.max_pages;
			return 0;
		}
	}
	return metas[0].format != LAYOUT_FORMAT &&
			       metas[0].magic == LAYOUT_MAGIC
		       ? -EPROTONOSUPPORT
		       : -EBADMSG;
}

int handle_open(struct mmapdb *db)
{
	uint64_t pages;
	int error;

	db->pid = getpid();
	db->pid_ns = own_pid_ns();
	db->lock_fd = -1;
	db->reader = -1;
	error = open_file(db);
	if (!error)
		error = map_extend(db, &pages);
	if (!error)
		error = identify(db);
	if (!error)
		error = shared_open(db);
	if (error)
		handle_close(db);
	return error;
}

void handle_close(struct mmapdb *db)
{
	reader_leave(db);
	shared_close(db);
	map_close(db);
	fdio_close(&db->fd);
}

int handle_is_current(struct mmapdb *db)
{
	struct stat st;

	if (fstatat(db->dir_fd, db->name, &st, AT_SYMLINK_NOFOLLOW))
		return handle_fail(db, errno == ENOENT ? -ESTALE : -errno,
				   "%s is gone", db->name);
	return st.st_ino == db->ino && st.st_dev == db->dev ? 0 : -ESTALE;
}

int handle_open_again(const struct mmapdb *db, struct mmapdb *fresh)
{
	int error;

	*fresh = *db;
	fresh->map = NULL;
	fresh->tags = NULL;
	fresh->mapped = fresh->reserved = 0;
	fresh->state = NULL;
	fresh->readers = NULL;
	fresh->is_pinned = false;
	fresh->met = fresh->looked.txnid = 0;
	error = handle_open(fresh);
	if (!error && memcmp(fresh->id, db->id, sizeof(db->id)) != 0) {
		handle_close(fresh);
		error = -ESTALE;
	}
	return error;
}

void handle_replace(struct mmapdb *db, struct mmapdb *fresh)
{
	handle_close(db);
	*db = *fresh;
}

int handle_follow(struct mmapdb *db)
{
	struct mmapdb fresh;
	int error = handle_is_current(db);

	if (!error)
		return -EALREADY;
	if (error != -ESTALE)
		return error;
	error = handle_open_again(db, &fresh);
	if (error)
		return handle_fail(db, error == -ENOENT ? -ESTALE : error,
				   "%s leads to another file now", db->name);
	handle_replace(db, &fresh);
	return 0;
}
