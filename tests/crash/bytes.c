#include "tests/crash/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/crash/tape.h"

useconds_t bytes_sync_us;

/* ---- syncs ------------------------------------------------------------------- */

static uint64_t sync_begins(uint32_t file, uint64_t offset, uint64_t len)
{
	struct log_record *record = tape_begin(LOG_SYNC, file, 0);
	uint64_t number = record->number;

	record->offset = offset;
	record->len = len;
	tape_end(record, true);
	return number;
}

static void sync_ends(uint32_t file, uint64_t number)
{
	struct log_record *record;

	if (bytes_sync_us)
		usleep(bytes_sync_us);
	tape_lock();
	record = tape_begin(LOG_SYNCED, file, 0);
	record->of = number;
	tape_end(record, true);
	tape_unlock();
}

/* Made without the lock, which others take meanwhile. */
int bytes_sync(long number, int fd)
{
	uint32_t file = 0;
	uint64_t began = 0;
	long rc;

	if (tape_head) {
		tape_lock();
		file = number == SYS_syncfs ? 0 : tape_number_of(fd);
		if (file || number == SYS_syncfs)
			began = sync_begins(file, 0, UINT64_MAX);
		tape_unlock();
	}
	rc = syscall(number, fd);
	if (rc == 0 && tape_head && (file || number == SYS_syncfs))
		sync_ends(file, began);
	return (int)rc;
}

/* ---- writes ------------------------------------------------------------------ */

static size_t gather(char *to, const struct iovec *iov, int count)
{
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		if (to && iov[i].iov_len)
			memcpy(to + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return len;
}

/* Each line of what goes to standard output. */
static void say(const struct iovec *iov, int count)
{
	size_t len = gather(NULL, iov, count);
	char *text = calloc(1, len + 1), *line, *rest = text;
	struct log_record *record;

	if (!text)
		tape_give_up("no memory");
	gather(text, iov, count);
	tape_lock();
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		record = tape_begin(LOG_SAID, 0, strlen(line) + 1);
		memcpy(tape_payload(record), line, strlen(line) + 1);
		tape_end(record, true);
	}
	tape_unlock();
	free(text);
}

/* By pwritev2, which all others are cases of: at offset, or -1 where the file
 * stands. */
static ssize_t call(int fd, const struct iovec *iov, int count, off_t offset,
		    int flags)
{
	return syscall(SYS_pwritev2, fd, iov, count, offset, 0, flags);
}

/* Where it will write to. */
static uint64_t where(int fd, int status, off_t offset)
{
	struct stat st;

	if ((status & O_APPEND) && tape_stat(fd, &st))
		return (uint64_t)st.st_size;
	if (offset >= 0)
		return (uint64_t)offset;
	return (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

static ssize_t note_write(int fd, uint32_t file, const struct iovec *iov,
			  int count, off_t offset, int flags)
{
	int status = fcntl(fd, F_GETFL), error;
	struct log_record *record =
		tape_begin(LOG_WRITE, file, gather(NULL, iov, count));
	bool is_sync =
		(status & O_DSYNC) || (flags & (RWF_DSYNC | RWF_SYNC)) != 0;
	uint64_t began = 0;
	ssize_t n;

	record->offset = where(fd, status, offset);
	record->len = gather(tape_payload(record), iov, count);
	n = call(fd, iov, count, offset, flags);
	error = errno;
	if (n >= 0)
		record->len = (uint64_t)n;
	tape_end(record, n > 0);
	if (n > 0 && is_sync)
		began = sync_begins(file, record->offset, (uint64_t)n);
	tape_unlock();
	if (n > 0 && is_sync)
		sync_ends(file, began);
	errno = error;
	return n;
}

ssize_t bytes_write(int fd, const struct iovec *iov, int count, off_t offset,
		    int flags)
{
	uint32_t file;

	if (!tape_head)
		return call(fd, iov, count, offset, flags);
	if (fd == STDOUT_FILENO)
		say(iov, count);
	tape_lock();
	file = tape_number_of(fd);
	if (file)
		return note_write(fd, file, iov, count, offset, flags);
	tape_unlock();
	return call(fd, iov, count, offset, flags);
}

/* ---- sizes ------------------------------------------------------------------- */

/* Make the call that gives file a size or a range; under the lock. */
static int size_by(enum log_kind kind, int fd, off_t offset, off_t len,
		   int mode)
{
	uint32_t file;
	struct log_record *record = NULL;
	long rc;

	if (tape_head) {
		tape_lock();
		file = tape_number_of(fd);
		if (file) {
			record = tape_begin(kind, file, 0);
			record->offset = (uint64_t)offset;
			record->len = (uint64_t)len;
		}
	}
	if (kind == LOG_SIZE)
		rc = syscall(SYS_ftruncate, fd, len);
	else if (kind == LOG_GROW)
		rc = syscall(SYS_fallocate, fd, mode, 0, len);
	else
		rc = syscall(SYS_fallocate, fd, mode, offset, len);
	if (tape_head) {
		if (record)
			tape_end(record, rc == 0);
		tape_unlock();
	}
	return (int)rc;
}

int bytes_fallocate(int fd, int mode, off_t offset, off_t len)
{
	const int keeps = FALLOC_FL_KEEP_SIZE;

	/* For the player, which has no blocks, the size is all that counts. */
	if (mode == 0)
		return size_by(LOG_GROW, fd, 0, offset + len, mode);
	if (mode == keeps)
		return (int)syscall(SYS_fallocate, fd, mode, offset, len);
	if (mode == (FALLOC_FL_PUNCH_HOLE | keeps) ||
	    mode == (FALLOC_FL_ZERO_RANGE | keeps))
		return size_by(LOG_ZERO, fd, offset, len, mode);
	if (tape_head) {
		tape_lock();
		if (tape_number_of(fd))
			tape_lose("fallocate of another mode");
		tape_unlock();
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int bytes_truncate(int fd, off_t size)
{
	return size_by(LOG_SIZE, fd, 0, size, 0);
}

/* ---- mappings ---------------------------------------------------------------- */

/* Shared ones of our files that may be written to. A process of many threads
 * that map and unmap at once is not for us. */
#define MAPPINGS 64
static struct mapping {
	char *start;
	size_t len;
	uint32_t file;
	uint64_t offset;
} mappings[MAPPINGS];

void bytes_note_mapping(void *start, size_t len, int fd, off_t offset)
{
	uint32_t file;

	tape_lock();
	file = tape_number_of(fd);
	for (int i = 0; file && i < MAPPINGS; i++) {
		if (mappings[i].len && mappings[i].start != start)
			continue;
		mappings[i] = (struct mapping){.start = start,
					       .len = len,
					       .file = file,
					       .offset = (uint64_t)offset};
		break;
	}
	tape_unlock();
}

/* msync(2) hands the bytes over, and then they are durable. Before that the
 * kernel may have written them, but a program cannot count on it. */
static uint64_t note_msync(const char *start, size_t len, uint32_t *file)
{
	struct log_record *record;
	uint64_t began = 0;

	*file = 0;
	tape_lock();
	for (int i = 0; i < MAPPINGS && !*file; i++) {
		const struct mapping *m = &mappings[i];

		if (start < m->start || start >= m->start + m->len)
			continue;
		if (len > (size_t)(m->start + m->len - start))
			len = (size_t)(m->start + m->len - start);
		*file = m->file;
		record = tape_begin(LOG_WRITE, *file, len);
		record->offset = m->offset + (uint64_t)(start - m->start);
		record->len = len;
		memcpy(tape_payload(record), start, len);
		tape_end(record, true);
		began = sync_begins(*file, record->offset, len);
	}
	tape_unlock();
	return began;
}

int bytes_msync(void *start, size_t len, int flags)
{
	uint32_t file = 0;
	uint64_t began = 0;
	long rc;

	if (tape_head && (flags & MS_SYNC))
		began = note_msync(start, len, &file);
	rc = syscall(SYS_msync, start, len, flags);
	if (rc == 0 && file)
		sync_ends(file, began);
	return (int)rc;
}

/* ---- before us --------------------------------------------------------------- */

void bytes_note_found(uint32_t file, const char *path, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	struct log_record *record = tape_begin(LOG_WRITE, file, size);
	uint64_t began;
	ssize_t n;

	n = pread(fd, tape_payload(record), size, 0);
	record->len = n > 0 ? (uint64_t)n : 0;
	tape_end(record, n > 0);
	syscall(SYS_close, fd);
	began = sync_begins(file, 0, UINT64_MAX);
	record = tape_begin(LOG_SYNCED, file, 0);
	record->of = began;
	tape_end(record, true);
}
