/* mmapdb.c - the textbook's database: an array of records in a shared mapping.
 *
 *	gcc -D_GNU_SOURCE mmapdb.c -o mmapdb
 *	./mmapdb create mydata.db --size=100MB
 *	./mmapdb insert mydata.db user:1 '{"name":"Alice"}'
 *	./mmapdb get mydata.db user:1
 *
 * The file is the array, and the mapping is the file: a record whose key is
 * empty is free. One lock on the whole file, for reading or for writing, is
 * held while the array is looked at (UNP2 9 and 12).
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct record {
	char key[64];
	char value[192];
};

static int fd;
static struct record *records; /* the mapping */
static size_t count;           /* of them */

static void lock(short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLKW, &whole))
		err(1, "cannot lock the file");
}

static void open_and_map(const char *path, int flags, short type)
{
	int protection = flags == O_RDWR ? PROT_READ | PROT_WRITE : PROT_READ;
	off_t size;

	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "cannot open %s", path);
	lock(type);
	size = lseek(fd, 0, SEEK_END);
	count = (size_t)size / sizeof(*records);
	records = mmap(NULL, count * sizeof(*records), protection, MAP_SHARED,
		       fd, 0);
	if (records == MAP_FAILED)
		err(1, "cannot map %s", path);
}

/* The record with that key, or else the first that is free, if any is. */
static struct record *find(const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (!*records[i].key || !strcmp(records[i].key, key))
			return &records[i];
	return NULL;
}

/* Twice as long: first the file, then the mapping, which may have to move. */
static void grow(void)
{
	size_t old = count * sizeof(*records);

	if (ftruncate(fd, (off_t)(2 * old)))
		err(1, "cannot grow the file");
	records = mremap(records, old, 2 * old, MREMAP_MAYMOVE);
	if (records == MAP_FAILED)
		err(1, "cannot map the file");
	count *= 2;
}

static void create(const char *path, const char *option)
{
	const char *size = option + strlen("--size=");
	char *unit;
	unsigned long long bytes = strtoull(size, &unit, 10);

	if (strncmp(option, "--size=", strlen("--size=")) != 0)
		errx(2, "%s: wanted is --size=N, NKB or NMB", option);
	bytes <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
	if (bytes < sizeof(*records))
		errx(2, "--size=%s: at least %zu", size, sizeof(*records));
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "cannot create %s", path);
	if (ftruncate(fd, (off_t)bytes))
		err(1, "cannot make %s as long as that", path);
	printf("Database created: %s (%s)\n", path, size);
}

/* A value of "-" is read from standard input, straight into the record. */
static void insert(const char *path, const char *key, const char *value)
{
	struct record *r;

	if (!*key || strlen(key) >= sizeof(r->key) ||
	    strlen(value) >= sizeof(r->value))
		errx(2, "1 to 63 bytes of key, and up to 191 of value");
	open_and_map(path, O_RDWR, F_WRLCK);
	while (!(r = find(key)))
		grow();
	snprintf(r->key, sizeof(r->key), "%s", key);
	if (!strcmp(value, "-"))
		for (char *to = r->value;
		     read(STDIN_FILENO, to, 1) == 1 && to < r->value + 190;)
			*++to = '\0';
	else
		snprintf(r->value, sizeof(r->value), "%s", value);
	if (msync(records, count * sizeof(*records), MS_SYNC))
		err(1, "cannot sync %s", path);
	printf("Inserted at offset %td\n", (char *)r - (char *)records);
}

static int get(const char *path, const char *key)
{
	const struct record *r;

	open_and_map(path, O_RDONLY, F_RDLCK);
	r = find(key);
	if (!r || !*r->key)
		return 1;
	puts(r->value);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "create"))
		create(argv[2], argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "insert"))
		insert(argv[2], argv[3], argv[4]);
	else if (argc == 4 && !strcmp(argv[1], "get"))
		return get(argv[2], argv[3]);
	else
		errx(2, "create FILE --size=N | insert FILE KEY VALUE | "
			"get FILE KEY");
	return 0;
}
