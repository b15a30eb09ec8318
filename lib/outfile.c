#include "lib/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

/* The folder that path lies in. */
static int folder_of(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(folder, PATH_MAX, "%.*s", slash ? (int)len : 1,
		 slash ? path : ".");
	return 0;
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
	struct stat st;
	bool can;
	int error;

	if (!*path)
		return -ENOENT;
	error = can_be_replaced(path, &can);
	if (error || stat(path, &st) != 0)
		return error;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, W_OK) == 0 ? 0 : -errno;
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

int outfile_write(const char *path, const char *text, size_t len)
{
	char beside[PATH_MAX + 32];
	bool can;
	int error, fd;

	error = can_be_replaced(path, &can);
	if (error)
		return error;
	if (!can)
		return write_directly(path, text, len);
	snprintf(beside, sizeof(beside), "%s.%d.new", path, (int)getpid());
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	error = write_to(fd, text, len);
	if (!error && rename(beside, path) != 0)
		error = -errno;
	if (error)
		unlink(beside);
	return error;
}
