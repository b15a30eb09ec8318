/* The number has always as many digits, and is written by one call over the old
 * one, under a lock: who reads sees the one or the other. */
#include "p18-rpc-kv/cmd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { DIGITS = 20 };

static int parse(int fd, uint64_t *revision)
{
	char text[DIGITS + 2] = "", *end;
	ssize_t n = fdio_read_full(fd, text, DIGITS + 1);

	*revision = 0;
	if (n <= 0)
		return (int)n;
	errno = 0;
	*revision = strtoull(text, &end, 10);
	return errno || n != DIGITS + 1 || end != text + DIGITS ||
			       strspn(text, "0123456789") != DIGITS ||
			       *end != '\n'
		       ? -EBADMSG
		       : 0;
}

/* Who opens a FIFO would wait for somebody else, hence O_NONBLOCK. */
static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0600), error;
	struct stat st;

	if (fd == -1)
		return -errno;
	error = fstat(fd, &st) == -1 ? -errno : 0;
	if (!error && !S_ISREG(st.st_mode))
		error = -EBADMSG;
	if (!error)
		error = fdio_check_trusted(fd);
	if (error)
		fdio_close(&fd);
	return error ? error : fd;
}

int session_read(const char *path, uint64_t *revision)
{
	int fd = open_file(path, O_RDONLY), error;

	*revision = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = parse(fd, revision);
	fdio_close(&fd);
	return error;
}

int session_note(const char *path, uint64_t revision, int64_t deadline)
{
	int fd = open_file(path, O_RDWR | O_CREAT), error, closed;
	char text[DIGITS + 2];
	uint64_t now = 0;

	if (fd < 0)
		return fd;
	/* Anybody who may read the file can keep its lock. */
	error = fdio_lock(fd, LOCK_EX, deadline);
	if (!error)
		error = parse(fd, &now);
	if (!error && now < revision) {
		snprintf(text, sizeof(text), "%020" PRIu64 "\n", revision);
		if (lseek(fd, 0, SEEK_SET) == -1)
			error = -errno;
		else
			error = fdio_write_full(fd, text, DIGITS + 1);
	}
	closed = fdio_close(&fd);
	return error ? error : closed;
}
