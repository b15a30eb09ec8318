/* p14_mmapdb_crash.c - a database that several processes write to at once.
 *
 * drive DIR [WRITERS [TRANSACTIONS [MODES]]]. Each writer has keys of its own,
 * and one that counts its transactions: so whatever the database holds, it
 * must be what each writer had after as many transactions as it says. What a
 * transaction does follows from its writer and number alone. MODES are letters:
 *
 *	n	without a sync, but for every eighth transaction
 *	c	a process compacts
 *	r	a process reads, and what it has seen is promised (not with n)
 *	k	processes are killed, at any moment
 *	m	transactions are too large for the log, and a meta page has
 *		their pages
 *	l	they are as large as the log takes, so that it is full soon
 *	b	a transaction of writer 0 is so large that its pages fit into no
 *		list, and a later one removes all of that
 *
 * A process that gets killed is started again, and goes on where it stands.
 */
#include "tests/crash/crash.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "p14-mmapdb/mmapdb.h"

enum {
	WRITERS = 6,
	KEYS = 24, /* of each writer */
	TRANSACTIONS = 1000,
	OPS = 4, /* of a transaction, at most */
	VALUE_MAX = 40000,
	BULK = 5000, /* records, of so many bytes each, in these transactions */
	BULK_BYTES = 400,
	BULK_FROM = 3,
	BULK_TO = 6,
	BALLAST_MAX = 70000,
	PATIENCE_S = 60,
};

static unsigned int writers = 3, transactions = 20;
static const char *modes = "";

static bool has(char mode)
{
	return strchr(modes, mode) != NULL;
}

static void read_arguments(int argc, char **argv)
{
	if (argc > 0)
		writers = crash_number(argv[0]);
	if (argc > 1)
		transactions = crash_number(argv[1]);
	if (argc > 2)
		modes = argv[2];
	if (writers > WRITERS || transactions >= TRANSACTIONS)
		errx(3, "at most %d writers of %d transactions", WRITERS,
		     TRANSACTIONS - 1);
}

/* ---- what transactions do ---------------------------------------------------- */

struct op {
	unsigned int key;
	bool is_del;
};

static unsigned int ops_of(unsigned int w, unsigned int n, struct op ops[OPS])
{
	struct rng rng;
	unsigned int count;

	rng_seed(&rng, w * 100000 + n);
	count = 1 + (unsigned int)rng_below(&rng, OPS);
	for (unsigned int i = 0; i < count; i++)
		ops[i] = (struct op){
			.key = (unsigned int)rng_below(&rng, KEYS),
			.is_del = rng_below(&rng, 4) == 0,
		};
	return count;
}

/* What writer w puts at a key in transaction n. */
static size_t value_of(unsigned int w, unsigned int key, unsigned int n,
		       unsigned char *bytes)
{
	struct rng rng;
	uint64_t most = 200;
	size_t len;

	rng_seed(&rng, (w * 1000 + key) * 100000 + n);
	if (rng_below(&rng, 6) == 0)
		most = 6000;
	else if (rng_below(&rng, 20) == 0)
		most = VALUE_MAX;
	len = rng_below(&rng, most);
	rng_fill(&rng, bytes, len);
	return len;
}

static struct mmapdb_bytes key_of(unsigned int w, unsigned int key,
				  char text[32])
{
	int n = snprintf(text, 32, "writer %u key %02u", w, key);

	return (struct mmapdb_bytes){.data = text, .len = (size_t)n};
}

/* The key of the count is the one behind the others. */
static int get_count(struct mmapdb *db, unsigned int w, unsigned int *n)
{
	char text[32];
	struct mmapdb_bytes value;
	int error = mmapdb_get(db, key_of(w, KEYS, text), &value);

	*n = 0;
	if (error == -ENOENT)
		return 0;
	if (!error && value.len == sizeof(*n))
		memcpy(n, value.data, sizeof(*n));
	else if (!error)
		error = -EBADMSG;
	return error;
}

static struct mmapdb_bytes bulk_key(unsigned int i, char text[32])
{
	int n = snprintf(text, 32, "bulk %04u", i);

	return (struct mmapdb_bytes){.data = text, .len = (size_t)n};
}

static void fill_bulk(unsigned int i, unsigned char bytes[BULK_BYTES])
{
	struct rng rng;

	rng_seed(&rng, i);
	rng_fill(&rng, bytes, BULK_BYTES);
}

/* Does the bulk have to be there after that transaction of writer 0? */
static bool has_bulk(unsigned int n)
{
	return has('b') && n >= BULK_FROM && n < BULK_TO;
}

static int put_bulk(struct mmapdb *db, unsigned int n)
{
	unsigned char bytes[BULK_BYTES];
	const struct mmapdb_bytes value = {bytes, sizeof(bytes)};
	char text[32];
	int error = 0;

	if (n != BULK_FROM && n != BULK_TO)
		return 0;
	for (unsigned int i = 0; i < BULK && !error; i++) {
		fill_bulk(i, bytes);
		if (n == BULK_FROM)
			error = mmapdb_put(db, bulk_key(i, text), value, NULL);
		else
			error = mmapdb_del(db, bulk_key(i, text));
	}
	return error;
}

/* One more value, which nobody looks at. */
static int put_ballast(struct mmapdb *db, unsigned int w, unsigned int n)
{
	static unsigned char bytes[BALLAST_MAX];
	struct mmapdb_bytes value = {bytes, 0};
	char text[32];

	if (has('m'))
		value.len = 70000;
	if (has('l'))
		value.len = 50000;
	if (!value.len)
		return 0;
	memset(bytes, (int)n, value.len);
	return mmapdb_put(db, key_of(w, KEYS + 1, text), value, NULL);
}

static int put_all(struct mmapdb *db, unsigned int w, unsigned int n)
{
	static unsigned char bytes[VALUE_MAX];
	struct op ops[OPS];
	unsigned int count = ops_of(w, n, ops);
	char text[32];
	int error = mmapdb_put(db, key_of(w, KEYS, text),
			       (struct mmapdb_bytes){&n, sizeof(n)}, NULL);

	for (unsigned int i = 0; i < count && !error; i++) {
		struct mmapdb_bytes key = key_of(w, ops[i].key, text), value;

		value.data = bytes;
		if (ops[i].is_del) {
			error = mmapdb_del(db, key);
			error = error == -ENOENT ? 0 : error;
		} else {
			value.len = value_of(w, ops[i].key, n, bytes);
			error = mmapdb_put(db, key, value, NULL);
		}
	}
	if (!error && w == 0 && has('b'))
		error = put_bulk(db, n);
	if (!error)
		error = put_ballast(db, w, n);
	return error;
}

/* ---- processes --------------------------------------------------------------- */

struct job {
	int (*body)(const char *path, unsigned int number);
	const char *path;
	unsigned int number;
	pid_t pid;
};

static int fail(struct mmapdb *db, const char *what, int error)
{
	fprintf(stderr, "p14_mmapdb_crash: %s: %s: %s\n", what,
		strerror(-error), db ? mmapdb_error(db) : "");
	mmapdb_close(db);
	return 3;
}

static int64_t patience(void)
{
	return tick_after(PATIENCE_S * TICK_S);
}

static int write_one(struct mmapdb *db, unsigned int w, unsigned int n)
{
	int error = mmapdb_begin_write(db, patience());

	if (!error)
		error = put_all(db, w, n);
	return error ? error : mmapdb_commit(db);
}

/* Where does it stand? */
static int stand(struct mmapdb *db, unsigned int w, unsigned int *n)
{
	int error = mmapdb_begin_read(db);

	if (!error)
		error = get_count(db, w, n);
	mmapdb_abort(db);
	return error;
}

static int write_all(const char *path, unsigned int w)
{
	struct mmapdb *db[2] = {NULL, NULL};
	unsigned int n = 0, soft = 0;
	int error = mmapdb_open(path, 0, &db[0]);

	if (!error)
		error = mmapdb_open(path, MMAPDB_NO_SYNC, &db[1]);
	if (!error)
		error = stand(db[0], w, &n);
	/* Its own last transaction, maybe, of which it was not told. */
	if (!error && n)
		crash_say("%s %u %u", has('n') ? "soft" : "done", w, n);
	while (!error && n < transactions) {
		n++;
		soft = has('n') && n % 8;
		crash_say("try %u %u", w, n);
		error = write_one(db[soft], w, n);
		if (!error)
			crash_say("%s %u %u", soft ? "soft" : "done", w, n);
	}
	if (error)
		return fail(db[soft], "cannot write", error);
	mmapdb_close(db[0]);
	mmapdb_close(db[1]);
	return 0;
}

static int compact_all(const char *path, unsigned int number)
{
	struct mmapdb *db;
	int error = mmapdb_open(path, 0, &db);

	(void)number;
	for (unsigned int i = 0; i < transactions / 4 && !error; i++) {
		error = mmapdb_compact(db, patience());
		tick_sleep_until(tick_after(TICK_MS));
	}
	if (error)
		return fail(db, "cannot compact", error);
	mmapdb_close(db);
	return 0;
}

static int read_all(const char *path, unsigned int number)
{
	unsigned int n[WRITERS] = {0}, said[WRITERS] = {0};
	struct mmapdb *db;
	int error = mmapdb_open(path, 0, &db);

	(void)number;
	for (unsigned int i = 0; i < 10 * transactions && !error; i++) {
		error = mmapdb_begin_read(db);
		for (unsigned int w = 0; w < writers && !error; w++)
			error = get_count(db, w, &n[w]);
		mmapdb_abort(db);
		for (unsigned int w = 0; w < writers && !error; w++)
			if (n[w] > said[w])
				crash_say("done %u %u", w, said[w] = n[w]);
		tick_sleep_until(tick_after(TICK_MS / 4));
	}
	if (error)
		return fail(db, "cannot read", error);
	mmapdb_close(db);
	return 0;
}

static void start(struct job *job)
{
	job->pid = fork();
	if (job->pid < 0)
		err(3, "cannot fork");
	if (job->pid == 0)
		_exit(job->body(job->path, job->number));
}

/* It has ended: by itself, or to be started again. Returns 3 when it failed. */
static int end(struct job *jobs, unsigned int count, pid_t pid, int status)
{
	struct job *job = jobs;

	while (job < jobs + count && job->pid != pid)
		job++;
	if (job == jobs + count)
		return 3;
	job->pid = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		start(job);
	else if (status)
		return 3;
	return 0;
}

static void kill_one(const struct job *jobs, unsigned int count,
		     struct rng *rng)
{
	const struct job *job = &jobs[rng_below(rng, count)];

	tick_sleep_until(tick_after((int64_t)rng_below(rng, 2 * TICK_MS)));
	if (job->pid)
		kill(job->pid, SIGKILL);
}

static int run_all(struct job *jobs, unsigned int count)
{
	unsigned int kills = has('k') ? 2 * transactions : 0;
	int status, failed = 0;
	struct rng rng;
	pid_t pid;

	rng_seed(&rng, transactions);
	for (unsigned int i = 0; i < count; i++)
		start(&jobs[i]);
	while ((pid = waitpid(-1, &status, kills ? WNOHANG : 0)) >= 0) {
		if (pid > 0)
			failed |= end(jobs, count, pid, status);
		else if (kills-- > 0)
			kill_one(jobs, count, &rng);
	}
	return failed;
}

static int make(const char *path, unsigned int number)
{
	int error = mmapdb_create(path, 0, 0, 0600);

	(void)number;
	if (error == -EEXIST) /* by one that was killed */
		return 0;
	if (error)
		return fail(NULL, "cannot create", error);
	crash_say("made");
	return 0;
}

static int drive(const char *dir, int argc, char **argv)
{
	struct job jobs[WRITERS + 2];
	unsigned int count = 1;
	char path[512];

	read_arguments(argc, argv);
	snprintf(path, sizeof(path), "%s/db", dir);
	jobs[0] = (struct job){make, path, 0, 0};
	if (run_all(jobs, 1))
		return 3;
	count = 0;
	for (unsigned int w = 0; w < writers; w++)
		jobs[count++] = (struct job){write_all, path, w, 0};
	if (has('c'))
		jobs[count++] = (struct job){compact_all, path, 0, 0};
	if (has('r'))
		jobs[count++] = (struct job){read_all, path, 0, 0};
	return run_all(jobs, count);
}

/* ---- what must be left ------------------------------------------------------- */

static bool is_made;
static unsigned int tried[WRITERS];    /* the last transaction of each */
static unsigned int there[WRITERS];    /* committed, with a sync or without */
static unsigned int promised[WRITERS]; /* durable */
/* What was there when a transaction was tried: it comes before it. */
static unsigned int before[WRITERS][TRANSACTIONS][WRITERS];
/* The transaction that put the value at each key; 0: there is none. */
static unsigned int model[WRITERS][TRANSACTIONS][KEYS];

static void begin(int argc, char **argv)
{
	struct op ops[OPS];
	unsigned int count;

	read_arguments(argc, argv);
	for (unsigned int w = 0; w < writers; w++)
		for (unsigned int n = 1; n <= transactions; n++) {
			memcpy(model[w][n], model[w][n - 1],
			       sizeof(model[w][n]));
			count = ops_of(w, n, ops);
			for (unsigned int i = 0; i < count; i++)
				model[w][n][ops[i].key] = ops[i].is_del ? 0 : n;
		}
}

static void raise_to(unsigned int *n, unsigned int least)
{
	if (*n < least)
		*n = least;
}

static void hear(const char *line)
{
	uint64_t number[2];
	unsigned int w, n;
	bool is_try, is_done;

	if (strcmp(line, "made") == 0) {
		is_made = true;
		return;
	}
	if (strcmp(line, "cut") == 0) {
		/* What there is beyond, writers say when they start again. */
		memcpy(there, promised, sizeof(there));
		return;
	}
	is_try = crash_scan(line, "try", number, 2);
	is_done = crash_scan(line, "done", number, 2);
	if ((!is_try && !is_done && !crash_scan(line, "soft", number, 2)) ||
	    number[0] >= writers || number[1] >= TRANSACTIONS)
		errx(3, "what is '%s'?", line);
	w = (unsigned int)number[0];
	n = (unsigned int)number[1];
	if (is_try) {
		tried[w] = n;
		memcpy(before[w][n], there, sizeof(there));
		return;
	}
	raise_to(&there[w], n);
	if (!is_done)
		return;
	raise_to(&promised[w], n);
	for (unsigned int v = 0; v < writers; v++)
		raise_to(&promised[v], before[w][n][v]);
}

static const char *check_key(struct mmapdb *db, unsigned int w,
			     unsigned int key, unsigned int n)
{
	static unsigned char bytes[VALUE_MAX];
	unsigned int put = model[w][n][key];
	struct mmapdb_bytes value;
	char text[32];
	size_t len;
	int error = mmapdb_get(db, key_of(w, key, text), &value);

	if (error && error != -ENOENT)
		return crash_why("cannot get '%s': %s", text, mmapdb_error(db));
	if (!put)
		return error ? NULL
			     : crash_why("'%s' is there, and was removed",
					 text);
	if (error)
		return crash_why("'%s' of transaction %u is gone", text, put);
	len = value_of(w, key, put, bytes);
	if (value.len != len || memcmp(value.data, bytes, len) != 0)
		return crash_why("'%s' is not what transaction %u has put",
				 text, put);
	return NULL;
}

/* What one writer has, and how many of its transactions there are. */
static const char *check_writer(struct mmapdb *db, unsigned int w,
				unsigned int *n, uint64_t *records)
{
	const char *why = NULL;

	if (get_count(db, w, n) != 0)
		return crash_why("cannot get the count: %s", mmapdb_error(db));
	if (*n < promised[w])
		return crash_why("transaction %u of writer %u is there, and %u "
				 "was promised",
				 *n, w, promised[w]);
	if (*n > tried[w])
		return crash_why("transaction %u of writer %u was never tried",
				 *n, w);
	*records += *n != 0;
	*records += *n != 0 && (has('m') || has('l'));
	for (unsigned int key = 0; key < KEYS && !why; key++) {
		why = check_key(db, w, key, *n);
		*records += model[w][*n][key] != 0;
	}
	return why;
}

static const char *check_bulk(struct mmapdb *db, unsigned int n,
			      uint64_t *records)
{
	unsigned char bytes[BULK_BYTES];
	struct mmapdb_bytes value;
	char text[32];
	int error;

	for (unsigned int i = 0; has_bulk(n) && i < BULK; i++) {
		fill_bulk(i, bytes);
		error = mmapdb_get(db, bulk_key(i, text), &value);
		if (error || value.len != sizeof(bytes) ||
		    memcmp(value.data, bytes, sizeof(bytes)) != 0)
			return crash_why("'%s' is not what it was", text);
		++*records;
	}
	return NULL;
}

/* A power cut takes back the last transactions: none that came before one that
 * is there. */
static const char *check_order(const unsigned int n[WRITERS])
{
	for (unsigned int w = 0; w < writers; w++)
		for (unsigned int v = 0; v < writers; v++)
			if (n[v] < before[w][n[w]][v])
				return crash_why(
					"transaction %u of writer %u is there "
					"without %u of writer %u before it",
					n[w], w, before[w][n[w]][v], v);
	return NULL;
}

/* is_first: nobody has gone on yet. */
static const char *check_records(struct mmapdb *db, bool is_first)
{
	unsigned int n[WRITERS] = {0};
	struct mmapdb_stat stat;
	struct mmapdb_fault fault;
	uint64_t records = 0;
	const char *why = NULL;

	for (unsigned int w = 0; w < writers && !why; w++)
		why = check_writer(db, w, &n[w], &records);
	if (!why)
		why = check_bulk(db, n[0], &records);
	if (!why && is_first)
		why = check_order(n);
	if (why)
		return why;
	if (mmapdb_check(db, &fault) != 0)
		return crash_why("page %llu: %s",
				 (unsigned long long)fault.page, fault.what);
	if (mmapdb_stat(db, &stat) != 0)
		return crash_why("cannot be counted: %s", mmapdb_error(db));
	if (stat.records != records)
		return crash_why("there are %llu records, and not %llu",
				 (unsigned long long)stat.records,
				 (unsigned long long)records);
	return NULL;
}

/* It goes on: each writer's next transaction. */
static const char *go_on(struct mmapdb *db, const char *path)
{
	unsigned int n;
	const char *why = NULL;
	int error = 0;

	for (unsigned int w = 0; w < writers && !error; w++) {
		error = stand(db, w, &n);
		if (error || n == transactions)
			continue;
		error = write_one(db, w, n + 1);
		raise_to(&tried[w], n + 1);
	}
	if (error)
		return crash_why("cannot go on: %s", mmapdb_error(db));
	mmapdb_close(db);
	error = mmapdb_open(path, 0, &db);
	if (!error)
		error = mmapdb_begin_read(db);
	if (error)
		return crash_why("cannot be opened again: %s",
				 strerror(-error));
	why = check_records(db, false);
	mmapdb_close(db);
	return why;
}

static const char *check(const char *dir)
{
	unsigned int tried_then[WRITERS];
	struct mmapdb *db = NULL;
	const char *why;
	char path[512];
	int error;

	snprintf(path, sizeof(path), "%s/db", dir);
	error = mmapdb_open(path, 0, &db);
	if (error == -ENOENT && !is_made)
		return NULL;
	if (error)
		return crash_why("cannot be opened: %s", strerror(-error));
	error = mmapdb_begin_read(db);
	if (error) {
		why = crash_why("cannot be read: %s", mmapdb_error(db));
	} else {
		why = check_records(db, true);
		mmapdb_abort(db);
	}
	if (why) {
		mmapdb_close(db);
		return why;
	}
	memcpy(tried_then, tried, sizeof(tried));
	why = go_on(db, path);
	memcpy(tried, tried_then, sizeof(tried));
	return why;
}

int main(int argc, char **argv)
{
	const struct crash_program program = {
		.drive = drive, .begin = begin, .hear = hear, .check = check};

	return crash_main(&program, argc, argv);
}
