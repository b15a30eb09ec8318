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
#include "tests/crash/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct log_head *head; /* NULL: we record nothing */
static uint64_t kill_at;
static useconds_t sync_us;

/* ---- the log ----------------------------------------------------------------- */

static void give_up(const char *why)
{
	dprintf(STDERR_FILENO, "record: %s: %s\n", why, strerror(errno));
	_exit(125);
}

static struct log_record *at(uint64_t offset)
{
	return (struct log_record *)(void *)((char *)head + offset);
}

static char *payload(struct log_record *record)
{
	return (char *)(record + 1);
}

/* A new record, the last one; its call comes next, and then end(). */
static struct log_record *begin(enum log_kind kind, uint32_t file,
				size_t payload_bytes)
{
	uint64_t bytes =
		(sizeof(struct log_record) + payload_bytes + 7) & ~UINT64_C(7);
	struct log_record *record = at(head->used);

	if (bytes > LOG_BYTES - head->used) {
		errno = EFBIG;
		give_up("the log is full");
	}
	record->bytes = (uint32_t)bytes;
	record->kind = (uint16_t)kind;
	record->pid = (int32_t)getpid();
	record->file = file;
	record->number = head->records++;
	head->doing = head->used;
	head->used += bytes;
	return record;
}

static void end(struct log_record *record, bool happened)
{
	if (!happened)
		record->kind = LOG_NOTHING;
	record->is_done = 1;
	head->doing = 0;
	if (kill_at && head->records == kill_at) {
		/* Whoever comes next has another number to reach. */
		syscall(SYS_kill, getpid(), SIGKILL);
	}
}

static void lose(const char *why)
{
	struct log_record *record = begin(LOG_LOST, 0, strlen(why) + 1);

	memcpy(payload(record), why, strlen(why) + 1);
	end(record, true);
}

/* ---- files by number --------------------------------------------------------- */

static struct log_file *find(uint64_t inode)
{
	for (uint32_t i = head->files; i-- > 0;)
		if (head->file[i].inode == inode)
			return &head->file[i];
	return NULL;
}

static struct log_file *find_number(uint32_t number)
{
	for (uint32_t i = head->files; i-- > 0;)
		if (head->file[i].file == number)
			return &head->file[i];
	return NULL;
}

/* Where a name is: its folder's number, and its last part. */
struct place {
	uint32_t dir; /* 0: in no folder of ours */
	char name[LOG_NAME];
};

static void note_place(struct log_file *entry, const struct place *place)
{
	entry->dir = place->dir;
	memcpy(entry->name, place->name, sizeof(entry->name));
}

/* A file that has lost its name. */
static void forget_place(uint32_t file)
{
	const struct place nowhere = {.dir = 0};
	struct log_file *entry = file ? find_number(file) : NULL;

	if (entry)
		note_place(entry, &nowhere);
}

static uint32_t add(uint64_t inode, const struct place *place)
{
	struct log_file *entry = &head->file[head->files];

	if (head->files == LOG_FILES) {
		lose("more files than the log has room for");
		return 0;
	}
	entry->inode = inode;
	entry->file = ++head->next_file;
	note_place(entry, place);
	head->files++;
	return entry->file;
}

static bool stat_fd(int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH) == 0 &&
	       st->st_dev == head->device;
}

static bool stat_place(int dir, const char *path, struct stat *st)
{
	return fstatat(dir, path, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What fd is; 0 when it is not in our folder. */
static uint32_t number_of(int fd)
{
	struct log_file *entry;
	struct stat st;

	if (!stat_fd(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	entry = find(st.st_ino);
	return entry ? entry->file : 0;
}

/* Fill in place; its dir is 0 when the path leads elsewhere. */
static void look_up(int dir, const char *path, struct place *place)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";
	int fd;

	*place = (struct place){.dir = 0};
	if (strlen(path) >= sizeof(parent) ||
	    strlen(slash ? slash + 1 : path) >= sizeof(place->name))
		return;
	if (slash) {
		memcpy(parent, path, (size_t)(slash - path) + 1);
		parent[slash - path + 1] = '\0';
		strcpy(place->name, slash + 1);
	} else {
		strcpy(place->name, path);
	}
	fd = (int)syscall(SYS_openat, dir, parent,
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		place->dir = number_of(fd);
		syscall(SYS_close, fd);
	}
}

/* ---- the lock ---------------------------------------------------------------- */

/* Open what is at the top of the folder, or return -1. */
static int open_at_top(uint32_t dir, const char *name)
{
	char path[PATH_MAX];

	if (dir != LOG_ROOT)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", getenv("CRASH_DIR"), name);
	return (int)syscall(SYS_openat, AT_FDCWD, path,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* What a killed process was about to write is what lies there now. */
static bool see_what_was_written(struct log_record *record)
{
	struct log_file *entry = find_number(record->file);
	int fd = entry ? open_at_top(entry->dir, entry->name) : -1;
	ssize_t n = -1;
	struct stat st;

	if (entry && !entry->dir) {
		record->kind = LOG_NOTHING; /* no power cut brings it back */
		return true;
	}
	if (fd < 0)
		return false;
	if (number_of(fd) == record->file && fstat(fd, &st) == 0) {
		n = st.st_size;
		if (record->kind == LOG_WRITE)
			n = pread(fd, payload(record), record->len,
				  (off_t)record->offset);
		else
			record->kind = LOG_SIZE;
		record->len = n > 0 ? (uint64_t)n : 0;
	}
	syscall(SYS_close, fd);
	return n >= 0;
}

/* Whether the name that it was about to make or remove is there. */
static bool see_name(struct log_record *record, bool wanted)
{
	int fd = open_at_top(record->dir, record->name);
	const struct place place = {.dir = 0};
	struct stat st;

	if (record->dir != LOG_ROOT && record->dir != LOG_NO_FILE)
		return false;
	if ((fd >= 0) != wanted)
		record->kind = LOG_NOTHING;
	else if (record->kind == LOG_MAKE && stat_fd(fd, &st))
		record->file = add(st.st_ino, &place);
	if (fd >= 0)
		syscall(SYS_close, fd);
	return true;
}

static void finish_of_the_dead(struct log_record *record)
{
	bool is_clear = true;

	record->is_done = 1;
	switch ((enum log_kind)record->kind) {
	case LOG_WRITE:
	case LOG_SIZE:
	case LOG_GROW:
		is_clear = see_what_was_written(record);
		break;
	case LOG_MAKE:
	case LOG_LINK:
		is_clear = see_name(record, true);
		break;
	case LOG_UNLINK:
	case LOG_RENAME:
		is_clear = see_name(record, false);
		break;
	case LOG_SAID:
	case LOG_SYNC:
	case LOG_SYNCED:
		record->kind = LOG_NOTHING;
		break;
	default:
		is_clear = false;
	}
	if (!is_clear)
		lose("a process was killed in mid-call: record it again");
}

static void lock(void)
{
	int error = pthread_mutex_lock(&head->lock);

	if (error == EOWNERDEAD) {
		pthread_mutex_consistent(&head->lock);
		if (head->doing)
			finish_of_the_dead(at(head->doing));
		head->doing = 0;
	} else if (error) {
		errno = error;
		give_up("cannot lock the log");
	}
}

/* Nothing here changes errno for our caller. */
static void unlock(void)
{
	pthread_mutex_unlock(&head->lock);
}

/* ---- syncs ------------------------------------------------------------------- */

static uint64_t sync_begins(uint32_t file, uint64_t offset, uint64_t len)
{
	struct log_record *record = begin(LOG_SYNC, file, 0);
	uint64_t number = record->number;

	record->offset = offset;
	record->len = len;
	end(record, true);
	return number;
}

static void sync_ends(uint32_t file, uint64_t number)
{
	struct log_record *record;

	if (sync_us)
		usleep(sync_us);
	lock();
	record = begin(LOG_SYNCED, file, 0);
	record->of = number;
	end(record, true);
	unlock();
}

/* Made without the lock, which others take meanwhile. */
static int sync_by(long number, int fd)
{
	uint32_t file = 0;
	uint64_t began = 0;
	long rc;

	if (head) {
		lock();
		file = number == SYS_syncfs ? 0 : number_of(fd);
		if (file || number == SYS_syncfs)
			began = sync_begins(file, 0, UINT64_MAX);
		unlock();
	}
	rc = syscall(number, fd);
	if (rc == 0 && head && (file || number == SYS_syncfs))
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
		give_up("no memory");
	gather(text, iov, count);
	lock();
	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		record = begin(LOG_SAID, 0, strlen(line) + 1);
		memcpy(payload(record), line, strlen(line) + 1);
		end(record, true);
	}
	unlock();
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

	if ((status & O_APPEND) && stat_fd(fd, &st))
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
		begin(LOG_WRITE, file, gather(NULL, iov, count));
	bool is_sync =
		(status & O_DSYNC) || (flags & (RWF_DSYNC | RWF_SYNC)) != 0;
	uint64_t began = 0;
	ssize_t n;

	record->offset = where(fd, status, offset);
	record->len = gather(payload(record), iov, count);
	n = call(fd, iov, count, offset, flags);
	error = errno;
	if (n >= 0)
		record->len = (uint64_t)n;
	end(record, n > 0);
	if (n > 0 && is_sync)
		began = sync_begins(file, record->offset, (uint64_t)n);
	unlock();
	if (n > 0 && is_sync)
		sync_ends(file, began);
	errno = error;
	return n;
}

static ssize_t write_by(int fd, const struct iovec *iov, int count,
			off_t offset, int flags)
{
	uint32_t file;

	if (!head)
		return call(fd, iov, count, offset, flags);
	if (fd == STDOUT_FILENO)
		say(iov, count);
	lock();
	file = number_of(fd);
	if (file)
		return note_write(fd, file, iov, count, offset, flags);
	unlock();
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

	if (head) {
		lock();
		file = number_of(fd);
		if (file) {
			record = begin(kind, file, 0);
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
	if (head) {
		if (record)
			end(record, rc == 0);
		unlock();
	}
	return (int)rc;
}

static int fallocate_by(int fd, int mode, off_t offset, off_t len)
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
	if (head) {
		lock();
		if (number_of(fd))
			lose("fallocate of another mode");
		unlock();
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

/* ---- names ------------------------------------------------------------------- */

static struct log_record *begin_name(enum log_kind kind, uint32_t file,
				     const struct place *place)
{
	struct log_record *record = begin(kind, file, 0);

	record->dir = place->dir;
	memcpy(record->name, place->name, sizeof(record->name));
	return record;
}

/* What a file holds that was there before: as durable as can be. */
static void note_content(uint32_t file, const char *path, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	struct log_record *record = begin(LOG_WRITE, file, size);
	uint64_t began;
	ssize_t n;

	n = pread(fd, payload(record), size, 0);
	record->len = n > 0 ? (uint64_t)n : 0;
	end(record, n > 0);
	syscall(SYS_close, fd);
	began = sync_begins(file, 0, UINT64_MAX);
	record = begin(LOG_SYNCED, file, 0);
	record->of = began;
	end(record, true);
}

static void note_found(int fd, const struct place *place)
{
	struct log_record *record;
	struct stat st;
	char path[64];

	if (!stat_fd(fd, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	record = begin_name(LOG_FOUND, add(st.st_ino, place), place);
	record->len = S_ISDIR(st.st_mode);
	record->offset = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	end(record, true);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		note_content(record->file, path, (size_t)st.st_size);
}

/* The file of that name, by number. */
static uint32_t number_at(int dir, const char *path, const struct place *place)
{
	uint32_t file;
	int fd = (int)syscall(SYS_openat, dir, path,
			      O_PATH | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	file = number_of(fd);
	if (!file && place->dir) {
		note_found(fd, place);
		file = number_of(fd);
	}
	syscall(SYS_close, fd);
	return file;
}

/* It was opened: is it new, known, or here since before? */
static void note_opened(int fd, const struct place *place,
			struct log_record *record)
{
	struct stat st;

	if (fd >= 0 && stat_fd(fd, &st)) {
		if (record && record->kind == LOG_MAKE)
			record->file = add(st.st_ino, place);
		else if (!number_of(fd))
			note_found(fd, place);
	}
	if (record)
		end(record, fd >= 0);
}

static int open_by(int dir, const char *path, int flags, mode_t mode)
{
	const bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
	struct log_record *record = NULL;
	struct place place;
	struct stat st;
	int fd, error;

	if (!head)
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	lock();
	look_up(dir, path, &place);
	if (is_nameless && number_at(dir, path, &place)) {
		place = (struct place){.dir = 0};
		record = begin_name(LOG_MAKE, 0, &place);
	} else if (place.dir && !stat_place(dir, path, &st)) {
		if (flags & O_CREAT)
			record = begin_name(LOG_MAKE, 0, &place);
	} else if (place.dir && (flags & O_TRUNC)) {
		record = begin(LOG_SIZE, number_at(dir, path, &place), 0);
	}
	fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	error = errno;
	if (record || place.dir)
		note_opened(fd, &place, record);
	unlock();
	errno = error;
	return fd;
}

static int mkdir_by(int dir, const char *path, mode_t mode)
{
	struct log_record *record = NULL;
	struct place place;
	struct stat st;
	int rc, error;

	if (!head)
		return (int)syscall(SYS_mkdirat, dir, path, mode);
	lock();
	look_up(dir, path, &place);
	if (place.dir)
		record = begin_name(LOG_MAKE_DIR, 0, &place);
	rc = (int)syscall(SYS_mkdirat, dir, path, mode);
	error = errno;
	if (record && rc == 0 && stat_place(dir, path, &st))
		record->file = add(st.st_ino, &place);
	if (record)
		end(record, rc == 0);
	unlock();
	errno = error;
	return rc;
}

static int unlink_by(int dir, const char *path, int flags)
{
	struct log_record *record = NULL;
	struct place place;
	int rc, error;

	if (!head)
		return (int)syscall(SYS_unlinkat, dir, path, flags);
	lock();
	look_up(dir, path, &place);
	if (place.dir)
		record = begin_name(LOG_UNLINK, number_at(dir, path, &place),
				    &place);
	rc = (int)syscall(SYS_unlinkat, dir, path, flags);
	error = errno;
	if (record && rc == 0)
		forget_place(record->file);
	if (record)
		end(record, rc == 0);
	unlock();
	errno = error;
	return rc;
}

static int link_by(int dir, const char *path, int dir2, const char *path2,
		   int flags)
{
	struct log_file *entry = NULL;
	struct log_record *record = NULL;
	struct place place;
	struct stat st;
	int rc, error;

	if (!head)
		return (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
	lock();
	look_up(dir2, path2, &place);
	if (fstatat(dir, path, &st,
		    (flags & AT_EMPTY_PATH) |
			    (flags & AT_SYMLINK_FOLLOW
				     ? 0
				     : AT_SYMLINK_NOFOLLOW)) == 0 &&
	    st.st_dev == head->device)
		entry = find(st.st_ino);
	if (place.dir && !entry)
		lose("a link to a file that was elsewhere");
	else if (place.dir)
		record = begin_name(LOG_LINK, entry->file, &place);
	rc = (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
	error = errno;
	if (record && rc == 0)
		note_place(entry, &place);
	if (record)
		end(record, rc == 0);
	unlock();
	errno = error;
	return rc;
}

static int rename_by(int dir, const char *path, int dir2, const char *path2,
		     unsigned int flags)
{
	struct log_record *record = NULL;
	struct place from, to;
	struct log_file *entry;
	uint32_t replaced = 0;
	int rc, error;

	if (!head)
		return (int)syscall(SYS_renameat2, dir, path, dir2, path2,
				    flags);
	lock();
	look_up(dir, path, &from);
	look_up(dir2, path2, &to);
	if (!from.dir != !to.dir || (flags & ~(unsigned)RENAME_NOREPLACE)) {
		if (from.dir || to.dir)
			lose("a rename into or out of the folder, or of "
			     "another kind");
	} else if (from.dir) {
		replaced = number_at(dir2, path2, &to);
		record = begin_name(LOG_RENAME, number_at(dir, path, &from),
				    &from);
		record->dir2 = to.dir;
		memcpy(record->name2, to.name, sizeof(record->name2));
	}
	rc = (int)syscall(SYS_renameat2, dir, path, dir2, path2, flags);
	error = errno;
	entry = record ? find_number(record->file) : NULL;
	if (entry && rc == 0) {
		forget_place(replaced);
		note_place(entry, &to);
	}
	if (record)
		end(record, rc == 0);
	unlock();
	errno = error;
	return rc;
}

/* ---- from the beginning ------------------------------------------------------ */

static void make_log(int fd)
{
	pthread_mutexattr_t kind;

	if (ftruncate(fd, (off_t)LOG_BYTES) < 0)
		give_up("cannot make the log");
	head = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		give_up("cannot map the log");
	if (head->magic == LOG_MAGIC)
		return;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	/* A signal handler may come in between. */
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&head->lock, &kind);
	head->used = LOG_START;
	head->magic = LOG_MAGIC;
}

/* What is in the folder already. */
static void find_all(const char *path, uint32_t number)
{
	DIR *stream = opendir(path);
	const struct dirent *entry;
	struct place place = {.dir = number};
	char name[PATH_MAX];

	while (stream && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (strlen(entry->d_name) >= sizeof(place.name)) {
			lose("a name that is too long");
			continue;
		}
		strcpy(place.name, entry->d_name);
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		number = number_at(AT_FDCWD, name, &place);
		if (entry->d_type == DT_DIR)
			find_all(name, number);
	}
	if (stream)
		closedir(stream);
}

static void watch(const char *dir)
{
	const struct place root = {.dir = 0};
	struct stat st;

	if (fstatat(AT_FDCWD, dir, &st, 0) < 0)
		give_up("no folder CRASH_DIR");
	head->device = st.st_dev;
	if (head->files == 0)
		find_all(dir, add(st.st_ino, &root));
}

static uint64_t number_from(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
	const char *log = getenv("CRASH_LOG"), *dir = getenv("CRASH_DIR");
	int fd;

	if (!log || !dir)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, log,
			  O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		give_up("cannot open CRASH_LOG");
	make_log(fd);
	watch(dir);
	syscall(SYS_close, fd);
	kill_at = number_from("CRASH_KILL");
	sync_us = (useconds_t)number_from("CRASH_SYNC_US");
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

static void note_mapping(void *start, size_t len, int fd, off_t offset)
{
	uint32_t file;

	lock();
	file = number_of(fd);
	for (int i = 0; file && i < MAPPINGS; i++) {
		if (mappings[i].len && mappings[i].start != start)
			continue;
		mappings[i] = (struct mapping){.start = start,
					       .len = len,
					       .file = file,
					       .offset = (uint64_t)offset};
		break;
	}
	unlock();
}

/* msync(2) hands the bytes over, and then they are durable. Before that the
 * kernel may have written them, but a program cannot count on it. */
static uint64_t note_msync(const char *start, size_t len, uint32_t *file)
{
	struct log_record *record;
	uint64_t began = 0;

	*file = 0;
	lock();
	for (int i = 0; i < MAPPINGS && !*file; i++) {
		const struct mapping *m = &mappings[i];

		if (start < m->start || start >= m->start + m->len)
			continue;
		if (len > (size_t)(m->start + m->len - start))
			len = (size_t)(m->start + m->len - start);
		*file = m->file;
		record = begin(LOG_WRITE, *file, len);
		record->offset = m->offset + (uint64_t)(start - m->start);
		record->len = len;
		memcpy(payload(record), start, len);
		end(record, true);
		began = sync_begins(*file, record->offset, len);
	}
	unlock();
	return began;
}

/* ---- what programs call ------------------------------------------------------ */

/* With the names for large files, which is what all of them are here. */
#define ALSO(name, other) \
	extern __typeof__(name) other __attribute__((alias(#name), copy(name)))

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
	return open_by(AT_FDCWD, path, flags, mode);
}
ALSO(open, open64);

int openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_in(flags, ap);
	va_end(ap);
	return open_by(dir, path, flags, mode);
}
ALSO(openat, openat64);

int creat(const char *path, mode_t mode)
{
	return open_by(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
ALSO(creat, creat64);

/* As open(2) is called when it was compiled with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open_by(AT_FDCWD, path, flags, 0);
}
ALSO(__open_2, __open64_2);

int __openat_2(int dir, const char *path, int flags);
int __openat_2(int dir, const char *path, int flags)
{
	return open_by(dir, path, flags, 0);
}
ALSO(__openat_2, __openat64_2);

ssize_t write(int fd, const void *bytes, size_t len)
{
	const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

	return write_by(fd, &iov, 1, -1, 0);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return write_by(fd, iov, count, -1, 0);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	return write_by(fd, &iov, 1, offset, 0);
}
ALSO(pwrite, pwrite64);

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset,
		 int flags)
{
	return write_by(fd, iov, count, offset, flags);
}
ALSO(pwritev2, pwritev64v2);

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	return write_by(fd, iov, count, offset, 0);
}
ALSO(pwritev, pwritev64);

int fsync(int fd)
{
	return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_by(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return sync_by(SYS_syncfs, fd);
}

int msync(void *start, size_t len, int flags)
{
	uint32_t file = 0;
	uint64_t began = 0;
	long rc;

	if (head && (flags & MS_SYNC))
		began = note_msync(start, len, &file);
	rc = syscall(SYS_msync, start, len, flags);
	if (rc == 0 && file)
		sync_ends(file, began);
	return (int)rc;
}

void *mmap(void *start, size_t len, int protection, int flags, int fd,
	   off_t offset)
{
	void *got = (void *)syscall(SYS_mmap, start, len, protection, flags, fd,
				    offset);

	if (head && got != MAP_FAILED && (protection & PROT_WRITE) &&
	    (flags & MAP_SHARED) && !(flags & MAP_ANONYMOUS))
		note_mapping(got, len, fd, offset);
	return got;
}
ALSO(mmap, mmap64);

int ftruncate(int fd, off_t size)
{
	return size_by(LOG_SIZE, fd, 0, size, 0);
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
	return fallocate_by(fd, mode, offset, len);
}
ALSO(fallocate, fallocate64);

int posix_fallocate(int fd, off_t offset, off_t len)
{
	int before = errno, error;

	error = fallocate_by(fd, 0, offset, len) < 0 ? errno : 0;
	errno = before;
	return error;
}
ALSO(posix_fallocate, posix_fallocate64);

int mkdir(const char *path, mode_t mode)
{
	return mkdir_by(AT_FDCWD, path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return mkdir_by(dir, path, mode);
}

int unlink(const char *path)
{
	return unlink_by(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlink_by(AT_FDCWD, path, AT_REMOVEDIR);
}

int unlinkat(int dir, const char *path, int flags)
{
	return unlink_by(dir, path, flags);
}

int remove(const char *path)
{
	int rc = unlink_by(AT_FDCWD, path, 0);

	return rc < 0 && errno == EISDIR ? rmdir(path) : rc;
}

int link(const char *path, const char *path2)
{
	return link_by(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

int linkat(int dir, const char *path, int dir2, const char *path2, int flags)
{
	return link_by(dir, path, dir2, path2, flags);
}

int rename(const char *path, const char *path2)
{
	return rename_by(AT_FDCWD, path, AT_FDCWD, path2, 0);
}

int renameat(int dir, const char *path, int dir2, const char *path2)
{
	return rename_by(dir, path, dir2, path2, 0);
}

int renameat2(int dir, const char *path, int dir2, const char *path2,
	      unsigned int flags)
{
	return rename_by(dir, path, dir2, path2, flags);
}
