/* database.h - the database as every verb opens it: what fails ends the command
 * with a line. Exit statuses: 1 failed, or there is no such record; 2 usage; 3
 * another writer did not let go in time. */
#ifndef UNIXIPC_P14_MMAPDB_CMD_DATABASE_H
#define UNIXIPC_P14_MMAPDB_CMD_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cmd/cli.h"
#include "lib/tick.h"
#include "p14-mmapdb/mmapdb.h"

/* What those that write have in common. */
struct writing {
	int64_t timeout_ns;
	bool is_not_synced;
};
#define DATABASE_WRITING ((struct writing){.timeout_ns = 10 * TICK_S})
#define DATABASE_TIMEOUT(to)                                          \
	CLI_DURATION("timeout", 0, "DUR", &(to)->timeout_ns, 0,       \
		     TICK_S * 86400,                                  \
		     "How long to wait for other writers; then exit " \
		     "status 3 (default 10s)")
#define DATABASE_NO_SYNC(to)                                             \
	CLI_ON("no-sync", 0, &(to)->is_not_synced,                       \
	       "Do not wait for the disk: the change survives kill -9, " \
	       "but not yet a power cut")

struct database {
	const char *path;
	struct mmapdb *db;
};

/* Also makes a SIGBUS one line and exit status 1. */
void database_open(struct database *database, const char *path,
		   unsigned int flags);
void database_begin_read(const struct database *database);
void database_begin_write(const struct database *database,
			  const struct writing *writing);
void database_commit(const struct database *database);
/* Both transactions and the handle. */
void database_close(struct database *database);

/* "mmapdb: what FILE: why", what mmapdb_error() says included. */
_Noreturn void database_die(const struct database *database, int error,
			    const char *what);

/* The operands FILE and KEY, or more of them: wanted names all of them. */
void database_need(int operands, int wanted, const char *names);
/* A key or value of the command line or of standard input: exit status 2 when
 * it has a length that none can have. */
struct mmapdb_bytes database_key(const char *text);
void database_check_value(uint64_t len);

/* The options of those that look at a range of keys. */
struct range {
	const char *from, *to, *prefix;
};
#define DATABASE_RANGE(range)                                \
	CLI_TEXT("prefix", 0, "TEXT", &(range)->prefix,      \
		 "Only keys that begin with it"),            \
		CLI_TEXT("from", 0, "KEY", &(range)->from,   \
			 "Only keys that are not below it"), \
		CLI_TEXT("to", 0, "KEY", &(range)->to,       \
			 "Only keys that are below it")
void database_cursor(const struct database *database, const struct range *range,
		     struct mmapdb_cursor *cursor);
/* To the next record: false at the end. */
bool database_next(const struct database *database,
		   struct mmapdb_cursor *cursor);

#endif
