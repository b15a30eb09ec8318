/* bytes.h - what the recorder does about writes, sizes, syncs and mappings: each
 * function is the call of that name, made and logged. */
#ifndef UNIXIPC_TESTS_CRASH_BYTES_H
#define UNIXIPC_TESTS_CRASH_BYTES_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* How long a sync takes, at least. */
extern useconds_t bytes_sync_us;

/* As pwritev2(2), which all other writes are cases of. */
ssize_t bytes_write(int fd, const struct iovec *iov, int count, off_t offset,
		    int flags);
int bytes_truncate(int fd, off_t size);
int bytes_fallocate(int fd, int mode, off_t offset, off_t len);

/* By SYS_fsync, SYS_fdatasync or SYS_syncfs. */
int bytes_sync(long number, int fd);
int bytes_msync(void *start, size_t len, int flags);

/* A shared mapping that may be written to was made. */
void bytes_note_mapping(void *start, size_t len, int fd, off_t offset);

/* What a file held before we came, read from path; under the lock. */
void bytes_note_found(uint32_t file, const char *path, size_t size);

#endif
