/* fifo.c - open first, then ask the descriptor what it is.
 *
 * O_NOFOLLOW and O_NONBLOCK make opening harmless whatever has that name; the
 * checks come before the first byte. Between open and lock the name may have
 * been removed and made anew by another: the inode behind it is compared, and
 * all begins again.
 */
#include "p02-fifo/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/identity.h"

static const char REPLY_PREFIX[] = "calc_client_";

/* Open what has this name if it is a FIFO of owner. */
static int open_checked(const char *path, int flags, uid_t owner)
{
	struct stat st;
	int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP ? -ENOTUNIQ : -errno;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    (owner != FIFO_ANY_USER && st.st_uid != owner)) {
		close(fd);
		return -ENOTUNIQ;
	}
	return fdio_above_std(fd);
}

static bool is_still_at(int fd, const char *path)
{
	struct identity_object ours, named;
	int error = identity_of_fd(fd, &ours);

	if (error)
		return false;
	error = identity_of_path(AT_FDCWD, path, &named);
	switch (identity_compare(&ours, error, &named)) {
	case IDENTITY_ANOTHER:
	case IDENTITY_GONE:
		return false;
	case IDENTITY_SAME:
	case IDENTITY_CANNOT_TELL:
		break;
	}
	return error == 0;
}

/* Whether somebody reads what has this name: our own sort would hold the lock,
 * other programs would not. */
static bool is_read(const char *path)
{
	int fd = open_checked(path, O_WRONLY, geteuid());

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* We hold the write lock of one byte, and its number is our life: any writer can
 * ask for it, and the kernel drops it with the last of our write end. */
static int mark_life(int write_fd)
{
	struct flock life = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	if (getrandom(&life.l_start, sizeof(life.l_start), 0) < 0)
		return -errno;
	life.l_start = 1 + (life.l_start & INT64_MAX >> 1);
	if (fcntl(write_fd, F_OFD_SETLK, &life) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EADDRINUSE : -errno;
}

/* Returns 0, -EAGAIN when the name changed hands meanwhile, or -errno. */
static int make_and_lock(struct fifo *fifo, const char *path, mode_t mode,
			 bool is_exclusive)
{
	fifo->is_new = mkfifo(path, S_IRUSR | S_IWUSR) == 0;
	if (!fifo->is_new && (errno != EEXIST || is_exclusive))
		return -errno;
	if (!fifo->is_new && is_read(path))
		return -EADDRINUSE;
	fifo->read_fd = open_checked(path, O_RDONLY, geteuid());
	if (fifo->read_fd < 0)
		return fifo->read_fd == -ENOENT ? -EAGAIN : fifo->read_fd;
	if (flock(fifo->read_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	if (!is_still_at(fifo->read_fd, path))
		return -EAGAIN;
	if (fchmod(fifo->read_fd, mode) < 0)
		return -errno;
	fifo->write_fd = open_checked(path, O_WRONLY, geteuid());
	if (fifo->write_fd < 0)
		return fifo->write_fd == -ENOENT ? -EAGAIN : fifo->write_fd;
	/* Both ends, or we would hear ourselves only. */
	if (!is_still_at(fifo->write_fd, path))
		return -EAGAIN;
	return mark_life(fifo->write_fd);
}

static int create(struct fifo *fifo, const char *path, mode_t mode,
		  bool is_exclusive)
{
	int rc = -EAGAIN;

	if (strlen(path) >= sizeof(fifo->path))
		return -ENAMETOOLONG;
	/* A few times: whoever keeps exchanging the name is no friend. */
	for (int tries = 0; tries < 10 && rc == -EAGAIN; tries++) {
		*fifo = (struct fifo)FIFO_CLOSED;
		rc = make_and_lock(fifo, path, mode, is_exclusive);
		if (rc)
			fifo_close(fifo);
	}
	if (rc == 0)
		memcpy(fifo->path, path, strlen(path) + 1);
	return rc;
}

int fifo_create(struct fifo *fifo, const char *path, mode_t mode)
{
	return create(fifo, path, mode, false);
}

int fifo_create_new(struct fifo *fifo, const char *path, mode_t mode)
{
	return create(fifo, path, mode, true);
}

bool fifo_has_name(const struct fifo *fifo)
{
	return is_still_at(fifo->read_fd, fifo->path);
}

void fifo_close(struct fifo *fifo)
{
	fdio_close(&fifo->write_fd);
	fdio_close(&fifo->read_fd);
}

void fifo_remove(struct fifo *fifo)
{
	/* The name goes while the lock is still ours. */
	if (fifo->read_fd >= 0 && is_still_at(fifo->read_fd, fifo->path))
		unlink(fifo->path);
	fifo_close(fifo);
}

int fifo_open_writer(const char *path, uid_t owner)
{
	return open_checked(path, O_WRONLY, owner);
}

int64_t fifo_reader_life(int fd)
{
	/* As for reading, all bytes: a writer's lock is in the way. */
	struct flock life = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_GETLK, &life) < 0)
		return -errno;
	return life.l_type == F_UNLCK ? 0 : life.l_start;
}

/* The length of the directory part, with its slash. */
static size_t directory_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

int fifo_reply_path(char *buf, size_t size, const char *server_path, pid_t pid)
{
	int n = snprintf(buf, size, "%.*s%s%d", (int)directory_len(server_path),
			 server_path, REPLY_PREFIX, (int)pid);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool fifo_remove_if_dead(int fd, const char *path)
{
	int read_fd = open_checked(path, O_RDONLY, geteuid());
	bool is_dead;

	if (read_fd < 0)
		return false;
	/* Its reader holds the lock for as long as it lives. */
	is_dead = is_still_at(fd, path) && is_still_at(read_fd, path) &&
		  flock(read_fd, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0;
	close(read_fd);
	return is_dead;
}
