/* The ledger is a folder of symbolic links that lead nowhere: the target of
 * each is the text of an entry,
 *
 *	unixipc3 KIND CREATED OWNER OBJECT PROGRAM NAME
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/objname_entry.h"

enum {
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

/* Claims are made in the first, and looked for in both. */
static const char *const places[] = {"/dev/shm", "/tmp"};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static void ledger_path(int place, char path[OBJNAME_LEDGER])
{
	snprintf(path, OBJNAME_LEDGER, "%s/unixipc.%u", places[place],
		 (unsigned int)geteuid());
}

void objname_ledger(char path[OBJNAME_LEDGER])
{
	ledger_path(0, path);
}

/* A descriptor of the ledger; -ENOENT when there is none and is_wanted is
 * false, -EPERM when what is there is not what we would have made. */
static int open_ledger(int place, bool is_wanted)
{
	char path[OBJNAME_LEDGER];
	struct stat st;
	int fd;

	ledger_path(place, path);
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
static void leave_ledger(int place, int fd)
{
	char path[OBJNAME_LEDGER];

	close(fd);
	ledger_path(place, path);
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
		switch (objname_match(present)) {
		case IDENTITY_ANOTHER:
		case IDENTITY_GONE:
			return true;
		case IDENTITY_SAME:
		case IDENTITY_CANNOT_TELL:
			break;
		}
		break;
	case OBJNAME_ALIVE:
		break;
	}
	return objname_entry_same_owner(present, self);
}

/* What is taken over, from a dead owner or from ourselves, keeps its identity
 * if it is still the same. */
static void inherit(struct objname_entry *self,
		    const struct objname_entry *present)
{
	if (self->object.inode == 0 && self->object.ctime_s == 0 &&
	    objname_match(present) == IDENTITY_SAME)
		self->object = present->object;
}

/* Remove the entry that is in the way of self's. -EAGAIN, or -EEXIST when it is
 * to stay. */
static int make_room(int fd, const char *file, struct objname_entry *self)
{
	struct objname_entry present;

	if (read_entry(fd, file, &present)) {
		if (!may_be_replaced(&present, self))
			return -EEXIST;
		inherit(self, &present);
	}
	return unlinkat(fd, file, 0) < 0 && errno != ENOENT ? -errno : -EAGAIN;
}

/* One attempt: -EAGAIN when it has to be made once more. */
static int try_claim(struct objname_entry *self)
{
	char file[OBJNAME_ENTRY_FILE], text[OBJNAME_ENTRY_TEXT];
	int fd = open_ledger(0, true), error = 0;

	if (fd == -ENOENT)
		return -EAGAIN; /* its last entry went, and it with it */
	if (fd < 0)
		return fd;
	objname_entry_file(self->kind, self->name, file);
	objname_entry_format(self, text);
	if (symlinkat(text, fd, file) < 0)
		error = errno == ENOENT ? -EAGAIN : -errno;
	if (error == -EEXIST)
		error = make_room(fd, file, self);
	if (error && error != -EAGAIN)
		leave_ledger(0, fd); /* it may be there for nothing */
	else
		close(fd);
	return error;
}

static int claim(enum objname_kind kind, const char *name, bool is_made)
{
	struct objname_entry self;
	int error = objname_entry_self(kind, name, &self);

	if (error)
		return error;
	/* What cannot be looked at is claimed all the same. */
	if (is_made)
		objname_entry_look(kind, self.name, &self.object);
	error = -EAGAIN;
	for (int i = 0; i < TRIES && error == -EAGAIN; i++)
		error = try_claim(&self);
	return error;
}

int objname_claim(enum objname_kind kind, const char *name)
{
	return claim(kind, name, false);
}

int objname_made(enum objname_kind kind, const char *name)
{
	return claim(kind, name, true);
}

/* Whether others may strike this off: the owner is dead, or the object is no
 * more. */
static bool is_stale(const struct objname_entry *present)
{
	return objname_judge_owner(present) == OBJNAME_DEAD ||
	       (objname_match(present) != IDENTITY_CANNOT_TELL &&
		!objname_exists(present));
}

static int release_in(int place, const struct objname_entry *self)
{
	struct objname_entry present;
	char file[OBJNAME_ENTRY_FILE];
	int fd = open_ledger(place, false), error = 0;

	if (fd < 0)
		return fd == -ENOENT || place > 0 ? 0 : fd;
	objname_entry_file(self->kind, self->name, file);
	if (read_entry(fd, file, &present) &&
	    !objname_entry_same_owner(&present, self) && !is_stale(&present))
		error = -EBUSY;
	else if (unlinkat(fd, file, 0) < 0 && errno != ENOENT)
		error = -errno;
	leave_ledger(place, fd);
	return error;
}

int objname_release(enum objname_kind kind, const char *name)
{
	struct objname_entry self;
	int error = objname_entry_self(kind, name, &self);

	if (error)
		return error;
	for (int place = 0; place < PLACES && !error; place++)
		error = release_in(place, &self);
	return error;
}

int objname_claim_id(enum objname_kind kind, int id)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	return objname_made(kind, name);
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

struct list {
	struct objname_entry *entries;
	size_t n, room;
};

static int append(struct list *list, const struct objname_entry *entry)
{
	struct objname_entry *more;

	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		more = reallocarray(list->entries, list->room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->entries = more;
	}
	list->entries[list->n++] = *entry;
	return 0;
}

/* All sound entries. An old ledger that is not to be trusted is none. */
static int read_ledger(int place, struct list *list)
{
	struct objname_entry entry;
	const struct dirent *file;
	int fd = open_ledger(place, false), error = 0;
	DIR *folder;

	if (fd < 0)
		return fd == -ENOENT || place > 0 ? 0 : fd;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (!error && list->n < LEDGER_MAX &&
	       (errno = 0, file = readdir(folder)))
		if (read_entry(fd, file->d_name, &entry))
			error = append(list, &entry);
	if (!error && list->n < LEDGER_MAX && errno)
		error = -errno;
	closedir(folder);
	return error;
}

int objname_each(int (*visit)(const struct objname_entry *entry, void *arg),
		 void *arg)
{
	struct list list = {0};
	int result = 0;

	for (int place = 0; place < PLACES && !result; place++)
		result = read_ledger(place, &list);
	if (list.n > 0)
		qsort(list.entries, list.n, sizeof(list.entries[0]),
		      compare_entries);
	for (size_t i = 0; i < list.n && result == 0; i++)
		result = visit(&list.entries[i], arg);
	free(list.entries);
	return result;
}

struct search {
	struct objname_entry *entry; /* with what is looked for */
	bool is_found;
};

static int find(const struct objname_entry *entry, void *arg)
{
	struct search *search = arg;

	search->is_found = compare_entries(entry, search->entry) == 0;
	if (search->is_found)
		*search->entry = *entry;
	return search->is_found;
}

int objname_find(enum objname_kind kind, const char *name,
		 struct objname_entry *entry)
{
	struct search search = {.entry = entry};
	int error = objname_entry_self(kind, name, entry);

	if (!error)
		error = objname_each(find, &search);
	if (search.is_found)
		return 0;
	return error < 0 ? error : -ENOENT;
}

bool objname_is_noted(enum objname_kind kind, const char *name)
{
	struct objname_entry entry;

	return objname_find(kind, name, &entry) == 0 &&
	       objname_match(&entry) == IDENTITY_SAME;
}
