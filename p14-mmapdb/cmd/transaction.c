/* transaction.c - import and batch: many changes, of which all are made or
 * none. All of the input is read first, since who feeds us may be slow, and the
 * writers' lock is not held while somebody else is waited for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cmd/die.h"
#include "lib/cmd/progress.h"
#include "p14-mmapdb/cmd/database.h"
#include "p14-mmapdb/cmd/rows.h"
#include "p14-mmapdb/cmd/verbs.h"

/* In front of the bytes of a key and those of a value. */
struct change {
	uint32_t is_deletion, key_len, value_len;
};

struct changes {
	struct bytes bytes;
	uint64_t n;
};

struct source {
	const char *name;
	struct rows rows;
	uint64_t size; /* 0: nobody knows */
};

/* ---- reading ---------------------------------------------------------------- */

static void open_source(struct source *source, const char *path,
			enum rows_format format)
{
	struct stat st;

	*source = (struct source){.name = "standard input",
				  .rows = {.format = format, .from = stdin}};
	if (path && strcmp(path, "-") != 0) {
		source->name = path;
		source->rows.from = fopen(path, "re");
		if (!source->rows.from)
			die_errno(errno, "cannot open %s", path);
	}
	if (!fstat(fileno(source->rows.from), &st) && S_ISREG(st.st_mode))
		source->size = (uint64_t)st.st_size;
}

static int add_change(struct changes *changes, const struct row *row)
{
	const struct change change = {row->is_deletion, (uint32_t)row->key.len,
				      (uint32_t)row->value.len};
	int error = bytes_add(&changes->bytes, &change, sizeof(change));

	if (!error)
		error = bytes_add(&changes->bytes, row->key.data, row->key.len);
	if (!error)
		error = bytes_add(&changes->bytes, row->value.data,
				  row->value.len);
	changes->n++;
	return error;
}

static void read_changes(struct source *source, struct changes *changes)
{
	struct rows *rows = &source->rows;
	struct progress progress;
	struct row row = {0};
	int got;

	progress_start(&progress, source->size);
	while ((got = rows_next(rows, &row)) == 1) {
		got = add_change(changes, &row);
		if (got)
			break;
		if (changes->n % 1024 == 0)
			progress_update(&progress, changes->bytes.len,
					"reading");
	}
	progress_end(&progress);
	if (got == -EBADMSG)
		die("%s, line %" PRIu64 ": %s; nothing has been changed",
		    source->name, rows->line, rows->why);
	if (got)
		die_errno(got, "cannot read %s; nothing has been changed",
			  source->name);
	rows_free(rows, &row);
	if (rows->from != stdin)
		fclose(rows->from);
}

/* ---- applying --------------------------------------------------------------- */

struct applied {
	uint64_t set, removed;
};

static int apply_one(struct mmapdb *db, const char *at, struct change change,
		     struct applied *applied)
{
	struct mmapdb_bytes key = {at, change.key_len};
	struct mmapdb_bytes value = {at + change.key_len, change.value_len};
	int error;

	if (!change.is_deletion) {
		applied->set++;
		return mmapdb_put(db, key, value, NULL);
	}
	error = mmapdb_del(db, key);
	if (error == -ENOENT) /* so it is gone, which is what was asked for */
		return 0;
	applied->removed++;
	return error;
}

static void apply(const struct database *database,
		  const struct changes *changes, const struct writing *writing,
		  struct applied *applied)
{
	const char *at = changes->bytes.data;
	struct progress progress;
	struct change change;
	int error = 0;

	*applied = (struct applied){0};
	database_begin_write(database, writing);
	progress_start(&progress, changes->n);
	for (uint64_t n = 0; !error && n < changes->n; n++) {
		memcpy(&change, at, sizeof(change));
		at += sizeof(change);
		error = apply_one(database->db, at, change, applied);
		at += change.key_len + change.value_len;
		if (n % 1024 == 0)
			progress_update(&progress, n, "writing");
	}
	progress_end(&progress);
	if (error)
		database_die(database, error, "write to");
	database_commit(database);
}

static void change_all(const char *path, struct source *source,
		       const struct writing *writing, struct applied *applied)
{
	struct changes changes = {0};
	struct database database;

	database_open(&database, path,
		      writing->is_not_synced ? MMAPDB_NO_SYNC : 0);
	read_changes(source, &changes);
	apply(&database, &changes, writing, applied);
	database_close(&database);
	bytes_free(&changes.bytes);
}

/* ---- the verbs ----------------------------------------------------------------- */

int verb_import(int argc, char **argv)
{
	static const char *const formats[] = {"json", "csv", NULL};
	enum rows_format format = ROWS_JSON;
	struct writing writing = DATABASE_WRITING;
	const struct cli_option options[] = {
		CLI_WORD("format", 0, "FORMAT", &format, formats,
			 "json: an object a line (the default); csv: with the "
			 "header key,value"),
		DATABASE_NO_SYNC(&writing),
		DATABASE_TIMEOUT(&writing),
		{0},
	};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Set all records of a file, or of standard input, in "
		       "one transaction: all of them or, if a line is wrong, "
		       "none.\vExample: mmapdb import mydata.db <mydata.jsonl",
		.operands = "FILE [INPUT]",
		.most = 2,
		.options = options,
	};
	struct applied applied;
	struct source source;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	open_source(&source, argv[2], format);
	change_all(argv[1], &source, &writing, &applied);
	printf("Imported: %" PRIu64 " records\n", applied.set);
	return 0;
}

int verb_batch(int argc, char **argv)
{
	struct writing writing = DATABASE_WRITING;
	const struct cli_option options[] = {
		DATABASE_NO_SYNC(&writing), DATABASE_TIMEOUT(&writing), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Do what the lines of standard input say, in one "
		       "transaction: all of it or, if a line is wrong, nothing. "
		       "A line is 'put KEY VALUE' or 'del KEY'.\v"
		       "A key with a blank in it has \\x20 there, and so on: \\t "
		       "\\n \\r \\\\ \\xNN. A value goes to the end of its "
		       "line.\nExample: printf 'put a 1\\ndel b\\n' | mmapdb "
		       "batch mydata.db",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct applied applied;
	struct source source;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	open_source(&source, NULL, ROWS_BATCH);
	change_all(argv[1], &source, &writing, &applied);
	printf("Batch: %" PRIu64 " put, %" PRIu64 " deleted\n", applied.set,
	       applied.removed);
	return 0;
}
