#include "lib/cmd/outfile.h"

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

enum {
	LINKS_MAX = 40, /* as many as the kernel follows */
	BESIDE_MAX = PATH_MAX + 40,
	BESIDE_TRIES = 100,
};

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

/* Where anybody may leave links, as in /tmp, only those count that we or the
 * folder's owner left (proc(5), protected_symlinks): another's would have us
 * replace a file of his choice. */
static bool is_planted(const struct stat *link, const char *folder)
{
	const mode_t open_to_all = S_ISVTX | S_IWOTH;
	struct stat st;

	return stat(folder, &st) < 0 ||
	       ((st.st_mode & open_to_all) == open_to_all &&
		link->st_uid != geteuid() && link->st_uid != st.st_uid);
}

/* What the symbolic link at path, in the folder, says: its length. 0: there is
 * none, or one of /proc, where /dev/stdout leads, and that is something open
 * whose name may be another's by now. */
static ssize_t read_link(const char *path, const char *folder,
			 char target[PATH_MAX])
{
	/* The link itself, so that what is looked at is what is read. */
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	struct statfs fs;
	ssize_t len = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode) &&
	    fstatfs(fd, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC) {
		len = is_planted(&st, folder)
			      ? -EACCES
			      : readlinkat(fd, "", target, PATH_MAX);
		if (len == PATH_MAX)
			len = -ENAMETOOLONG;
	}
	fdio_close(&fd);
	return len;
}

/* A symbolic link at path: where it leads, in its place, and 1. Or 0: none. */
static int follow_link(char path[PATH_MAX])
{
	char folder[PATH_MAX], target[PATH_MAX], next[PATH_MAX];
	int error = folder_of(path, folder), n;
	ssize_t len;

	if (error)
		return error;
	len = read_link(path, folder, target);
	if (len <= 0)
		return (int)len;
	n = snprintf(next, sizeof(next), "%s%.*s",
		     target[0] == '/' ? "" : folder, (int)len, target);
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

/* Whose the one at path is, and with its permissions. -EPERM: it cannot be. */
static int make_like(int fd, const struct stat *st)
{
	struct stat own;

	if (fstat(fd, &own) < 0)
		return -errno;
	if ((own.st_uid != st->st_uid || own.st_gid != st->st_gid) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		return -EPERM;
	fchmod(fd, st->st_mode & 0777); /* where there are such */
	return 0;
}

/* A new file without a name yet, so that a kill leaves nothing; where the file
 * system has no such thing, or /proc is not there for give_name(), at beside.
 * Nobody may read or write it who could not do so with the one at path. */
static int create_like(const char *path, const char *folder, const char *beside,
		       bool *has_name)
{
	const int flags = O_WRONLY | O_CLOEXEC;
	struct stat st;
	bool is_there = stat(path, &st) == 0;
	mode_t mode = is_there ? 0600 : 0666;
	int fd = access("/proc/self/fd", X_OK) == 0
			 ? open(folder, flags | O_TMPFILE, mode)
			 : -1;
	int error;

	*has_name = fd < 0;
	if (fd < 0)
		fd = open(beside, flags | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return -errno;
	error = is_there ? make_like(fd, &st) : 0;
	if (!error)
		return fd;
	fdio_close(&fd);
	if (*has_name)
		unlink(beside);
	return error;
}

/* open(2), O_TMPFILE: the way that needs no privilege. */
static int give_name(int fd, const char *beside)
{
	char open_file[40];

	snprintf(open_file, sizeof(open_file), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, open_file, AT_FDCWD, beside,
		      AT_SYMLINK_FOLLOW) < 0
		       ? -errno
		       : 0;
}

/* A name in the folder that is free: short, as that of the file may be as long
 * as names are, and an earlier process of our number may have left one. */
static void choose_beside(const char *folder, char beside[BESIDE_MAX])
{
	struct stat st;
	int i = 0;

	do
		snprintf(beside, BESIDE_MAX, "%soutfile-%d-%d.new", folder,
			 (int)getpid(), i++);
	while (i < BESIDE_TRIES && lstat(beside, &st) == 0);
}

static int replace(const char *path, const char *text, size_t len)
{
	char folder[PATH_MAX], beside[BESIDE_MAX];
	bool has_name = false;
	int error = folder_of(path, folder), close_error, fd;

	if (error)
		return error;
	choose_beside(folder, beside);
	fd = create_like(path, folder, beside, &has_name);
	if (fd < 0)
		return fd;
	error = fdio_write_full(fd, text, len);
	if (!error && !has_name) {
		error = give_name(fd, beside);
		has_name = error == 0;
	}
	close_error = fdio_close(&fd);
	if (!error)
		error = close_error;
	if (!error && rename(beside, path) != 0)
		error = -errno;
	if (error && has_name)
		unlink(beside);
	return error;
}

int outfile_write(const char *path, const char *text, size_t len)
{
	char real[PATH_MAX];
	bool can;
	int error = follow(path, real);

	if (!error)
		error = can_be_replaced(real, &can);
	if (error)
		return error;
	error = can ? replace(real, text, len) : -EPERM;
	return error == -EPERM ? write_directly(real, text, len) : error;
}
