/* store.c - a file that grows is written anew beside the old one and renamed
 * (rebuild.c). Nobody may go on in the old one then: its header says that it is
 * being replaced, from before the renaming on and for ever. A handle that sees
 * that looks what the name stands for. Another file: there it goes on. Still
 * this one: if we have a lock of it nobody is replacing it, so the process that
 * was has died, and the mark goes. The mark is looked at after a lock was
 * taken, so that nothing is written into a file that has no name any more; a
 * read looks first, and what it finds was true when it began.
 *
 * The name is looked up by fstatat(2): to open and close the file would drop
 * all our POSIX locks of it. */
#include "p09-reclock/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p09-reclock/wholefile.h"
#include "p09-reclock/waitfor.h"

/* ---- opening ---- */

static int read_header(struct reclock *store, const char **why)
{
	struct layout_header header;
	struct stat st;
	ssize_t n;

	if (fstat(store->lock.fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		*why = "it is no regular file";
		return -EINVAL;
	}
	n = pread(store->lock.fd, &header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(header)) {
		*why = "it is not a file of kvstore";
		return -EBADMSG;
	}
	store->dev = st.st_dev;
	store->ino = st.st_ino;
	return layout_check_header(&header, (uint64_t)st.st_size,
				   &store->layout, why);
}

static int map_file(struct reclock *store)
{
	const int access = store->flags & RECLOCK_READ_ONLY
				   ? PROT_READ
				   : PROT_READ | PROT_WRITE;
	void *map = mmap(NULL, store->layout.file_bytes, access, MAP_SHARED,
			 store->lock.fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	store->map = map;
	store->copy = calloc(
		1, sizeof(struct layout_half) + store->layout.record_bytes + 8);
	return store->copy ? 0 : -ENOMEM;
}

int store_open(struct reclock *store, const char **why)
{
	const int access = store->flags & RECLOCK_READ_ONLY ? O_RDONLY : O_RDWR;
	int error;

	/* O_NONBLOCK: a FIFO would have us wait. */
	store->lock = (struct rangelock){
		.fd = openat(store->dir, store->name,
			     access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
		.is_ofd = store->flags & RECLOCK_OFD,
	};
	store->map = NULL;
	store->copy = NULL;
	if (store->lock.fd < 0)
		return -errno;
	store->lock.fd = fdio_above_std(store->lock.fd);
	if (store->lock.fd < 0)
		return store->lock.fd;
	error = read_header(store, why);
	if (!error)
		error = map_file(store);
	/* Whoever gave it this name may have died before it was on the disk. */
	if (!error && store->flags & RECLOCK_SYNC)
		error = wholefile_sync_dir(store->dir);
	if (error)
		store_close(store);
	return error;
}

void store_close(struct reclock *store)
{
	if (store->map)
		munmap(store->map, store->layout.file_bytes);
	free(store->copy);
	store->map = NULL;
	store->copy = NULL;
	fdio_close(&store->lock.fd);
}

/* ---- following ---- */

void store_adopt(struct reclock *store, struct reclock *next)
{
	store_close(store);
	store->lock = next->lock;
	store->dev = next->dev;
	store->ino = next->ino;
	store->layout = next->layout;
	store->map = next->map;
	store->copy = next->copy;
	store->entry = -1;
}

static int move_over(struct reclock *store)
{
	struct reclock next = {
		.dir = store->dir,
		.name = store->name,
		.flags = store->flags,
	};
	const char *why;
	int error = store_open(&next, &why);

	if (error)
		return error == -ENOENT ? -ESTALE : error;
	if (next.layout.id != store->layout.id) {
		store_close(&next);
		return -ESTALE;
	}
	store_adopt(store, &next);
	return 1;
}

int store_is_named(const struct reclock *store)
{
	struct stat st;

	if (fstatat(store->dir, store->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? -ESTALE : -errno;
	return st.st_dev == store->dev && st.st_ino == store->ino;
}

int store_follow(struct reclock *store, bool has_lock)
{
	int is_named;

	/* Pairs with the release in rebuild.c: a handle that still sees NORMAL
	 * reads what was valid when it looked. */
	if (__atomic_load_n(&store->map->state, __ATOMIC_ACQUIRE) ==
	    LAYOUT_NORMAL)
		return 0;
	is_named = store_is_named(store);
	if (is_named < 0)
		return is_named;
	if (!is_named)
		return move_over(store);
	if (has_lock && !(store->flags & RECLOCK_READ_ONLY))
		__atomic_store_n(&store->map->state, LAYOUT_NORMAL,
				 __ATOMIC_RELEASE);
	return 0;
}

/* ---- locking ---- */

int store_lock(struct reclock *store, uint32_t first, uint32_t n,
	       const struct reclock_label *label, int64_t deadline)
{
	const enum rangelock_kind kind = store->flags & RECLOCK_READ_ONLY
						 ? RANGELOCK_READ
						 : RANGELOCK_WRITE;
	const int64_t byte = RANGELOCK_GROUP + first;
	int error;

	if (getpid() != store->pid)
		return -ECHILD;
	/* A handle that holds nothing else is in nobody's way while it
	 * waits. */
	error = store->holds
			? rangelock_try(store->lock, kind, byte, n)
			: rangelock_until(store->lock, kind, byte, n, deadline);
	if (error == -EAGAIN)
		error = waitfor_lock(store, first, n, label, deadline);
	if (error == -ETIMEDOUT)
		store->trouble.holder = rangelock_holder(store->lock, byte, n);
	if (error)
		return error;
	error = store_follow(store, true);
	if (error < 0)
		store_unlock(store, first, n);
	return error;
}

/* The first group from first to end that is held, or end. */
static uint32_t next_held(const struct reclock *store, uint32_t first,
			  uint32_t end)
{
	for (unsigned int i = 0; i < store->holds; i++) {
		uint32_t home =
			layout_home(store->layout.groups, store->hold[i].hash);

		if (home >= first && home < end)
			end = home;
	}
	return end;
}

void store_unlock(struct reclock *store, uint32_t first, uint32_t n)
{
	const uint32_t end = first + n;

	while (first < end) {
		uint32_t held = next_held(store, first, end);

		/* Zero bytes would be all that follow. */
		if (held > first)
			rangelock_release(store->lock, RANGELOCK_GROUP + first,
					  held - first);
		first = held + 1;
	}
}
