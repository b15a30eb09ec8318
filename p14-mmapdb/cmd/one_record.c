/* one_record.c - insert, put, get, del, exists. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "p14-mmapdb/cmd/bytes.h"
#include "p14-mmapdb/cmd/database.h"
#include "p14-mmapdb/cmd/verbs.h"

/* All of standard input, before anybody is kept waiting. */
static void read_value(struct bytes *value)
{
	char part[65536];
	ssize_t n;

	while ((n = fdio_read(STDIN_FILENO, part, sizeof(part))) > 0) {
		if (bytes_add(value, part, (size_t)n))
			die("no memory for the value");
		database_check_value(value->len);
	}
	if (n < 0)
		die_errno((int)n, "cannot read the value from standard input");
}

int verb_insert(int argc, char **argv)
{
	struct writing writing = DATABASE_WRITING;
	const struct cli_option options[] = {
		DATABASE_NO_SYNC(&writing), DATABASE_TIMEOUT(&writing), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Set the value of a key. When its line is printed, the "
		       "record survives a power cut.\vVALUE may be -: it is "
		       "read from standard input then, byte by byte as it is.\n"
		       "Example: mmapdb insert mydata.db user:1 "
		       "'{\"name\":\"Alice\"}'",
		.operands = "FILE KEY VALUE",
		.most = 3,
		.options = options,
	};
	struct mmapdb_bytes key, value;
	struct database database;
	struct bytes input = {0};
	uint64_t offset;
	int error;

	database_need(cli_parse(&command, argc, argv), 3,
		      "FILE, KEY and VALUE");
	key = database_key(argv[2]);
	value = (struct mmapdb_bytes){argv[3], strlen(argv[3])};
	database_open(&database, argv[1],
		      writing.is_not_synced ? MMAPDB_NO_SYNC : 0);
	if (!strcmp(argv[3], "-")) {
		read_value(&input);
		value = (struct mmapdb_bytes){input.len ? input.data : "",
					      input.len};
	}
	database_begin_write(&database, &writing);
	error = mmapdb_put(database.db, key, value, &offset);
	if (error)
		database_die(&database, error, "write to");
	database_commit(&database);
	database_close(&database);
	bytes_free(&input);
	printf("Inserted at offset %" PRIu64 "\n", offset);
	return 0;
}

/* Look a record up, for reading. */
static int find(struct database *database, char **argv,
		struct mmapdb_bytes *value)
{
	struct mmapdb_bytes key = database_key(argv[2]);
	int error;

	database_open(database, argv[1], MMAPDB_RDONLY);
	database_begin_read(database);
	error = mmapdb_get(database->db, key, value);
	if (error && error != -ENOENT)
		database_die(database, error, "read");
	return error;
}

int verb_get(int argc, char **argv)
{
	bool is_raw = false;
	const struct cli_option options[] = {
		CLI_ON("raw", 'r', &is_raw, "Print no newline behind it"), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Print the value of a key. Exit status 1: there is "
		       "none.\vExample: mmapdb get mydata.db user:1",
		.operands = "FILE KEY",
		.most = 2,
		.options = options,
	};
	struct mmapdb_bytes value;
	struct database database;

	database_need(cli_parse(&command, argc, argv), 2, "FILE and KEY");
	if (find(&database, argv, &value))
		die("there is no record '%s' in %s", argv[2], argv[1]);
	fwrite(value.data, 1, value.len, stdout);
	if (!is_raw)
		putchar('\n');
	fflush(stdout); /* while what it holds is mapped */
	database_close(&database);
	return 0;
}

int verb_exists(int argc, char **argv)
{
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Say by the exit status whether a key has a value: 0, or "
		       "1.\vExample: mmapdb exists mydata.db user:1",
		.operands = "FILE KEY",
		.most = 2,
	};
	struct mmapdb_bytes value;
	struct database database;
	int error;

	database_need(cli_parse(&command, argc, argv), 2, "FILE and KEY");
	error = find(&database, argv, &value);
	database_close(&database);
	return error ? DIE_FAILURE : 0;
}

int verb_del(int argc, char **argv)
{
	struct writing writing = DATABASE_WRITING;
	const struct cli_option options[] = {
		DATABASE_NO_SYNC(&writing), DATABASE_TIMEOUT(&writing), {0}};
	const struct cli_command command = {
		.word = argv[0],
		.doc = "Remove a key and its value. Exit status 1: there is "
		       "none.\vExample: mmapdb del mydata.db user:1",
		.operands = "FILE KEY",
		.most = 2,
		.options = options,
	};
	struct mmapdb_bytes key;
	struct database database;
	int error;

	database_need(cli_parse(&command, argc, argv), 2, "FILE and KEY");
	key = database_key(argv[2]);
	database_open(&database, argv[1],
		      writing.is_not_synced ? MMAPDB_NO_SYNC : 0);
	database_begin_write(&database, &writing);
	error = mmapdb_del(database.db, key);
	if (error == -ENOENT)
		die("there is no record '%s' in %s", argv[2], argv[1]);
	if (error)
		database_die(&database, error, "write to");
	database_commit(&database);
	database_close(&database);
	return 0;
}
