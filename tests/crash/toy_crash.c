/* toy_crash.c - the smallest store that a power cut cannot hurt, and seven ways
 * to get it wrong, by which the harness is tested.
 *
 *	log    records behind one another, each with number and checksum; a
 *	       batch is three of them and one fdatasync(2); who reads stops
 *	       at the first one that is not sound
 *	base   the records that were in the log before: written aside, synced,
 *	       renamed, the folder synced, and then the log is cut to nothing
 *
 * drive DIR [FAULT]: one process after the other opens it and puts batches; one
 * that is killed (CRASH_KILL) is followed by the next. check [FAULT].
 */
#include "tests/crash/crash.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/rng.h"

#define BODY 692
#define BATCH 3
#define PROCESSES 3
#define BATCHES 4 /* of a process */
#define MOST 256

struct record {
	uint32_t crc; /* of all that follows */
	uint32_t number;
	uint8_t body[BODY];
};
_Static_assert(sizeof(struct record) == 700, "not a whole number of sectors");

static const char *fault = "none";

static bool has(const char *name)
{
	return strcmp(fault, name) == 0;
}

static struct record make_record(uint32_t number)
{
	struct record record = {.number = number};
	struct rng rng;

	rng_seed(&rng, number);
	rng_fill(&rng, record.body, sizeof(record.body));
	record.crc = crc32c(&record.number,
			    sizeof(record) - offsetof(struct record, number));
	return record;
}

static bool is_sound(const struct record *record)
{
	const uint32_t crc =
		crc32c(&record->number,
		       sizeof(*record) - offsetof(struct record, number));

	return record->number != 0 && (record->crc == crc || has("no-crc"));
}

/* ---- reading ----------------------------------------------------------------- */

struct store {
	struct record records[MOST];
	uint32_t n, in_base;
	off_t end; /* of what is sound in the log */
};

/* Append what a file has; false when it has something that is not sound. */
static bool read_records(int dir, const char *name, struct store *store,
			 off_t *end)
{
	struct record record;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	bool is_whole = true;

	*end = 0;
	if (fd < 0)
		return true;
	while (pread(fd, &record, sizeof(record), *end) == sizeof(record)) {
		*end += (off_t)sizeof(record);
		if (!is_sound(&record)) {
			is_whole = false;
			if (has("past-bad"))
				continue;
			*end -= (off_t)sizeof(record);
			break;
		}
		/* The log may still have what is in base already. */
		if (store->n < MOST && record.number > store->in_base)
			store->records[store->n++] = record;
	}
	close(fd);
	return is_whole;
}

/* Returns NULL, or what is wrong. */
static const char *read_store(int dir, struct store *store)
{
	off_t end;

	store->n = store->in_base = 0;
	if (!read_records(dir, "base", store, &end))
		return "base is not sound";
	store->in_base = store->n;
	read_records(dir, "log", store, &store->end);
	return NULL;
}

/* ---- writing ----------------------------------------------------------------- */

static void must(bool is_true, const char *what)
{
	if (!is_true)
		err(3, "cannot %s", what);
}

static void write_base(int dir, const struct store *store)
{
	int fd = openat(dir, "base.tmp",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const ssize_t len = (ssize_t)(store->n * sizeof(store->records[0]));

	must(fd >= 0 && pwrite(fd, store->records, (size_t)len, 0) == len,
	     "write base.tmp");
	if (has("rename-first"))
		must(renameat(dir, "base.tmp", dir, "base") == 0, "rename");
	must(fdatasync(fd) == 0, "sync base.tmp");
	if (!has("rename-first"))
		must(renameat(dir, "base.tmp", dir, "base") == 0, "rename");
	if (!has("no-folder-sync"))
		must(fsync(dir) == 0, "sync the folder");
	close(fd);
}

static void cut_log(int log, struct store *store, off_t size)
{
	must(ftruncate(log, size) == 0 && fdatasync(log) == 0, "cut the log");
	store->end = size;
}

static void checkpoint(int dir, int log, struct store *store)
{
	if (has("cut-first"))
		cut_log(log, store, 0);
	write_base(dir, store);
	cut_log(log, store, 0);
	store->in_base = store->n;
}

static void put_batch(int log, struct store *store)
{
	crash_say("try %u", store->n + BATCH);
	for (int i = 0; i < BATCH; i++) {
		struct record *record = &store->records[store->n];

		*record = make_record(++store->n);
		must(pwrite(log, record, sizeof(*record), store->end) ==
			     sizeof(*record),
		     "write to the log");
		store->end += (off_t)sizeof(*record);
	}
	if (has("early-done"))
		crash_say("done %u", store->n);
	if (!has("no-barrier"))
		must(fdatasync(log) == 0, "sync the log");
	if (!has("early-done"))
		crash_say("done %u", store->n);
}

static int work(int dir)
{
	static struct store store;
	int log = openat(dir, "log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	must(log >= 0 && fsync(dir) == 0, "open the log");
	must(read_store(dir, &store) == NULL, "read the store");
	cut_log(log, &store, store.end);
	for (int i = 0; i < BATCHES; i++) {
		put_batch(log, &store);
		if (i == BATCHES / 2)
			checkpoint(dir, log, &store);
	}
	close(log);
	return 0;
}

static int drive(const char *path, int argc, char **argv)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

	must(dir >= 0, "open the folder");
	if (argc)
		fault = argv[0];
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid == 0)
			_exit(work(dir));
		must(waitpid(pid, &status, 0) == pid, "wait");
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return 0;
}

/* ---- checking ---------------------------------------------------------------- */

static uint64_t tried, done;

/* What --check gives comes last. */
static void begin(int argc, char **argv)
{
	if (argc)
		fault = argv[argc - 1];
}

static void hear(const char *line)
{
	uint64_t n;

	if (crash_scan(line, "try", &n, 1))
		tried = n;
	if (crash_scan(line, "done", &n, 1))
		done = n;
}

static const char *check(const char *path)
{
	static struct store store;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *why;
	struct record wanted;

	must(dir >= 0, "open a state");
	why = read_store(dir, &store);
	close(dir);
	if (why)
		return why;
	for (uint32_t i = 0; i < store.n; i++) {
		wanted = make_record(i + 1);
		if (store.records[i].number != i + 1)
			return crash_why("record %u is missing", i + 1);
		if (memcmp(&wanted, &store.records[i], sizeof(wanted)) != 0)
			return crash_why("record %u is torn", i + 1);
	}
	if (store.n < done)
		return crash_why("%u records are there and %u were promised",
				 store.n, (unsigned int)done);
	if (store.n > tried)
		return crash_why("record %u was never put", store.n);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct crash_program program = {
		.drive = drive, .begin = begin, .hear = hear, .check = check};

	return crash_main(&program, argc, argv);
}
