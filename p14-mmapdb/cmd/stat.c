/* stat.c - what there is in a database, and who reads it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "p14-mmapdb/cmd/database.h"
#include "p14-mmapdb/cmd/verbs.h"

/* Pages of the file that neither the newest version has nor the database for
 * itself: free, or of an older version that is read. */
static uint64_t other_pages(const struct mmapdb_stat *s)
{
	uint64_t used = s->leaf_pages + s->branch_pages + s->overflow_pages +
			s->fixed_pages;

	return s->pages > used ? s->pages - used : 0;
}

/* Of a count, 0 is a number; of the others it is none. */
enum field_kind { FIELD_COUNT, FIELD_BYTES, FIELD_PID };

struct field {
	const char *name; /* in JSON */
	const char *title;
	uint64_t value;
	enum field_kind kind;
};

enum { FIELDS = 13 };

static void list_fields(const struct mmapdb_stat *s, struct field f[FIELDS])
{
	const struct field fields[FIELDS] = {
		{"records", "Records", s->records, FIELD_COUNT},
		{"next_offset", "Next offset", s->logical_end, FIELD_COUNT},
		{"version", "Version", s->txnid, FIELD_COUNT},
		{"durable_version", "Durable version", s->durable_txnid,
		 FIELD_COUNT},
		{"file_bytes", "File", s->file_bytes, FIELD_BYTES},
		{"max_bytes", "Limit", s->max_bytes, FIELD_BYTES},
		{"depth", "Depth of the tree", s->depth, FIELD_COUNT},
		{"leaf_pages", "Pages with records", s->leaf_pages,
		 FIELD_COUNT},
		{"branch_pages", "Pages above them", s->branch_pages,
		 FIELD_COUNT},
		{"overflow_pages", "Pages of large values", s->overflow_pages,
		 FIELD_COUNT},
		{"fixed_pages", "Pages of the database's own", s->fixed_pages,
		 FIELD_COUNT},
		{"other_pages", "Pages free or of older versions",
		 other_pages(s), FIELD_COUNT},
		{"writer", "Writer (process)", (uint64_t)s->writer, FIELD_PID},
	};

	for (int i = 0; i < FIELDS; i++)
		f[i] = fields[i];
}

static void print_field(const struct field *f)
{
	if (f->kind != FIELD_COUNT && !f->value)
		printf("%-32s none\n", f->title);
	else if (f->kind == FIELD_BYTES)
		printf("%-32s %" PRIu64 " KB\n", f->title, f->value >> 10);
	else
		printf("%-32s %" PRIu64 "\n", f->title, f->value);
}

/* ---- readers ---------------------------------------------------------------- */

static int print_reader(const struct mmapdb_reader *reader, void *arg)
{
	char age[16];

	(void)arg;
	printf("Reader: process %" PRId64 ", for %s, of version %" PRIu64 "\n",
	       reader->pid,
	       out_duration((double)reader->age_ns, age, sizeof(age)),
	       reader->txnid);
	return 0;
}

static int add_reader(const struct mmapdb_reader *reader, void *arg)
{
	return json_array_append_new(
		       arg, json_pack("{s:I, s:I, s:I}", "pid",
				      (json_int_t)reader->pid, "version",
				      (json_int_t)reader->txnid, "age_ns",
				      (json_int_t)reader->age_ns))
		       ? -ENOMEM
		       : 0;
}

static void each_reader(const struct database *database,
			int (*each)(const struct mmapdb_reader *reader,
				    void *arg),
			void *arg)
{
	int error = mmapdb_readers(database->db, each, arg);

	if (error)
		database_die(database, error, "read");
}

/* ---- all ---------------------------------------------------------------------- */

static void print_text(const struct database *database,
		       const struct mmapdb_stat *stat)
{
	struct field f[FIELDS];

	list_fields(stat, f);
	for (int i = 0; i < FIELDS; i++)
		print_field(&f[i]);
	each_reader(database, print_reader, NULL);
	if (stat->is_pinned)
		printf("Readers: some without a slot, so that no page is freed "
		       "while they read\n");
	if (stat->is_failed)
		printf("A sync has failed: nothing is written any more until "
		       "'mmapdb compact'\n");
}

static void print_json(const struct database *database,
		       const struct mmapdb_stat *stat)
{
	json_t *json = json_object(), *readers = json_array();
	struct field f[FIELDS];

	list_fields(stat, f);
	json_object_set_new(json, "schema",
			    json_string("unixipc-mmapdb-stat/1"));
	for (int i = 0; i < FIELDS; i++)
		json_object_set_new(json, f[i].name,
				    json_integer((json_int_t)f[i].value));
	json_object_set_new(json, "is_pinned", json_boolean(stat->is_pinned));
	json_object_set_new(json, "is_failed", json_boolean(stat->is_failed));
	each_reader(database, add_reader, readers);
	if (json_object_set_new(json, "readers", readers))
		die("no memory");
	out_json(json, stdout); /* a failure is said at exit: lib/cmd/out */
}

int verb_stat(int argc, char **argv)
{
	bool is_json = false;
	const struct cli_option options[] = {
		CLI_ON("json", 0, &is_json, "Print one JSON object"), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Print what a database holds, where its space has gone, "
		       "and who reads it.\vExample: mmapdb stat mydata.db",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct database database;
	struct mmapdb_stat stat;
	int error;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	error = mmapdb_stat(database.db, &stat);
	if (error)
		database_die(&database, error, "read");
	mmapdb_abort(database.db); /* or we would be a reader ourselves */
	if (is_json)
		print_json(&database, &stat);
	else
		print_text(&database, &stat);
	database_close(&database);
	return 0;
}
