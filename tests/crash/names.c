#include "tests/crash/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/crash/bytes.h"
#include "tests/crash/tape.h"

static bool stat_place(int dir, const char *path, struct stat *st)
{
	return fstatat(dir, path, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct log_record *begin_name(enum log_kind kind, uint32_t file,
				     const struct tape_place *place)
{
	struct log_record *record = tape_begin(kind, file, 0);

	record->dir = place->dir;
	memcpy(record->name, place->name, sizeof(record->name));
	return record;
}

static void note_found(int fd, const struct tape_place *place)
{
	struct log_record *record;
	struct stat st;
	char path[64];

	if (!tape_stat(fd, &st) ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return;
	record = begin_name(LOG_FOUND, tape_add(st.st_ino, place), place);
	record->len = S_ISDIR(st.st_mode);
	record->offset = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	tape_end(record, true);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		bytes_note_found(record->file, path, (size_t)st.st_size);
}

/* The file of that name, by number. */
static uint32_t number_at(int dir, const char *path,
			  const struct tape_place *place)
{
	uint32_t file;
	int fd = (int)syscall(SYS_openat, dir, path,
			      O_PATH | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	file = tape_number_of(fd);
	if (!file && place->dir) {
		note_found(fd, place);
		file = tape_number_of(fd);
	}
	syscall(SYS_close, fd);
	return file;
}

/* It was opened: is it new, known, or here since before? */
static void note_opened(int fd, const struct tape_place *place,
			struct log_record *record)
{
	struct stat st;

	if (fd >= 0 && tape_stat(fd, &st)) {
		if (record && record->kind == LOG_MAKE)
			record->file = tape_add(st.st_ino, place);
		else if (!tape_number_of(fd))
			note_found(fd, place);
	}
	if (record)
		tape_end(record, fd >= 0);
}

int names_open(int dir, const char *path, int flags, mode_t mode)
{
	const bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
	struct log_record *record = NULL;
	struct tape_place place;
	struct stat st;
	int fd, error;

	if (!tape_head)
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	tape_lock();
	tape_look_up(dir, path, &place);
	if (is_nameless && number_at(dir, path, &place)) {
		place = (struct tape_place){.dir = 0};
		record = begin_name(LOG_MAKE, 0, &place);
	} else if (place.dir && !stat_place(dir, path, &st)) {
		if (flags & O_CREAT)
			record = begin_name(LOG_MAKE, 0, &place);
	} else if (place.dir && (flags & O_TRUNC)) {
		record = tape_begin(LOG_SIZE, number_at(dir, path, &place), 0);
	}
	fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	error = errno;
	if (record || place.dir)
		note_opened(fd, &place, record);
	tape_unlock();
	errno = error;
	return fd;
}

int names_mkdir(int dir, const char *path, mode_t mode)
{
	struct log_record *record = NULL;
	struct tape_place place;
	struct stat st;
	int rc, error;

	if (!tape_head)
		return (int)syscall(SYS_mkdirat, dir, path, mode);
	tape_lock();
	tape_look_up(dir, path, &place);
	if (place.dir)
		record = begin_name(LOG_MAKE_DIR, 0, &place);
	rc = (int)syscall(SYS_mkdirat, dir, path, mode);
	error = errno;
	if (record && rc == 0 && stat_place(dir, path, &st))
		record->file = tape_add(st.st_ino, &place);
	if (record)
		tape_end(record, rc == 0);
	tape_unlock();
	errno = error;
	return rc;
}

int names_unlink(int dir, const char *path, int flags)
{
	struct log_record *record = NULL;
	struct tape_place place;
	int rc, error;

	if (!tape_head)
		return (int)syscall(SYS_unlinkat, dir, path, flags);
	tape_lock();
	tape_look_up(dir, path, &place);
	if (place.dir)
		record = begin_name(LOG_UNLINK, number_at(dir, path, &place),
				    &place);
	rc = (int)syscall(SYS_unlinkat, dir, path, flags);
	error = errno;
	if (record && rc == 0)
		tape_forget_place(record->file);
	if (record)
		tape_end(record, rc == 0);
	tape_unlock();
	errno = error;
	return rc;
}

int names_link(int dir, const char *path, int dir2, const char *path2,
	       int flags)
{
	struct log_file *entry = NULL;
	struct log_record *record = NULL;
	struct tape_place place;
	struct stat st;
	int rc, error;

	if (!tape_head)
		return (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
	tape_lock();
	tape_look_up(dir2, path2, &place);
	if (fstatat(dir, path, &st,
		    (flags & AT_EMPTY_PATH) |
			    (flags & AT_SYMLINK_FOLLOW
				     ? 0
				     : AT_SYMLINK_NOFOLLOW)) == 0 &&
	    st.st_dev == tape_head->device)
		entry = tape_find(st.st_ino);
	if (place.dir && !entry)
		tape_lose("a link to a file that was elsewhere");
	else if (place.dir)
		record = begin_name(LOG_LINK, entry->file, &place);
	rc = (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
	error = errno;
	if (record && rc == 0)
		tape_note_place(entry, &place);
	if (record)
		tape_end(record, rc == 0);
	tape_unlock();
	errno = error;
	return rc;
}

int names_rename(int dir, const char *path, int dir2, const char *path2,
		 unsigned int flags)
{
	struct log_record *record = NULL;
	struct tape_place from, to;
	struct log_file *entry;
	uint32_t replaced = 0;
	int rc, error;

	if (!tape_head)
		return (int)syscall(SYS_renameat2, dir, path, dir2, path2,
				    flags);
	tape_lock();
	tape_look_up(dir, path, &from);
	tape_look_up(dir2, path2, &to);
	if (!from.dir != !to.dir || (flags & ~(unsigned)RENAME_NOREPLACE)) {
		if (from.dir || to.dir)
			tape_lose("a rename into or out of the folder, or of "
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
	entry = record ? tape_find_number(record->file) : NULL;
	if (entry && rc == 0) {
		tape_forget_place(replaced);
		tape_note_place(entry, &to);
	}
	if (record)
		tape_end(record, rc == 0);
	tape_unlock();
	errno = error;
	return rc;
}

/* What is in the folder already. */
void names_find_all(const char *path, uint32_t number)
{
	DIR *stream = opendir(path);
	const struct dirent *entry;
	struct tape_place place = {.dir = number};
	char name[PATH_MAX];

	while (stream && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (strlen(entry->d_name) >= sizeof(place.name)) {
			tape_lose("a name that is too long");
			continue;
		}
		snprintf(place.name, sizeof(place.name), "%.*s",
			 (int)sizeof(place.name) - 1, entry->d_name);
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		number = number_at(AT_FDCWD, name, &place);
		if (entry->d_type == DT_DIR)
			names_find_all(name, number);
	}
	if (stream)
		closedir(stream);
}
