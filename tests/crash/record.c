/* record.c - preloaded into programs (LD_PRELOAD), it notes in a log what they
 * do to the files of one folder, and what they say.
 *
 *	CRASH_LOG   the log, log.h; made when there is none
 *	CRASH_DIR   the folder
 *	CRASH_KILL  N: SIGKILL for the process that makes the Nth record, right
 *	            after the call
 *	CRASH_SYNC_US  how long a sync takes, at least
 *
 * A call that changes something is made under the log's lock, so that the log
 * has the order in which things happened. A sync is not: what others write
 * while it goes on is not covered by it, and the log must be able to say that.
 *
 * Calls are made by syscall(2), so that nothing of libc comes back here. What
 * libc does without its own public functions (fopen(3), printf(3)) is not seen,
 * nor are stores through a mapping before msync(2); the player compares what it
 * has in the end with the folder, and says so.
 */
/* These shall be seen by the program, and nothing else of ours. */
#pragma GCC visibility push(default)

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma GCC visibility push(hidden)
#include "tests/crash/bytes.h"
#include "tests/crash/names.h"
#include "tests/crash/tape.h"
#pragma GCC visibility pop

static uint64_t number_from(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
	const char *log = getenv("CRASH_LOG"), *dir = getenv("CRASH_DIR");

	if (!log || !dir)
		return;
	if (tape_open(log, dir, number_from("CRASH_KILL"))) {
		tape_lock();
		names_find_all(dir, LOG_ROOT);
		tape_unlock();
	}
	bytes_sync_us = (useconds_t)number_from("CRASH_SYNC_US");
}

/* The same function by its name for large files, which all of them are here. */
#define ALSO(name, other)                         \
	__asm__(".globl " #other "\n\t"           \
		".type " #other ", @function\n\t" \
		".set " #other ", " #name)

/* The system's names for parameters are none for us. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static mode_t mode_in(int flags, va_list ap)
{
	const bool takes_mode =
		(flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	return takes_mode ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_in(flags, ap);
	va_end(ap);
	return names_open(AT_FDCWD, path, flags, mode);
}
ALSO(open, open64);

int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_in(flags, ap);
	va_end(ap);
	return names_open(dir, path, flags, mode);
}
ALSO(openat, openat64);

int creat(const char *path, mode_t mode)
{
	return names_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
ALSO(creat, creat64);

/* As open(2) is called when it was compiled with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return names_open(AT_FDCWD, path, flags, 0);
}
ALSO(__open_2, __open64_2);

int __openat_2(int dir, const char *path, int flags);
int __openat_2(int dir, const char *path, int flags)
{
	return names_open(dir, path, flags, 0);
}
ALSO(__openat_2, __openat64_2);

ssize_t write(int fd, const void *bytes, size_t len)
{
	const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

	return bytes_write(fd, &iov, 1, -1, 0);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return bytes_write(fd, iov, count, -1, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	return bytes_write(fd, &iov, 1, offset, 0);
}
ALSO(pwrite, pwrite64);

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset,
		 int flags)
{
	return bytes_write(fd, iov, count, offset, flags);
}
ALSO(pwritev2, pwritev64v2);

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	return bytes_write(fd, iov, count, offset, 0);
}
ALSO(pwritev, pwritev64);

int fsync(int fd)
{
	return bytes_sync(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return bytes_sync(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return bytes_sync(SYS_syncfs, fd);
}

int msync(void *start, size_t len, int flags)
{
	return bytes_msync(start, len, flags);
}

void *mmap(void *start, size_t len, int protection, int flags, int fd,
	   off_t offset)
{
	void *got = (void *)syscall(SYS_mmap, start, len, protection, flags, fd,
				    offset);

	if (tape_head && got != MAP_FAILED && (protection & PROT_WRITE) &&
	    (flags & MAP_SHARED) && !(flags & MAP_ANONYMOUS))
		bytes_note_mapping(got, len, fd, offset);
	return got;
}
ALSO(mmap, mmap64);

int ftruncate(int fd, off_t size)
{
	return bytes_truncate(fd, size);
}
ALSO(ftruncate, ftruncate64);

int truncate(const char *path, off_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc, error;

	if (fd < 0)
		return -1;
	rc = ftruncate(fd, size);
	error = errno;
	syscall(SYS_close, fd);
	errno = error;
	return rc;
}
ALSO(truncate, truncate64);

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return bytes_fallocate(fd, mode, offset, len);
}
ALSO(fallocate, fallocate64);

int posix_fallocate(int fd, off_t offset, off_t len)
{
	int before = errno, error;

	error = bytes_fallocate(fd, 0, offset, len) < 0 ? errno : 0;
	errno = before;
	return error;
}
ALSO(posix_fallocate, posix_fallocate64);

int mkdir(const char *path, mode_t mode)
{
	return names_mkdir(AT_FDCWD, path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return names_mkdir(dir, path, mode);
}

int unlink(const char *path)
{
	return names_unlink(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return names_unlink(AT_FDCWD, path, AT_REMOVEDIR);
}

int unlinkat(int dir, const char *path, int flags)
{
	return names_unlink(dir, path, flags);
}

int remove(const char *path)
{
	int rc = names_unlink(AT_FDCWD, path, 0);

	return rc < 0 && errno == EISDIR ? rmdir(path) : rc;
}

int link(const char *path, const char *path2)
{
	return names_link(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

int linkat(int dir, const char *path, int dir2, const char *path2, int flags)
{
	return names_link(dir, path, dir2, path2, flags);
}

int rename(const char *path, const char *path2)
{
	return names_rename(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

int renameat(int dir, const char *path, int dir2, const char *path2)
{
	return names_rename(dir, path, dir2, path2, 0);
}

int renameat2(int dir, const char *path, int dir2, const char *path2,
	      unsigned int flags)
{
	return names_rename(dir, path, dir2, path2, flags);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
