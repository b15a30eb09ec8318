/* file.c - see file.h. */
#include "p18-rpc-kv/durable/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { PIECE = 1 << 20 };

int file_make(int dir, const char *name)
{
	int error = file_remove(dir, name), fd;

	if (error)
		return error;
	fd = openat(dir, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fdio_above_std(fd);
}

int file_open(int dir, const char *name)
{
	struct stat st;
	int fd =
		openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		error = -EBADMSG;
	else
		error = fdio_check_trusted(fd);
	if (!error)
		return fdio_above_std(fd);
	close(fd);
	return error;
}

int file_size(int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

int file_write(int fd, const void *bytes, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n = pwrite(fd, (const char *)bytes + done,
					 len - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EIO;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

ssize_t file_read(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = pread(fd, (char *)bytes + done, len - done,
					(off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	return (ssize_t)done;
}

int file_sync(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

/* Synced piece by piece, so that the syncs of others do not wait for all of it at
 * once. */
int file_fill(int fd, uint64_t bytes)
{
	char *zeros;
	int error = 0;

	if (fallocate(fd, 0, 0, (off_t)bytes) && errno != EOPNOTSUPP)
		return -errno;
	zeros = calloc(1, PIECE);
	if (!zeros)
		return -ENOMEM;
	for (uint64_t at = 0; at < bytes && !error; at += PIECE) {
		error = file_write(fd, zeros,
				   bytes - at < PIECE ? bytes - at : PIECE, at);
		if (!error)
			error = file_sync(fd);
	}
	free(zeros);
	if (!error && fsync(fd))
		error = -errno;
	return error;
}

int file_rename(int dir, const char *from, const char *to)
{
	if (renameat(dir, from, dir, to) || fsync(dir))
		return -errno;
	return 0;
}

int file_remove(int dir, const char *name)
{
	return unlinkat(dir, name, 0) && errno != ENOENT ? -errno : 0;
}

int file_each(int dir, int (*visit)(const char *name, void *arg), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	int stopped = 0;
	DIR *stream;

	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream) {
		close(fd);
		return -ENOMEM;
	}
	while (!stopped && (errno = 0, entry = readdir(stream)))
		stopped = visit(entry->d_name, arg);
	if (!stopped && errno)
		stopped = -errno;
	closedir(stream);
	return stopped;
}

uint64_t file_number(const char *name, const char *beginning)
{
	const size_t len = strlen(beginning);
	uint64_t number;
	char *end;

	if (strncmp(name, beginning, len) != 0 || name[len] < '0' ||
	    name[len] > '9')
		return 0;
	errno = 0;
	number = strtoull(name + len, &end, 10);
	return errno || *end ? 0 : number;
}
