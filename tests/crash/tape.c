/* tape.c - a record is made in two steps, so that the call stands between them; of
 * a process that is killed there, the next one that takes the lock sees from the
 * folder what it did. */
#include "tests/crash/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct log_head *tape_head;
static uint64_t kill_at;

/* ---- the log ----------------------------------------------------------------- */

void tape_give_up(const char *why)
{
	dprintf(STDERR_FILENO, "record: %s: %s\n", why, strerror(errno));
	_exit(125);
}

static struct log_record *at(uint64_t offset)
{
	return (struct log_record *)(void *)((char *)tape_head + offset);
}

char *tape_payload(struct log_record *record)
{
	return (char *)(record + 1);
}

struct log_record *tape_begin(enum log_kind kind, uint32_t file,
			      size_t payload_bytes)
{
	uint64_t bytes =
		(sizeof(struct log_record) + payload_bytes + 7) & ~UINT64_C(7);
	struct log_record *record = at(tape_head->used);

	if (bytes > LOG_BYTES - tape_head->used) {
		errno = EFBIG;
		tape_give_up("the log is full");
	}
	memset(record, 0, sizeof(*record));
	record->bytes = (uint32_t)bytes;
	record->kind = (uint16_t)kind;
	record->pid = (int32_t)getpid();
	record->file = file;
	record->number = tape_head->records++;
	tape_head->doing = tape_head->used;
	tape_head->used += bytes;
	return record;
}

void tape_end(struct log_record *record, bool happened)
{
	if (!happened)
		record->kind = LOG_NOTHING;
	record->is_done = 1;
	tape_head->doing = 0;
	if (kill_at && tape_head->records == kill_at) {
		/* Whoever comes next has another number to reach. */
		syscall(SYS_kill, getpid(), SIGKILL);
	}
}

void tape_lose(const char *why)
{
	struct log_record *record = tape_begin(LOG_LOST, 0, strlen(why) + 1);

	memcpy(tape_payload(record), why, strlen(why) + 1);
	tape_end(record, true);
}

/* ---- files by number --------------------------------------------------------- */

struct log_file *tape_find(uint64_t inode)
{
	for (uint32_t i = tape_head->files; i-- > 0;)
		if (tape_head->file[i].inode == inode)
			return &tape_head->file[i];
	return NULL;
}

struct log_file *tape_find_number(uint32_t number)
{
	for (uint32_t i = tape_head->files; i-- > 0;)
		if (tape_head->file[i].file == number)
			return &tape_head->file[i];
	return NULL;
}

void tape_note_place(struct log_file *entry, const struct tape_place *place)
{
	entry->dir = place->dir;
	memcpy(entry->name, place->name, sizeof(entry->name));
}

void tape_forget_place(uint32_t file)
{
	const struct tape_place nowhere = {.dir = 0};
	struct log_file *entry = file ? tape_find_number(file) : NULL;

	if (entry)
		tape_note_place(entry, &nowhere);
}

uint32_t tape_add(uint64_t inode, const struct tape_place *place)
{
	struct log_file *entry = &tape_head->file[tape_head->files];

	if (tape_head->files == LOG_FILES) {
		tape_lose("more files than the log has room for");
		return 0;
	}
	entry->inode = inode;
	entry->file = ++tape_head->next_file;
	tape_note_place(entry, place);
	tape_head->files++;
	return entry->file;
}

bool tape_stat(int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH) == 0 &&
	       st->st_dev == tape_head->device;
}

uint32_t tape_number_of(int fd)
{
	struct log_file *entry;
	struct stat st;

	if (!tape_stat(fd, &st) ||
	    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return 0;
	entry = tape_find(st.st_ino);
	return entry ? entry->file : 0;
}

void tape_look_up(int dir, const char *path, struct tape_place *place)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX] = ".";
	int fd;

	*place = (struct tape_place){.dir = 0};
	if (strlen(path) >= sizeof(parent) ||
	    strlen(slash ? slash + 1 : path) >= sizeof(place->name))
		return;
	if (slash) {
		memcpy(parent, path, (size_t)(slash - path) + 1);
		parent[slash - path + 1] = '\0';
	}
	snprintf(place->name, sizeof(place->name), "%.*s",
		 (int)sizeof(place->name) - 1, slash ? slash + 1 : path);
	fd = (int)syscall(SYS_openat, dir, parent,
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		place->dir = tape_number_of(fd);
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
	struct log_file *entry = tape_find_number(record->file);
	int fd = entry ? open_at_top(entry->dir, entry->name) : -1;
	ssize_t n = -1;
	struct stat st;

	if (entry && !entry->dir) {
		record->kind = LOG_NOTHING; /* no power cut brings it back */
		return true;
	}
	if (fd < 0)
		return false;
	if (tape_number_of(fd) == record->file && fstat(fd, &st) == 0) {
		n = st.st_size;
		if (record->kind == LOG_WRITE)
			n = pread(fd, tape_payload(record), record->len,
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
	const struct tape_place place = {.dir = 0};
	struct stat st;

	if (record->dir != LOG_ROOT && record->dir != LOG_NO_FILE)
		return false;
	if ((fd >= 0) != wanted)
		record->kind = LOG_NOTHING;
	else if (record->kind == LOG_MAKE && tape_stat(fd, &st))
		record->file = tape_add(st.st_ino, &place);
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
		tape_lose("a process was killed in mid-call: record it again");
}

void tape_lock(void)
{
	int error = pthread_mutex_lock(&tape_head->lock);

	if (error == EOWNERDEAD) {
		pthread_mutex_consistent(&tape_head->lock);
		if (tape_head->doing)
			finish_of_the_dead(at(tape_head->doing));
		tape_head->doing = 0;
	} else if (error) {
		errno = error;
		tape_give_up("cannot lock the log");
	}
}

void tape_unlock(void)
{
	pthread_mutex_unlock(&tape_head->lock);
}

/* ---- opening ------------------------------------------------------ */

static void map_log(int fd)
{
	pthread_mutexattr_t kind;

	if (ftruncate(fd, (off_t)LOG_BYTES) < 0)
		tape_give_up("cannot make the log");
	tape_head = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			 fd, 0);
	if (tape_head == MAP_FAILED)
		tape_give_up("cannot map the log");
	if (tape_head->magic == LOG_MAGIC)
		return;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	/* A signal handler may come in between. */
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&tape_head->lock, &kind);
	tape_head->used = LOG_START;
	tape_head->magic = LOG_MAGIC;
}

bool tape_open(const char *path, const char *dir, uint64_t at)
{
	const struct tape_place root = {.dir = 0};
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			      O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;
	bool is_new;

	/* Two may make it at once. */
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		tape_give_up("cannot open the log");
	map_log(fd);
	if (fstatat(AT_FDCWD, dir, &st, 0) < 0)
		tape_give_up("cannot find the folder");
	is_new = tape_head->files == 0;
	tape_head->device = st.st_dev;
	if (is_new)
		tape_add(st.st_ino, &root);
	kill_at = at;
	syscall(SYS_close, fd);
	return is_new;
}
