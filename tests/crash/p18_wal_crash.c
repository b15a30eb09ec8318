/* p18_wal_crash.c - a server's data folder: its log, its vote, its snapshots.
 *
 * drive DIR [ROUNDS [MODES]]. One process after the other opens the folder and
 * goes on for so many rounds: a batch of entries, or two, and a sync; sometimes
 * entries are replaced, a vote is given, a snapshot is taken or installed.
 * What it says is what a leader is told:
 *
 *	put INDEX TERM     an entry is being appended
 *	sync               all that was put is durable
 *	tryvote, vote      a term, before and after
 *	trysnap, snap      the index of a snapshot, before and after
 *	reset INDEX        the log is about to begin anew after that snapshot
 *	base INDEX, has INDEX TERM, ready   what the next process has found, and
 *	                   has told others
 *
 * Of what was put after the last sync there may be a beginning, and
 * no more: an entry without those before it is what no power cut may leave. */
#include "tests/crash/crash.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/rng.h"
#include "p18-rpc-kv/durable/folder.h"
#include "p18-rpc-kv/durable/hardstate.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "p18-rpc-kv/durable/wal.h"

enum {
	PROCESSES = 3,
	SEGMENT = 8192,
	ENTRIES = 4096,
	STATE_MAX = 6000, /* bytes of a snapshot */
	BATCH = 5,
};

static unsigned int rounds = 20;
static const char *modes = "";

/* One that has a fault (p18_worse_crash.c) asks. */
bool has(char mode);
bool has(char mode)
{
	return strchr(modes, mode) != NULL;
}

static void read_arguments(int argc, char **argv)
{
	if (argc > 0)
		rounds = crash_number(argv[0]);
	if (argc > 1)
		modes = argv[1];
}

/* ---- what entries and snapshots hold ----------------------------------------- */

static uint32_t fill_entry(uint64_t index, uint64_t term, uint8_t bytes[1024])
{
	struct rng rng;
	uint32_t len;

	rng_seed(&rng, index * 1000 + term);
	len = (uint32_t)rng_below(&rng, rng_below(&rng, 4) ? 100 : 1000);
	rng_fill(&rng, bytes, len);
	return len;
}

static size_t fill_state(uint64_t index, uint8_t bytes[STATE_MAX])
{
	struct rng rng;

	rng_seed(&rng, index);
	rng_fill(&rng, bytes, STATE_MAX);
	return rng_below(&rng, STATE_MAX);
}

/* ---- a folder, opened -------------------------------------------------------- */

struct log {
	uint64_t base; /* the entry before the first */
	uint64_t n;
	uint64_t terms[ENTRIES]; /* of base + 1 … */
};

struct server {
	struct folder folder;
	struct hardstate hardstate;
	struct wal *wal;
	struct wal_position snapshot;
	struct log log;
	struct damage damage;
};

static int visit(const struct wal_entry *entry, void *arg)
{
	struct log *log = arg;
	uint8_t bytes[1024];

	if (entry->len != fill_entry(entry->index, entry->term, bytes) ||
	    memcmp(bytes, entry->bytes, entry->len) != 0)
		return -EUCLEAN;
	/* The first of them. */
	if (!log->n || entry->index <= log->base)
		log->base = entry->index - 1;
	if (entry->index - log->base > ENTRIES)
		return -EFBIG;
	log->n = entry->index - log->base;
	log->terms[log->n - 1] = entry->term;
	return 0;
}

static int read_state(struct snapshot *snapshot)
{
	static uint8_t wanted[STATE_MAX], bytes[STATE_MAX + 1];
	const uint64_t index = snapshot_info(snapshot)->index;
	const size_t len = fill_state(index, wanted);
	size_t at = 0;
	ssize_t n;

	while ((n = snapshot_read(snapshot, bytes + at, sizeof(bytes) - at)) >
	       0)
		at += (size_t)n;
	if (n < 0)
		return (int)n;
	return at == len && memcmp(wanted, bytes, len) == 0 ? 0 : -EUCLEAN;
}

static int find_snapshot(struct server *server)
{
	struct snapshot *snapshot;
	int error =
		snapshot_open(&snapshot, server->folder.fd, &server->damage);

	server->snapshot = (struct wal_position){0, 0};
	if (error)
		return error == -ENOENT ? 0 : error;
	server->snapshot.index = snapshot_info(snapshot)->index;
	server->snapshot.term = snapshot_info(snapshot)->term;
	error = read_state(snapshot);
	snapshot_close(snapshot);
	return error;
}

/* A folder that is formed. */
static int open_rest(struct server *server)
{
	struct log *log = &server->log;
	int error = hardstate_open(&server->hardstate, server->folder.fd,
				   &server->damage);

	if (!error)
		error = find_snapshot(server);
	if (error)
		return error;
	log->base = server->snapshot.index;
	log->n = 0;
	error = wal_open(&server->wal, server->folder.fd, SEGMENT,
			 server->snapshot, visit, log, &server->damage);
	if (error)
		return error;
	if (wal_before(server->wal).index == wal_last(server->wal).index) {
		log->base = wal_last(server->wal).index;
		log->n = 0;
	}
	return log->base + log->n == wal_last(server->wal).index ? 0 : -EUCLEAN;
}

static void close_all(struct server *server)
{
	wal_close(server->wal);
	server->wal = NULL;
	hardstate_close(&server->hardstate);
	folder_close(&server->folder);
}

/* ---- the work ---------------------------------------------------------------- */

static int form(struct server *server)
{
	static const uint8_t shares[1][FOLDER_CLUSTER_BYTES] = {"a share"};
	const struct folder_identity identity = {
		.server = 1, .n_members = 1, .members = {{1, "here:1"}}};
	struct folder *folder = &server->folder;
	int error = 0;

	if (folder->is_new)
		error = folder_claim(folder, &identity);
	if (error || folder->identity.is_formed)
		return error;
	error = hardstate_create(folder->fd);
	if (!error)
		error = wal_create(folder->fd, SEGMENT);
	if (!error)
		error = folder_form(folder, shares);
	if (!error)
		crash_say("formed");
	return error;
}

static void say_all(const struct server *server)
{
	const struct log *log = &server->log;

	crash_say("vote %ju", (uintmax_t)server->hardstate.term);
	crash_say("snap %ju", (uintmax_t)server->snapshot.index);
	crash_say("base %ju", (uintmax_t)log->base);
	for (uint64_t i = 0; i < log->n; i++)
		crash_say("has %ju %ju", (uintmax_t)(log->base + i + 1),
			  (uintmax_t)log->terms[i]);
	crash_say("ready");
}

static int append(struct server *server, uint64_t first, uint64_t n)
{
	static uint8_t bytes[BATCH][1024];
	struct wal_entry entries[BATCH];
	const uint64_t term = server->hardstate.term;

	for (uint64_t i = 0; i < n; i++) {
		const uint64_t index = first + i;

		crash_say("put %ju %ju", (uintmax_t)index, (uintmax_t)term);
		entries[i] = (struct wal_entry){
			.index = index,
			.term = term,
			.len = fill_entry(index, term, bytes[i]),
			.bytes = bytes[i],
		};
	}
	return wal_append(server->wal, entries, n);
}

static int give_vote(struct server *server)
{
	const uint64_t term = server->hardstate.term + 1;
	int error;

	crash_say("tryvote %ju", (uintmax_t)term);
	error = hardstate_set(&server->hardstate, term, 1);
	if (!error)
		crash_say("vote %ju", (uintmax_t)term);
	return error;
}

static int make_snapshot(struct server *server, struct wal_position at)
{
	static uint8_t bytes[STATE_MAX];
	const struct snapshot_info info = {.index = at.index, .term = at.term};
	struct snapshot_writer *writer;
	int error;

	crash_say("trysnap %ju", (uintmax_t)at.index);
	error = snapshot_create(&writer, server->folder.fd, &info);
	if (error)
		return error;
	error = snapshot_write(writer, bytes, fill_state(at.index, bytes));
	if (error)
		snapshot_abort(writer);
	else
		error = snapshot_commit(writer);
	if (!error)
		crash_say("snap %ju", (uintmax_t)at.index);
	return error;
}

/* Everything is synced; the term of the last entry stands for a commit. */
static int take_snapshot(struct server *server)
{
	const struct wal_position at = wal_last(server->wal);
	int error = 0;

	if (at.index <= server->snapshot.index)
		return 0;
	error = make_snapshot(server, at);
	if (!error)
		error = wal_drop(server->wal, at.index);
	if (!error)
		error = snapshot_drop(server->folder.fd, at.index);
	server->snapshot = at;
	return error;
}

static int install_snapshot(struct server *server, uint64_t further)
{
	const struct wal_position at = {wal_last(server->wal).index + further,
					server->hardstate.term};
	int error;

	/* From here on it may have begun anew: opening does that, too. */
	crash_say("reset %ju", (uintmax_t)at.index);
	error = make_snapshot(server, at);
	if (!error)
		error = wal_reset(server->wal, at);
	if (!error)
		crash_say("sync");
	server->snapshot = at;
	return error;
}

static int work_a_round(struct server *server, struct rng *rng)
{
	const uint64_t last = wal_last(server->wal).index;
	const uint64_t free =
		last - server->snapshot.index; /* to be replaced */
	uint64_t first = last + 1;
	int error = 0;

	if (rng_below(rng, 4) == 0) {
		error = give_vote(server);
		if (free && rng_below(rng, 2))
			first -= 1 + rng_below(rng, free < 9 ? free : 9);
	}
	for (uint64_t n = 1 + rng_below(rng, 2); n > 0 && !error; n--) {
		error = append(server, first, 1 + rng_below(rng, BATCH));
		first = wal_last(server->wal).index + 1;
	}
	if (!error && rng_below(rng, 3) == 0)
		error = wal_prepare(server->wal);
	if (!error)
		error = wal_sync(server->wal);
	if (!error)
		crash_say("sync");
	if (!error && rng_below(rng, 10) == 0)
		error = take_snapshot(server);
	if (!error && rng_below(rng, 20) == 0)
		error = install_snapshot(server, 1 + rng_below(rng, 20));
	return error;
}

static int work(const char *path, unsigned int number)
{
	static struct server server;
	struct rng rng;
	int error;

	server.hardstate.fd = -1;
	error = folder_open(&server.folder, path, NULL, &server.damage);
	if (!error)
		error = form(&server);
	if (!error)
		error = open_rest(&server);
	if (!error)
		say_all(&server);
	rng_seed(&rng, wal_last(server.wal).index * 100 + number);
	/* The first entries need a term. */
	if (!error && !server.hardstate.term)
		error = give_vote(&server);
	for (unsigned int i = 0; i < rounds && !error; i++)
		error = work_a_round(&server, &rng);
	if (error)
		fprintf(stderr, "p18_wal_crash: %s: %s\n", strerror(-error),
			server.damage.text);
	else
		close_all(&server);
	return error ? 3 : 0;
}

static int drive(const char *path, int argc, char **argv)
{
	int status;

	read_arguments(argc, argv);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		const pid_t pid = fork();

		if (pid < 0)
			err(3, "cannot fork");
		if (pid == 0)
			_exit(work(path, i));
		if (waitpid(pid, &status, 0) != pid)
			err(3, "cannot wait");
		/* One that was killed is followed by the next. */
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return 0;
}

/* ---- what must be left ------------------------------------------------------- */

enum { PENDING_MAX = 256 };

/* INDEX 0: the log begins anew after TERM. */
struct put {
	uint64_t index, term;
};

static bool is_formed;
static uint64_t vote, tried_vote, snap, tried_snap;
static struct log durable, found;
static struct put pending[PENDING_MAX];
static unsigned int n_pending;

static void put_to(struct log *log, struct put put)
{
	if (!put.index) {
		log->base = put.term;
		log->n = 0;
		return;
	}
	if (put.index <= log->base || put.index - log->base > log->n + 1 ||
	    put.index - log->base > ENTRIES)
		errx(3, "an entry %ju was put behind %ju", (uintmax_t)put.index,
		     (uintmax_t)(log->base + log->n));
	log->n = put.index - log->base;
	log->terms[log->n - 1] = put.term;
}

static void add_pending(struct put put)
{
	if (n_pending == PENDING_MAX)
		errx(3, "too much is put before a sync");
	pending[n_pending++] = put;
}

static void hear_of_log(const char *line)
{
	uint64_t n[2];

	if (crash_scan(line, "put", n, 2))
		add_pending((struct put){n[0], n[1]});
	if (crash_scan(line, "reset", n, 1))
		add_pending((struct put){0, n[0]});
	if (crash_scan(line, "base", n, 1))
		found = (struct log){.base = n[0]};
	if (crash_scan(line, "has", n, 2))
		put_to(&found, (struct put){n[0], n[1]});
	if (strcmp(line, "ready") == 0) {
		durable = found;
		n_pending = 0;
	}
	if (strcmp(line, "sync") == 0) {
		for (unsigned int i = 0; i < n_pending; i++)
			put_to(&durable, pending[i]);
		n_pending = 0;
	}
}

static void hear(const char *line)
{
	uint64_t n;

	if (strcmp(line, "formed") == 0)
		is_formed = true;
	if (crash_scan(line, "tryvote", &n, 1))
		tried_vote = n;
	if (crash_scan(line, "vote", &n, 1))
		vote = tried_vote = n;
	if (crash_scan(line, "trysnap", &n, 1))
		tried_snap = n;
	if (crash_scan(line, "snap", &n, 1))
		snap = tried_snap = n;
	hear_of_log(line);
}

/* The same entries behind the snapshot. What is before it was dropped, or not. */
static bool is_same(const struct log *a, const struct log *b, uint64_t from)
{
	if (a->base + a->n != b->base + b->n)
		return false;
	from = from > a->base ? from : a->base;
	from = from > b->base ? from : b->base;
	for (uint64_t i = from + 1; i <= a->base + a->n; i++)
		if (a->terms[i - a->base - 1] != b->terms[i - b->base - 1])
			return false;
	return true;
}

/* After some of what was put since the last sync, or none, or all? */
static const char *check_log(const struct server *server)
{
	static struct log log;
	const uint64_t from = server->snapshot.index;

	log = durable;
	for (unsigned int i = 0;; i++) {
		if (is_same(&log, &server->log, from))
			return NULL;
		if (i == n_pending)
			break;
		put_to(&log, pending[i]);
	}
	return crash_why("entries up to %ju are not what was put, of which %ju "
			 "were promised",
			 (uintmax_t)wal_last(server->wal).index,
			 (uintmax_t)(durable.base + durable.n));
}

static const char *check_promises(const struct server *server)
{
	if (server->hardstate.term < vote ||
	    server->hardstate.term > tried_vote)
		return crash_why("the vote is of term %ju, and %ju was "
				 "promised",
				 (uintmax_t)server->hardstate.term,
				 (uintmax_t)vote);
	if (server->snapshot.index < snap ||
	    server->snapshot.index > tried_snap)
		return crash_why("the snapshot is of %ju, and %ju was promised",
				 (uintmax_t)server->snapshot.index,
				 (uintmax_t)snap);
	return check_log(server);
}

/* Does it go on, and is that there? */
static const char *check_further(struct server *server)
{
	const struct wal_position last = wal_last(server->wal);
	uint8_t bytes[1024];
	struct wal_entry entry = {
		.index = last.index + 1,
		.term = last.term + 1,
		.len = fill_entry(last.index + 1, last.term + 1, bytes),
		.bytes = bytes,
	};
	int error = wal_append(server->wal, &entry, 1);

	if (!error)
		error = wal_sync(server->wal);
	wal_close(server->wal);
	server->wal = NULL;
	hardstate_close(&server->hardstate);
	if (!error)
		error = open_rest(server);
	if (error)
		return crash_why("it cannot go on: %s %s", strerror(-error),
				 server->damage.text);
	if (wal_last(server->wal).index != last.index + 1)
		return "what is appended next is not there";
	return NULL;
}

static const char *check_folder(struct server *server)
{
	const char *why;
	int error;

	if (!server->folder.identity.is_formed)
		return is_formed ? "it was formed, and is not" : NULL;
	error = open_rest(server);
	if (error)
		return crash_why("cannot be opened: %s %s", strerror(-error),
				 server->damage.text);
	why = check_promises(server);
	return why ? why : check_further(server);
}

static const char *check(const char *path)
{
	static struct server server;
	const char *why;
	int error;

	server.hardstate.fd = -1;
	error = folder_open(&server.folder, path, NULL, &server.damage);
	if (error)
		return crash_why("the folder cannot be opened: %s %s",
				 strerror(-error), server.damage.text);
	why = check_folder(&server);
	close_all(&server);
	return why;
}

int main(int argc, char **argv)
{
	const struct crash_program program = {
		.drive = drive,
		.begin = read_arguments,
		.hear = hear,
		.check = check,
	};

	return crash_main(&program, argc, argv);
}
