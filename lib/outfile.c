#include "lib/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { LINKS_MAX = 40 }; /* as many as the kernel follows */

/* The folder that path lies in, with a slash at its end. */
static int folder_of(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(folder, PATH_MAX, "%.*s", slash ? (int)len : 2,
		 slash ? path : "./");
	return 0;
}

/* Where a symbolic link at path leads, in its place: 1. Or 0: there is none,
 * or one of /proc, where /dev/stdout leads, and that is something open whose
 * name may be another's by now. */
static int follow_link(char path[PATH_MAX])
{
	char folder[PATH_MAX], target[PATH_MAX], next[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	struct statfs fs;
	int error, n;

	if (len < 0)
		return 0;
	target[len] = '\0';
	error = folder_of(path, folder);
	if (error)
		return error;
	if (statfs(folder, &fs) < 0)
		return -errno;
	if (fs.f_type == PROC_SUPER_MAGIC)
		return 0;
	n = snprintf(next, sizeof(next), "%s%s", target[0] == '/' ? "" : folder,
		     target);
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, next, (size_t)n + 1);
	return 1;
}

/* The file that path stands for in the end: so that a rename replaces that
 * one, and the links stay. */
static int follow(const char *path, char real[PATH_MAX])
{
	int n = 1;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(real, PATH_MAX, "%s", path);
	for (int i = 0; n > 0 && i < LINKS_MAX; i++)
		n = follow_link(real);
	return n > 0 ? -ELOOP : n;
}

/* Whether a rename may make or replace it, or else -errno of the folder. */
static int can_be_replaced(const char *path, bool *can)
{
	char folder[PATH_MAX];
	struct stat st;
	int error;

	*can = false;
	error = folder_of(path, folder);
	if (error)
		return error;
	if (lstat(path, &st) == 0) {
		*can = S_ISREG(st.st_mode) && access(folder, W_OK | X_OK) == 0;
		return 0;
	}
	if (errno != ENOENT || access(folder, W_OK | X_OK) != 0)
		return -errno;
	*can = true;
	return 0;
}

int outfile_check(const char *path)
{
	char real[PATH_MAX];
	struct stat st;
	bool can;
	int error;

	if (!*path)
		return -ENOENT;
	error = follow(path, real);
	if (!error)
		error = can_be_replaced(real, &can);
	if (error || stat(real, &st) != 0)
		return error;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(real, W_OK) == 0 ? 0 : -errno;
}

static int write_to(int fd, const char *text, size_t len)
{
	int error = fdio_write_full(fd, text, len);
	int close_error = fdio_close(&fd);

	return error ? error : close_error;
}

static int write_directly(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
		      0666);

	return fd < 0 ? -errno : write_to(fd, text, len);
}

/* A new file, which nobody may read or write who could not do so with the one
 * at path. */
static int create_like(const char *path, const char *beside)
{
	struct stat st;
	bool is_there = stat(path, &st) == 0;
	int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		      is_there ? st.st_mode & 0666 : 0666);

	if (fd < 0)
		return -errno;
	if (is_there)
		fchmod(fd, st.st_mode & 0777); /* less the umask else */
	return fd;
}

int outfile_write(const char *path, const char *text, size_t len)
{
	char real[PATH_MAX], beside[PATH_MAX + 32];
	bool can;
	int error, fd;

	error = follow(path, real);
	if (!error)
		error = can_be_replaced(real, &can);
	if (error)
		return error;
	if (!can)
		return write_directly(real, text, len);
	snprintf(beside, sizeof(beside), "%s.%d.new", real, (int)getpid());
	fd = create_like(real, beside);
	if (fd < 0)
		return fd;
	error = write_to(fd, text, len);
	if (!error && rename(beside, real) != 0)
		error = -errno;
	if (error)
		unlink(beside);
	return error;
}
