/* many_records.c - count, list, export. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/cmd/die.h"
#include "lib/cmd/progress.h"
#include "p14-mmapdb/cmd/database.h"
#include "p14-mmapdb/cmd/rows.h"
#include "p14-mmapdb/cmd/verbs.h"

static bool is_whole(const struct range *range)
{
	return !range->from && !range->to && !range->prefix;
}

static uint64_t count_all(const struct database *database)
{
	struct mmapdb_stat stat;
	int error = mmapdb_stat(database->db, &stat);

	if (error)
		database_die(database, error, "read");
	return stat.records;
}

int verb_count(int argc, char **argv)
{
	struct range range = {0};
	const struct cli_option options[] = {DATABASE_RANGE(&range), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Print how many records there are.\vExample: mmapdb "
		       "count mydata.db --prefix=user:",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct mmapdb_cursor cursor;
	struct database database;
	uint64_t n = 0;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	if (is_whole(&range)) {
		n = count_all(&database);
	} else {
		database_cursor(&database, &range, &cursor);
		while (database_next(&database, &cursor))
			n++;
	}
	database_close(&database);
	printf("%" PRIu64 "\n", n);
	return 0;
}

/* ---- list ----------------------------------------------------------------- */

static const char *or_empty(const void *data)
{
	return data ? data : "";
}

/* A closed reader or a full disk ends the work now; what is wrong is said at
 * exit. */
static bool can_print(void)
{
	return !ferror(stdout);
}

static void print_line(const struct mmapdb_cursor *cursor, bool is_key_alone)
{
	bytes_print_escaped(cursor->key.data, cursor->key.len, stdout);
	if (!is_key_alone) {
		putchar('\t');
		bytes_print_escaped(cursor->value.data, cursor->value.len,
				    stdout);
	}
	putchar('\n');
}

static void print_json(const struct mmapdb_cursor *cursor, bool is_key_alone,
		       bool is_first)
{
	fputs(is_first ? "\n    " : ",\n    ", stdout);
	if (rows_print_json(cursor->key.data, cursor->key.len,
			    is_key_alone ? NULL : or_empty(cursor->value.data),
			    cursor->value.len, stdout))
		die("no memory");
}

int verb_list(int argc, char **argv)
{
	bool is_json = false, is_key_alone = false;
	struct range range = {0};
	uint64_t limit = UINT64_MAX, n = 0;
	const struct cli_option options[] = {
		DATABASE_RANGE(&range),
		CLI_COUNT("limit", 0, "N", &limit, 0, UINT64_MAX,
			  "Print N records at most"),
		CLI_ON("keys-only", 0, &is_key_alone, "Print no values"),
		CLI_ON("json", 0, &is_json, "Print one JSON object"),
		{0},
	};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Print records in the order of their keys: a line each, "
		       "with a tab between key and value, in which control "
		       "characters and backslashes are escaped (\\t \\n \\r "
		       "\\\\ \\xNN).\vExample: mmapdb list mydata.db "
		       "--prefix=user: --limit=10",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct mmapdb_cursor cursor;
	struct database database;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	database_cursor(&database, &range, &cursor);
	if (is_json)
		fputs("{\n  \"schema\": \"unixipc-mmapdb-list/1\",\n"
		      "  \"records\": [",
		      stdout);
	for (; n < limit && can_print() && database_next(&database, &cursor);
	     n++)
		if (is_json)
			print_json(&cursor, is_key_alone, n == 0);
		else
			print_line(&cursor, is_key_alone);
	if (is_json)
		printf("%s]\n}\n", n ? "\n  " : "");
	fflush(stdout);
	database_close(&database);
	return 0;
}

/* ---- export ---------------------------------------------------------------- */

int verb_export(int argc, char **argv)
{
	static const char *const formats[] = {"json", "csv", NULL};
	enum rows_format format = ROWS_JSON;
	struct range range = {0};
	const struct cli_option options[] = {
		DATABASE_RANGE(&range),
		CLI_WORD("format", 0, "FORMAT", &format, formats,
			 "json: an object a line (the default); csv: with the "
			 "header key,value"),
		{0},
	};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Print all records, exactly, for 'mmapdb import'. All "
		       "are of one moment, whatever is written meanwhile."
		       "\vExample: mmapdb export mydata.db >mydata.jsonl",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct mmapdb_cursor cursor;
	struct database database;
	struct progress progress;
	uint64_t n = 0;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	database_cursor(&database, &range, &cursor);
	progress_start(&progress, is_whole(&range) ? count_all(&database) : 0);
	rows_print_header(format, stdout);
	while (can_print() && database_next(&database, &cursor)) {
		if (rows_print(format, cursor.key.data, cursor.key.len,
			       or_empty(cursor.value.data), cursor.value.len,
			       stdout))
			die("no memory");
		if (++n % 1024 == 0)
			progress_update(&progress, n, "exporting");
	}
	progress_end(&progress);
	fflush(stdout);
	database_close(&database);
	return 0;
}
