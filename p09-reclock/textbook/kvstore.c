/* kvstore: records of one size in a file, a lock on the bytes of each (UNP2 9.2).
 *
 *	gcc -o kvstore kvstore.c
 *
 * A search locks one record after the other, waits for each (F_SETLKW), and stops
 * at the first that is its key's or nobody's. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct record {
	char key[28];
	unsigned int length;
	char value[224];
};

static int fd;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

#define offset(i) ((off_t)(i) * (off_t)sizeof(struct record))

/* F_RDLCK, F_WRLCK or F_UNLCK on record i. */
static int lock(int command, int type, long i)
{
	struct flock fl = {
		.l_type = (short)type,
		.l_whence = SEEK_SET,
		.l_start = offset(i),
		.l_len = sizeof(struct record),
	};

	return fcntl(fd, command, &fl);
}

/* The number of the record, which stays locked; its key is empty if it is
 * nobody's yet. */
static long find(const char *key, int type, struct record *record)
{
	for (long i = 0;; i++) {
		if (lock(F_SETLKW, type, i) == -1)
			die("F_SETLKW");
		memset(record, 0, sizeof(*record));
		if (pread(fd, record, sizeof(*record), offset(i)) == -1)
			die("pread");
		if (!record->key[0] || strcmp(record->key, key) == 0)
			return i;
		lock(F_SETLK, F_UNLCK, i);
	}
}

/* Field by field: a kill between two of them leaves half a record. */
static void set(const char *key, const char *value)
{
	struct record record;
	long i;

	if (!*key || strlen(key) >= sizeof(record.key) ||
	    strlen(value) > sizeof(record.value)) {
		fprintf(stderr, "kvstore: too long, or no key\n");
		exit(1);
	}
	i = find(key, F_WRLCK, &record);
	snprintf(record.key, sizeof(record.key), "%s", key);
	record.length = (unsigned int)strlen(value);
	memcpy(record.value, value, record.length);
	if (pwrite(fd, record.key, sizeof(record.key), offset(i)) == -1 ||
	    pwrite(fd, &record.length, sizeof(record.length),
		   offset(i) + (off_t)sizeof(record.key)) == -1 ||
	    pwrite(fd, record.value, sizeof(record.value),
		   offset(i + 1) - (off_t)sizeof(record.value)) == -1)
		die("pwrite");
	lock(F_SETLK, F_UNLCK, i);
}

static int get(const char *key)
{
	struct record record;

	find(key, F_RDLCK, &record);
	if (!record.key[0])
		return 1;
	printf("%.*s\n", (int)record.length, record.value);
	return 0;
}

/* Process 2 is a child, which has none of its parent's locks. If the parent is
 * careless it opens and closes the file meanwhile: its lock is gone then. */
static void lock_test(const char *key, int is_careless)
{
	struct record record;
	long i = find(key, F_WRLCK, &record);
	int ready[2];
	char byte;

	setbuf(stdout, NULL);
	printf("Process 1: Acquired write lock on %s\n", key);
	if (pipe(ready) == -1)
		die("pipe");
	if (is_careless) {
		close(dup(fd));
		printf("Process 1: Closed a second descriptor of the file\n");
	}
	if (fork() == 0) {
		if (lock(F_SETLK, F_WRLCK, i) == -1) {
			printf("Process 2: Waiting for lock...\n");
			write(ready[1], "", 1);
			lock(F_SETLKW, F_WRLCK, i);
		} else {
			write(ready[1], "", 1);
		}
		printf("Process 2: Acquired write lock on %s\n", key);
		_exit(0);
	}
	read(ready[0], &byte, 1);
	if (is_careless && wait(NULL) > 0)
		return;
	printf("(Process 1 holds lock for 2 seconds)\n");
	sleep(2);
	printf("Process 1: Released lock\n");
	lock(F_SETLK, F_UNLCK, i);
	wait(NULL);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	fd = open("kvstore.db", O_RDWR | O_CREAT, 0666);
	if (fd == -1)
		die("kvstore.db");
	if (argc == 4 && strcmp(verb, "set") == 0)
		set(argv[2], argv[3]);
	else if (argc == 3 && strcmp(verb, "get") == 0)
		return get(argv[2]);
	else if (argc == 3 && strcmp(verb, "lock-test") == 0)
		lock_test(argv[2], 0);
	else if (argc == 3 && strcmp(verb, "lock-lost") == 0)
		lock_test(argv[2], 1);
	else
		return 2;
	return 0;
}
