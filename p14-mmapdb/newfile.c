/* newfile.c - see newfile.h. */
#include "p14-mmapdb/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { SUFFIX_MAX = 8 /* ".compact" */ };

int newfile_find(const char *path, struct newfile_place *place)
{
	char *real = realpath(path, NULL);
	const char *whole = real ? real : path;
	const char *slash = strrchr(whole, '/');
	const char *name = slash ? slash + 1 : whole;
	char *dir;
	int error = 0;

	place->dir_fd = -1;
	if (strlen(name) == 0 || strlen(name) > NAME_MAX - SUFFIX_MAX) {
		error = *name ? -ENAMETOOLONG : -EISDIR;
		free(real);
		return error;
	}
	memcpy(place->name, name, strlen(name) + 1);
	dir = slash ? strndup(whole, (size_t)(slash - whole) + 1) : strdup(".");
	if (!dir)
		error = -ENOMEM;
	/* To sync it, it has to be readable; to find things in it, not. */
	if (!error)
		place->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!error && place->dir_fd < 0 && errno == EACCES)
		place->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!error && place->dir_fd < 0)
		error = -errno;
	free(dir);
	free(real);
	if (!error) {
		place->dir_fd = fdio_above_std(place->dir_fd);
		error = place->dir_fd < 0 ? place->dir_fd : 0;
	}
	return error;
}

int newfile_open(int dir_fd, mode_t mode)
{
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

int newfile_sync_dir(int dir_fd)
{
	return fsync(dir_fd) && errno != EBADF && errno != EINVAL ? -errno : 0;
}

int newfile_publish(int fd, int dir_fd, const char *name)
{
	char path[32];

	if (fsync(fd))
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir_fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	return newfile_sync_dir(dir_fd);
}
