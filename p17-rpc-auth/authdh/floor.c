/* floor.c - all of the file is in memory too, and looked through from its
 * beginning: there are as many entries as users have ever come.
 *
 * Entries do not cross a sector, so that a power cut leaves the one before or
 * the new one. What it leaves of a file that was growing are zeros: an entry of
 * nobody. */
#include "p17-rpc-auth/authdh/floor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { ENTRIES_MAX = 100000, VERSION = 1 };
#define MAGIC UINT64_C(0x726f6f6c66686475) /* "udhfloor" */

struct header {
	uint64_t magic;
	uint32_t version;
	uint32_t reserved[5];
};

struct entry {
	uint8_t public[DH_KEY];
	int64_t time_us;
};

_Static_assert(sizeof(struct header) == 32, "fixed width");
_Static_assert(sizeof(struct entry) == 32, "512 is a multiple");

struct floors {
	int fd;
	pthread_mutex_t lock; /* of both below, and of writing */
	struct entry *entries;
	size_t n;
};

/* ---- opening ---- */

static int sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, error = 0;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

static int begin_file(int fd)
{
	const struct header header = {.magic = MAGIC, .version = VERSION};
	int error = fdio_write_full(fd, &header, sizeof(header));

	if (!error && fsync(fd))
		error = -errno;
	return error;
}

static int read_file(struct floors *floors, off_t bytes)
{
	const size_t n = (size_t)bytes / sizeof(struct entry) - 1;
	struct header header;
	ssize_t got;

	if (bytes % (off_t)sizeof(struct entry))
		return -EBADMSG;
	if (n > ENTRIES_MAX)
		return -EFBIG;
	got = fdio_read_full(floors->fd, &header, sizeof(header));
	if (got < 0)
		return (int)got;
	if (header.magic != MAGIC || header.version != VERSION)
		return -EBADMSG;
	floors->entries = calloc(n + 1, sizeof(*floors->entries));
	if (!floors->entries)
		return -ENOMEM;
	floors->n = n;
	got = fdio_read_full(floors->fd, floors->entries,
			     n * sizeof(*floors->entries));
	return got < 0 ? (int)got : 0;
}

static int read_or_begin(struct floors *floors)
{
	struct stat st;
	int error = fdio_check_trusted(floors->fd);

	if (error)
		return error;
	if (flock(floors->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(floors->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	return st.st_size ? read_file(floors, st.st_size)
			  : begin_file(floors->fd);
}

int floor_open(struct floors **out, const char *path)
{
	struct floors *floors = calloc(1, sizeof(*floors));
	int fd, error;

	*out = NULL;
	if (!floors)
		return -ENOMEM;
	pthread_mutex_init(&floors->lock, NULL);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		  0600);
	floors->fd = fd < 0 ? -errno : fdio_above_std(fd);
	error = floors->fd < 0 ? floors->fd : read_or_begin(floors);
	if (!error)
		error = sync_folder(path);
	if (error)
		floor_close(floors);
	else
		*out = floors;
	return error;
}

void floor_close(struct floors *floors)
{
	if (!floors)
		return;
	fdio_close(&floors->fd);
	pthread_mutex_destroy(&floors->lock);
	free(floors->entries);
	free(floors);
}

/* ---- entries, with the lock held ---- */

static struct entry *find(const struct floors *floors,
			  const uint8_t public[DH_KEY])
{
	for (size_t i = 0; i < floors->n; i++)
		if (memcmp(floors->entries[i].public, public, DH_KEY) == 0)
			return &floors->entries[i];
	return NULL;
}

static struct entry *append(struct floors *floors, const uint8_t public[DH_KEY])
{
	struct entry *more;

	if (floors->n == ENTRIES_MAX)
		return NULL;
	more = reallocarray(floors->entries, floors->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	floors->entries = more;
	more += floors->n++;
	*more = (struct entry){0};
	memcpy(more->public, public, DH_KEY);
	return more;
}

/* What is in memory is on disk. */
static int write_entry(const struct floors *floors, struct entry *entry,
		       int64_t time_us)
{
	const off_t at = (off_t)sizeof(struct header) +
			 (entry - floors->entries) * (off_t)sizeof(*entry);
	struct entry later = *entry;
	ssize_t n;

	later.time_us = time_us;
	n = pwrite(floors->fd, &later, sizeof(later), at);
	if (n < 0 || fdatasync(floors->fd))
		return -errno;
	if (n < (ssize_t)sizeof(later))
		return -ENOSPC;
	*entry = later;
	return 0;
}

int64_t floor_get(struct floors *floors, const uint8_t public[DH_KEY])
{
	const struct entry *entry;
	int64_t time_us;

	pthread_mutex_lock(&floors->lock);
	entry = find(floors, public);
	time_us = entry ? entry->time_us : 0;
	pthread_mutex_unlock(&floors->lock);
	return time_us;
}

int floor_raise(struct floors *floors, const uint8_t public[DH_KEY],
		int64_t time_us)
{
	struct entry *entry;
	int error = 0;

	pthread_mutex_lock(&floors->lock);
	entry = find(floors, public);
	if (!entry)
		entry = append(floors, public);
	if (!entry)
		error = -ENOMEM;
	else if (entry->time_us < time_us)
		error = write_entry(floors, entry, time_us);
	pthread_mutex_unlock(&floors->lock);
	return error;
}
