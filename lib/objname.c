/* The ledger is a folder of symbolic links that lead nowhere: the target of
 * each is the text of an entry,
 *
 *	unixipc2 KIND PID START CREATED PIDNS TIMENS IPCNS BOOT PROGRAM NAME
 *
 * because symlink(2) does in one step what a file needs four for: the entry
 * appears whole or not at all, and only where there was none. Reading it
 * opens and follows nothing. The file name is a hash of kind and name, since
 * names may be as long as a file name and have slashes. A crash between any
 * two system calls leaves a sound ledger.
 *
 * Two processes that take over one dead owner's entry at the same instant may
 * both succeed, and the later one is noted. A lock would prevent that, and
 * would let a stopped process hold up all others.
 */
#include "lib/objname.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/objname_entry.h"

enum {
	PATH_ROOM = 40,     /* for the path of the ledger */
	LEDGER_MAX = 65536, /* entries that are looked at */
	TRIES = 16,         /* when others come in between, each time anew */
};

/* ---- names ------------------------------------------------------------------- */

static const char *const kind_words[OBJNAME_KINDS] = {
	[OBJNAME_SHM] = "shm",
	[OBJNAME_SEM] = "sem",
	[OBJNAME_MQ] = "mq",
	[OBJNAME_FIFO] = "fifo",
	[OBJNAME_SOCKET] = "socket",
	[OBJNAME_SYSV_SHM] = "sysv-shm",
	[OBJNAME_SYSV_SEM] = "sysv-sem",
	[OBJNAME_SYSV_MSG] = "sysv-msg",
};

const char *objname_kind_word(enum objname_kind kind)
{
	return (unsigned int)kind < OBJNAME_KINDS ? kind_words[kind] : "?";
}

int objname_make(char *buf, size_t size, const char *word)
{
	char program[128];
	int len;

	objname_entry_program(program, sizeof(program));
	len = snprintf(buf, size, "/ipc.%s.%u.%d.%s", program,
		       (unsigned int)geteuid(), (int)getpid(), word);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG
					      : objname_check(buf);
}

int objname_check(const char *name)
{
	const char *word = name + 1;

	if (name[0] != '/' || !*word || strchr(word, '/') ||
	    strcmp(word, ".") == 0 || strcmp(word, "..") == 0)
		return -EINVAL;
	return strlen(word) > 250 ? -ENAMETOOLONG : 0;
}

/* ---- the folder -------------------------------------------------------------------- */

static void ledger_path(char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "/tmp/unixipc.%u", (unsigned int)geteuid());
}

/* A descriptor of the ledger; -ENOENT when there is none and is_wanted is
 * false, -EPERM when what is there is not what we would have made. */
static int open_ledger(bool is_wanted)
{
	char path[PATH_ROOM];
	struct stat st;
	int fd;

	ledger_path(path);
	if (is_wanted && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR || errno == EACCES
			       ? -EPERM
			       : -errno;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0700) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

/* Close it, and remove it with its last entry. */
static void leave_ledger(int fd)
{
	char path[PATH_ROOM];

	close(fd);
	ledger_path(path);
	rmdir(path); /* fails unless it is empty: that is the question */
}

/* Returns whether a sound entry is there under the name that it must have. */
static bool read_entry(int fd, const char *file, struct objname_entry *entry)
{
	char text[OBJNAME_ENTRY_TEXT], own[OBJNAME_ENTRY_FILE];
	ssize_t len = readlinkat(fd, file, text, sizeof(text));

	if (len < 0 || len == sizeof(text))
		return false;
	text[len] = '\0';
	if (!objname_entry_parse(text, entry))
		return false;
	objname_entry_file(entry->kind, entry->name, own);
	return strcmp(file, own) == 0;
}

/* An unknown owner may be alive; but what is not there is not in its use, and
 * else no claim would ever get past an entry of an earlier boot. */
static bool may_be_replaced(const struct objname_entry *present,
			    const struct objname_entry *self)
{
	switch (objname_judge_owner(present)) {
	case OBJNAME_DEAD:
		return true;
	case OBJNAME_UNKNOWN:
		if (!objname_exists(present))
			return true;
		break;
	case OBJNAME_ALIVE:
		break;
	}
	return objname_entry_same_owner(present, self);
}

/* One attempt: -EAGAIN when it has to be made once more. */
static int try_claim(const struct objname_entry *self)
{
	char file[OBJNAME_ENTRY_FILE], text[OBJNAME_ENTRY_TEXT];
	struct objname_entry present;
	int fd = open_ledger(true), error = 0;

	if (fd == -ENOENT)
		return -EAGAIN; /* its last entry went, and it with it */
	if (fd < 0)
		return fd;
	objname_entry_file(self->kind, self->name, file);
	objname_entry_format(self, text);
	if (symlinkat(text, fd, file) < 0)
		error = errno == ENOENT ? -EAGAIN : -errno;
	if (error == -EEXIST && (!read_entry(fd, file, &present) ||
				 may_be_replaced(&present, self))) {
		error = -EAGAIN;
		if (unlinkat(fd, file, 0) < 0 && errno != ENOENT)
			error = -errno;
	}
	close(fd);
	return error;
}

int objname_claim(enum objname_kind kind, const char *name)
{
	struct objname_entry self;
	int error = objname_entry_self(kind, name, &self);

	if (error)
		return error;
	error = -EAGAIN;
	for (int i = 0; i < TRIES && error == -EAGAIN; i++)
		error = try_claim(&self);
	return error;
}

static void forget_at_exit(const struct objname_entry *entry);

int objname_release(enum objname_kind kind, const char *name)
{
	struct objname_entry self, present;
	char file[OBJNAME_ENTRY_FILE];
	int error = objname_entry_self(kind, name, &self);
	int fd;

	if (error)
		return error;
	forget_at_exit(&self);
	fd = open_ledger(false);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	objname_entry_file(kind, self.name, file);
	if (read_entry(fd, file, &present) &&
	    !objname_entry_same_owner(&present, &self) &&
	    objname_judge_owner(&present) != OBJNAME_DEAD &&
	    objname_exists(&present))
		error = -EBUSY;
	else if (unlinkat(fd, file, 0) < 0 && errno != ENOENT)
		error = -errno;
	leave_ledger(fd);
	return error;
}

int objname_claim_id(enum objname_kind kind, int id)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	return objname_claim(kind, name);
}

int objname_release_id(enum objname_kind kind, int id)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	return objname_release(kind, name);
}

/* ---- all of them ----------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
	const struct objname_entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->kind - (int)y->kind;
}

/* All sound entries, allocated; their number or -errno. */
static ssize_t read_ledger(struct objname_entry **entries)
{
	struct objname_entry entry, *list = NULL, *more;
	const struct dirent *file;
	size_t n = 0, room = 0;
	int fd = open_ledger(false);
	DIR *folder;

	*entries = NULL;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (n < LEDGER_MAX && (file = readdir(folder))) {
		if (!read_entry(fd, file->d_name, &entry))
			continue;
		if (n == room) {
			room = room ? 2 * room : 16;
			more = reallocarray(list, room, sizeof(*list));
			if (!more) {
				free(list);
				closedir(folder);
				return -ENOMEM;
			}
			list = more;
		}
		list[n++] = entry;
	}
	closedir(folder);
	if (n > 0)
		qsort(list, n, sizeof(*list), compare_entries);
	*entries = list;
	return (ssize_t)n;
}

int objname_each(int (*visit)(const struct objname_entry *entry, void *arg),
		 void *arg)
{
	struct objname_entry *entries;
	ssize_t n = read_ledger(&entries);
	int result = n < 0 ? (int)n : 0;

	for (ssize_t i = 0; i < n && result == 0; i++)
		result = visit(&entries[i], arg);
	free(entries);
	return result;
}

/* ---- at exit ------------------------------------------------------------------------ */

static struct {
	pthread_mutex_t lock; /* leaf: nothing is called while it is held */
	bool is_registered;
	struct objname_entry entries[64]; /* owner 0: free */
} at_exit = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { AT_EXIT_MAX = sizeof(at_exit.entries) / sizeof(at_exit.entries[0]) };

/* A copy, so that the lock is not held while objects are removed. */
static struct objname_entry entry_at_exit(int i)
{
	struct objname_entry entry;

	pthread_mutex_lock(&at_exit.lock);
	entry = at_exit.entries[i];
	pthread_mutex_unlock(&at_exit.lock);
	return entry;
}

/* A forked child has the table too, but what is in it is not the child's. */
static void remove_all(void)
{
	for (int i = 0; i < AT_EXIT_MAX; i++) {
		struct objname_entry entry = entry_at_exit(i);

		if (entry.owner == getpid())
			objname_remove(&entry);
	}
}

static void forget_at_exit(const struct objname_entry *entry)
{
	pthread_mutex_lock(&at_exit.lock);
	for (int i = 0; i < AT_EXIT_MAX; i++)
		if (at_exit.entries[i].owner == entry->owner &&
		    compare_entries(&at_exit.entries[i], entry) == 0)
			at_exit.entries[i].owner = 0;
	pthread_mutex_unlock(&at_exit.lock);
}

static int remember_at_exit(const struct objname_entry *entry)
{
	int i = 0, error = 0;

	pthread_mutex_lock(&at_exit.lock);
	while (i < AT_EXIT_MAX && at_exit.entries[i].owner != 0)
		i++;
	if (i == AT_EXIT_MAX)
		error = -ENOBUFS;
	else if (!at_exit.is_registered && atexit(remove_all) != 0)
		error = -ENOMEM;
	else
		at_exit.entries[i] = *entry;
	at_exit.is_registered |= error == 0;
	pthread_mutex_unlock(&at_exit.lock);
	return error;
}

int objname_remove_at_exit(enum objname_kind kind, const char *name)
{
	struct objname_entry self;
	int error = objname_entry_self(kind, name, &self);

	if (error)
		return error;
	forget_at_exit(&self); /* twice is once */
	error = remember_at_exit(&self);
	if (error)
		return error;
	objname_claim(kind, name); /* advice: it may fail */
	return 0;
}
