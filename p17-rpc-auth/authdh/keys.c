/* keys.c - reading and replacing files of keys.
 *
 * Who replaces the public file holds a lock on its directory (flock(2), which
 * ends with its holder): the file itself is another one after each rename. */
#include "p17-rpc-auth/authdh/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

/* ---- reading ---- */

/* All of an open file, with a '\0' behind it; *bytes, of which we made room. */
static int read_all(int fd, char **text, size_t *bytes)
{
	struct stat st;
	ssize_t n;

	*text = NULL;
	if (fstat(fd, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > KEYS_FILE_MAX)
		return -EFBIG;
	*bytes = (size_t)st.st_size + 1;
	*text = malloc(*bytes);
	if (!*text)
		return -ENOMEM;
	n = fdio_read_full(fd, *text, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	(*text)[n] = '\0';
	/* A '\0' within would hide what is behind it. */
	return memchr(*text, '\0', (size_t)n) ? -EBADMSG : 0;
}

/* One line. Returns 1 with an entry, 0 without, or -EBADMSG. */
static int parse_line(char *line, struct keys_entry *entry)
{
	char *rest, *name, *hex;

	line[strcspn(line, "#\n")] = '\0';
	name = strtok_r(line, " \t\r", &rest);
	if (!name)
		return 0;
	hex = strtok_r(NULL, " \t\r", &rest);
	if (!hex || strtok_r(NULL, " \t\r", &rest) || netname_check(name) ||
	    dh_parse(hex, entry->key))
		return -EBADMSG;
	memset(entry->name, 0, sizeof(entry->name));
	memcpy(entry->name, name, strlen(name));
	return 1;
}

static int compare(const void *a, const void *b)
{
	const struct keys_entry *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Not by realloc(3), which would leave a secret behind. */
static int grow(struct keys *keys)
{
	const size_t room = keys->n ? 2 * keys->n : 1;
	struct keys more = {calloc(room, sizeof(*more.entries)), keys->n};

	if (!more.entries)
		return -ENOMEM;
	if (keys->n)
		memcpy(more.entries, keys->entries,
		       keys->n * sizeof(*more.entries));
	keys_free(keys);
	*keys = more;
	return 0;
}

static int add(struct keys *keys, const struct keys_entry *entry)
{
	int error = 0;

	if (keys->n == KEYS_MAX)
		return -EFBIG;
	/* Doubled at each power of two. */
	if ((keys->n & (keys->n - 1)) == 0)
		error = grow(keys);
	if (error)
		return error;
	keys->entries[keys->n++] = *entry;
	return 0;
}

static int parse(struct keys *keys, char *text, size_t *line)
{
	struct keys_entry entry;
	char *next;
	int found = 0;

	for (size_t number = 1; text; text = next, number++) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		found = parse_line(text, &entry);
		if (found > 0)
			found = add(keys, &entry);
		if (found < 0) {
			if (line)
				*line = number;
			return found;
		}
	}
	return 0;
}

static int sort(struct keys *keys)
{
	if (keys->n == 0)
		return 0;
	qsort(keys->entries, keys->n, sizeof(*keys->entries), compare);
	for (size_t i = 1; i < keys->n; i++)
		if (strcmp(keys->entries[i - 1].name, keys->entries[i].name) ==
		    0)
			return -EBADMSG;
	return 0;
}

static int load(struct keys *keys, int fd, size_t *line)
{
	size_t bytes;
	char *text;
	int error;

	*keys = (struct keys){0};
	if (line)
		*line = 0;
	error = read_all(fd, &text, &bytes);
	if (!error)
		error = parse(keys, text, line);
	if (!error)
		error = sort(keys);
	if (text)
		dh_wipe(text, bytes);
	free(text);
	if (error)
		keys_free(keys);
	return error;
}

/* Not waiting: it might be a FIFO. */
static int open_file(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

int keys_load(struct keys *keys, const char *path, size_t *line)
{
	int fd = open_file(path, 0), error;

	*keys = (struct keys){0};
	if (line)
		*line = 0;
	if (fd < 0)
		return fd;
	error = fdio_check_trusted(fd);
	if (!error)
		error = load(keys, fd, line);
	close(fd);
	return error;
}

void keys_free(struct keys *keys)
{
	if (keys->entries)
		dh_wipe(keys->entries, keys->n * sizeof(*keys->entries));
	free(keys->entries);
	*keys = (struct keys){0};
}

const struct keys_entry *keys_find(const struct keys *keys, const char *name)
{
	size_t low = 0, high = keys->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, keys->entries[middle].name);

		if (order == 0)
			return &keys->entries[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Asked of the open file, so that it cannot be another one afterwards. */
static int check_secrecy(int fd, unsigned int *mode)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (mode)
		*mode = st.st_mode & 07777;
	if (st.st_uid != geteuid())
		return -EPERM;
	return st.st_mode & 077 ? -EACCES : 0;
}

int keys_load_secret(struct keys_entry *entry, const char *path,
		     unsigned int *mode)
{
	struct keys keys = {0};
	int fd = open_file(path, O_NOFOLLOW), error;

	if (mode)
		*mode = 0;
	if (fd < 0)
		return fd;
	error = check_secrecy(fd, mode);
	if (!error)
		error = load(&keys, fd, NULL);
	if (!error && keys.n != 1)
		error = -EBADMSG;
	if (!error)
		*entry = keys.entries[0];
	keys_free(&keys);
	close(fd);
	return error;
}

/* ---- replacing ---- */

static int sync_and_close(int fd, int error)
{
	if (!error && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	return error;
}

/* Under a name beside it first. is_new: only if there is no such file. */
static int replace(const char *path, const char *text, size_t bytes,
		   mode_t mode, bool is_new)
{
	char beside[PATH_MAX];
	int fd, error, n = snprintf(beside, sizeof(beside), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(beside))
		return -ENAMETOOLONG;
	/* Left by a crash. Not written into: it might be open elsewhere. */
	if (unlink(beside) && errno != ENOENT)
		return -errno;
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  mode);
	if (fd < 0)
		return -errno;
	error = sync_and_close(fd, fdio_write_full(fd, text, bytes));
	if (!error && is_new && link(beside, path))
		error = -errno;
	if (!error && !is_new && rename(beside, path))
		error = -errno;
	if (error || is_new)
		unlink(beside);
	return error;
}

static int format_entry(char *line, size_t size, const struct keys_entry *entry)
{
	char hex[DH_HEX];
	int n;

	dh_format(entry->key, hex);
	n = snprintf(line, size, "%s %s\n", entry->name, hex);
	dh_wipe(hex, sizeof(hex));
	return n;
}

int keys_store_secret(const struct keys_entry *entry, const char *path,
		      bool is_forced)
{
	char line[NETNAME_MAX + DH_HEX + 4];
	int n = format_entry(line, sizeof(line), entry), error;

	error = replace(path, line, (size_t)n, 0600, !is_forced);
	dh_wipe(line, sizeof(line));
	return error;
}

static int lock_directory(const char *path, int64_t deadline)
{
	char copy[PATH_MAX];
	int fd, error;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);
	fd = open_file(dirname(copy), O_DIRECTORY);
	if (fd < 0)
		return fd;
	error = fdio_lock(fd, LOCK_EX, deadline);
	if (error)
		fdio_close(&fd);
	return error ? error : fd;
}

static int merge(struct keys *keys, const struct keys_entry *entry)
{
	struct keys_entry *old =
		(struct keys_entry *)(uintptr_t)keys_find(keys, entry->name);
	int error;

	if (old) {
		*old = *entry;
		return 0;
	}
	error = add(keys, entry);
	return error ? error : sort(keys);
}

int keys_store_public(const struct keys_entry *entry, const char *path,
		      int64_t deadline)
{
	struct keys keys = {0};
	char *text = NULL;
	size_t bytes = 0;
	FILE *out;
	int lock = lock_directory(path, deadline), error;

	if (lock < 0)
		return lock;
	error = keys_load(&keys, path, NULL);
	if (error == -ENOENT)
		error = 0;
	if (!error)
		error = merge(&keys, entry);
	out = error ? NULL : open_memstream(&text, &bytes);
	if (!error && !out)
		error = -ENOMEM;
	for (size_t i = 0; !error && i < keys.n; i++) {
		char line[NETNAME_MAX + DH_HEX + 4];

		format_entry(line, sizeof(line), &keys.entries[i]);
		fputs(line, out);
	}
	if (out && fclose(out))
		error = -ENOMEM;
	if (!error)
		error = replace(path, text, bytes, 0644, false);
	free(text);
	keys_free(&keys);
	close(lock);
	return error;
}
