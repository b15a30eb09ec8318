/* fifo.c - open first, then ask the descriptor what it is.
 *
 * O_NOFOLLOW and O_NONBLOCK make opening harmless whatever has that name; the
 * checks come before the first byte. Between open and lock another process may
 * have removed the name and made it anew: the inode behind it is compared, and
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
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

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

/* Whether path names what fd has open: 0 or 1, or -errno when that cannot be told
 * (out of descriptors). */
static int is_still_at(int fd, const char *path)
{
	struct identity_object ours, named;
	int error = identity_of_fd(fd, &ours);

	if (error)
		return error;
	error = identity_of_path(AT_FDCWD, path, &named);
	switch (identity_compare(&ours, error, &named)) {
	case IDENTITY_ANOTHER:
	case IDENTITY_GONE:
		return 0;
	case IDENTITY_SAME:
	case IDENTITY_CANNOT_TELL:
		break;
	}
	return error ? error : 1;
}

/* The same, to go on with: 0, or -EAGAIN when it does not. */
static int check_name(int fd, const char *path)
{
	int rc = is_still_at(fd, path);

	return rc == 0 ? -EAGAIN : rc < 0 ? rc : 0;
}

/* Whether a process reads the FIFO of this name: a reader of ours would hold the
 * lock, other programs would not. */
static bool is_read(const char *path)
{
	int fd = open_checked(path, O_WRONLY, geteuid());

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* We hold the write lock of one byte, and its number is our generation: any
 * writer can ask for it, and the kernel drops it with the last of our write end. */
static int mark_generation(int write_fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	if (getrandom(&lock.l_start, sizeof(lock.l_start), 0) < 0)
		return -errno;
	lock.l_start = 1 + (lock.l_start & INT64_MAX >> 1);
	if (fcntl(write_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EADDRINUSE : -errno;
}

/* As many descriptors as it takes to make one and look at it: a name that was made
 * without them would be in our own way. */
static int check_descriptors(void)
{
	int one[2], two[2], error = fdio_pipe(one);

	if (error)
		return error;
	error = fdio_pipe(two);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		if (!error)
			close(two[i]);
	}
	return error;
}

/* Returns 0, -EAGAIN when the name changed hands meanwhile, or -errno. */
static int make_and_lock(struct fifo *fifo, const char *path, mode_t mode,
			 bool is_exclusive)
{
	int error = check_descriptors();

	if (error)
		return error;
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
	error = check_name(fifo->read_fd, path);
	if (error)
		return error;
	if (fchmod(fifo->read_fd, mode) < 0)
		return -errno;
	fifo->write_fd = open_checked(path, O_WRONLY, geteuid());
	if (fifo->write_fd < 0)
		return fifo->write_fd == -ENOENT ? -EAGAIN : fifo->write_fd;
	/* Both ends, or we would hear ourselves only. */
	error = check_name(fifo->write_fd, path);
	return error ? error : mark_generation(fifo->write_fd);
}

static int create(struct fifo *fifo, const char *path, mode_t mode,
		  bool is_exclusive)
{
	int rc = -EAGAIN;

	if (strlen(path) >= sizeof(fifo->path))
		return -ENAMETOOLONG;
	/* A few times: a process that keeps exchanging the name is no friend. */
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

int fifo_has_name(const struct fifo *fifo)
{
	return is_still_at(fifo->read_fd, fifo->path);
}

int fifo_let_write(const struct fifo *fifo, uid_t user, mode_t mode)
{
	const struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entry[5];
	} acl = {
		.header = {POSIX_ACL_XATTR_VERSION},
		.entry = {{ACL_USER_OBJ, ACL_READ | ACL_WRITE, 0},
			  {ACL_USER, ACL_WRITE, user},
			  {ACL_GROUP_OBJ, 0, 0},
			  {ACL_MASK, ACL_WRITE, 0},
			  {ACL_OTHER, 0, 0}},
	};

	if (fsetxattr(fifo->read_fd, "system.posix_acl_access", &acl,
		      sizeof(acl), 0) == 0)
		return 0;
	return fchmod(fifo->read_fd, mode) < 0 ? -errno : 0;
}

void fifo_close(struct fifo *fifo)
{
	fdio_close(&fifo->write_fd);
	fdio_close(&fifo->read_fd);
}

void fifo_remove(struct fifo *fifo)
{
	/* The name goes while the lock is still ours. */
	if (fifo->read_fd >= 0 && is_still_at(fifo->read_fd, fifo->path) > 0)
		unlink(fifo->path);
	fifo_close(fifo);
}

int fifo_open_writer(const char *path, uid_t owner)
{
	return open_checked(path, O_WRONLY, owner);
}

int64_t fifo_reader_generation(int fd)
{
	/* As for reading, all bytes: a writer's lock is in the way. */
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : lock.l_start;
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
	struct stat st;

	/* Its reader holds the lock for as long as it lives. */
	return fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still_at(fd, path) > 0 &&
	       unlink(path) == 0;
}

const char *fifo_describe(int error)
{
	return error == -ENOTUNIQ ? "it is no FIFO of the expected user"
				  : strerror(-error);
}
