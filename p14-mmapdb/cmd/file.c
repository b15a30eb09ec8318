/* file.c - create, check, compact, backup. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "p14-mmapdb/cmd/database.h"
#include "p14-mmapdb/cmd/verbs.h"

enum { SIZE_BITS = 42 }; /* 4 TB */

struct sizes {
	const char *size_text, *max_text;
	uint64_t size, max;
};

static void take_size(const char *text, void *arg)
{
	struct sizes *sizes = arg;

	sizes->size_text = text;
	sizes->size = cli_size("--size", text, 1, UINT64_C(1) << SIZE_BITS);
}

int verb_create(int argc, char **argv)
{
	struct sizes sizes = {.size_text = "2MB", .size = 2 << 20};
	unsigned int mode = 0600;
	const struct cli_option options[] = {
		CLI_CALL("size", 0, "SIZE", take_size, &sizes,
			 "Where the file starts, and no limit: it grows by "
			 "itself (default 2MB, at least 1088KB)"),
		CLI_SIZE("max-size", 0, "SIZE", &sizes.max, MMAPDB_LEAST,
			 UINT64_C(1) << SIZE_BITS,
			 "It never grows beyond that, 1088KB or more (default: "
			 "no limit)"),
		CLI_MODE("mode", 0, "MODE", &mode, 0600,
			 "Who may read and write it (default 0600)"),
		{0},
	};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Make an empty database. FILE must not be there yet.\v"
		       "Example: mmapdb create mydata.db --size=100MB",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	int error;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	if (sizes.max && sizes.size > sizes.max)
		die_usage("--size=%s: more than --max-size", sizes.size_text);
	error = mmapdb_create(argv[1], sizes.size, sizes.max, (mode_t)mode);
	if (error)
		die_errno(error, "cannot create %s", argv[1]);
	printf("Database created: %s (%s)\n", argv[1], sizes.size_text);
	return 0;
}

int verb_check(int argc, char **argv)
{
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Read all of a database and check it. Exit status 1, and "
		       "the first thing that is wrong, if it is damaged."
		       "\vExample: mmapdb check mydata.db",
		.operands = "FILE",
		.most = 1,
	};
	struct database database;
	struct mmapdb_fault fault;
	struct mmapdb_stat stat;
	int error;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	error = mmapdb_check(database.db, &fault);
	if (error == -EBADMSG)
		die("%s is damaged: page %" PRIu64 ": %s", argv[1], fault.page,
		    fault.what);
	if (!error)
		error = mmapdb_stat(database.db, &stat);
	if (error)
		database_die(&database, error, "check");
	printf("%s is whole: %" PRIu64 " records in %" PRIu64 " pages\n",
	       argv[1], stat.records,
	       stat.branch_pages + stat.leaf_pages + stat.overflow_pages);
	database_close(&database);
	return 0;
}

static uint64_t size_of(const struct database *database)
{
	struct mmapdb_stat stat;
	int error;

	database_begin_read(database);
	error = mmapdb_stat(database->db, &stat);
	if (error)
		database_die(database, error, "read");
	mmapdb_abort(database->db);
	return stat.file_bytes;
}

int verb_compact(int argc, char **argv)
{
	struct writing writing = DATABASE_WRITING;
	const struct cli_option options[] = {DATABASE_TIMEOUT(&writing), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Write a database anew, without its free space, in the "
		       "place of the old one. Others read on meanwhile, and "
		       "writers wait.\vExample: mmapdb compact mydata.db",
		.operands = "FILE",
		.most = 1,
		.options = options,
	};
	struct database database;
	uint64_t before;
	int error;

	database_need(cli_parse(&command, argc, argv), 1, "a FILE");
	database_open(&database, argv[1], 0);
	before = size_of(&database);
	error = mmapdb_compact(database.db, tick_after(writing.timeout_ns));
	if (error)
		database_die(&database, error, "compact");
	printf("Compacted: %" PRIu64 " KB, and %" PRIu64 " KB before\n",
	       size_of(&database) >> 10, before >> 10);
	database_close(&database);
	return 0;
}

int verb_backup(int argc, char **argv)
{
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Copy a database as it is at this moment to a new file, "
		       "while others go on writing. When the line is printed, "
		       "the copy survives a power cut.\vExample: mmapdb backup "
		       "mydata.db mydata.backup",
		.operands = "FILE COPY",
		.most = 2,
	};
	struct database database;
	struct mmapdb_stat stat;
	int error;

	database_need(cli_parse(&command, argc, argv), 2, "FILE and COPY");
	database_open(&database, argv[1], MMAPDB_RDONLY);
	database_begin_read(&database);
	error = mmapdb_stat(database.db, &stat);
	if (error)
		database_die(&database, error, "read");
	error = mmapdb_backup(database.db, argv[2]);
	if (error == -EEXIST)
		die("cannot make %s: there is such a file already", argv[2]);
	if (error)
		database_die(&database, error, "copy");
	printf("Backup: %s, %" PRIu64 " records\n", argv[2], stat.records);
	database_close(&database);
	return 0;
}
