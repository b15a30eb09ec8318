/* peer_sqlite.c - SQLite: a B-tree with a write-ahead log. Durable is
 * synchronous=FULL; otherwise OFF. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"

enum statement { BEGIN, BEGIN_WRITE, COMMIT, GET, PUT, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[BEGIN] = "begin",
	[BEGIN_WRITE] = "begin immediate",
	[COMMIT] = "commit",
	[GET] = "select value from records where key = ?",
	[PUT] = "insert or replace into records values(?, ?)",
};

struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *statement[STATEMENTS];
};

static void check(const struct sqlite *db, int error, const char *what)
{
	if (error != SQLITE_OK && error != SQLITE_DONE && error != SQLITE_ROW)
		die("sqlite: %s: %s", what, sqlite3_errmsg(db->db));
}

static void execute(const struct sqlite *db, const char *text)
{
	check(db, sqlite3_exec(db->db, text, NULL, NULL, NULL), text);
}

static void *sqlite_open(const char *dir, bool is_durable)
{
	struct sqlite *db = calloc(1, sizeof(*db));
	char path[4096];

	if (!db)
		die("no memory");
	snprintf(path, sizeof(path), "%s/sqlite.db", dir);
	check(db, sqlite3_open(path, &db->db), "open");
	sqlite3_busy_timeout(db->db, 60000);
	execute(db, "pragma journal_mode = wal");
	execute(db, is_durable ? "pragma synchronous = full"
			       : "pragma synchronous = off");
	execute(db, "pragma mmap_size = 1073741824");
	execute(db, "create table if not exists records"
		    "(key blob primary key, value blob) without rowid");
	for (int i = 0; i < STATEMENTS; i++)
		check(db,
		      sqlite3_prepare_v2(db->db, sql[i], -1, &db->statement[i],
					 NULL),
		      sql[i]);
	return db;
}

static void sqlite_close(void *handle)
{
	struct sqlite *db = handle;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(db->statement[i]);
	check(db, sqlite3_close(db->db), "close");
	free(db);
}

static void run(void *handle, enum statement which)
{
	struct sqlite *db = handle;

	check(db, sqlite3_step(db->statement[which]), sql[which]);
	sqlite3_reset(db->statement[which]);
}

static void begin_read(void *handle)
{
	run(handle, BEGIN);
}

/* A row that was asked for lies in the statement, which must let it go. */
static void end_read(void *handle)
{
	struct sqlite *db = handle;

	sqlite3_reset(db->statement[GET]);
	run(handle, COMMIT);
}

static void begin_write(void *handle)
{
	run(handle, BEGIN_WRITE);
}

static void commit(void *handle)
{
	run(handle, COMMIT);
}

static const void *get(void *handle, const char *key, size_t *len)
{
	struct sqlite *db = handle;
	sqlite3_stmt *s = db->statement[GET];
	int error;

	sqlite3_reset(s);
	sqlite3_bind_blob(s, 1, key, RECORDS_KEY, SQLITE_STATIC);
	error = sqlite3_step(s);
	check(db, error, "get");
	if (error != SQLITE_ROW)
		return NULL;
	*len = (size_t)sqlite3_column_bytes(s, 0);
	return sqlite3_column_blob(s, 0);
}

static void put(void *handle, const char *key, const void *value)
{
	struct sqlite *db = handle;
	sqlite3_stmt *s = db->statement[PUT];

	sqlite3_bind_blob(s, 1, key, RECORDS_KEY, SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, value, RECORDS_VALUE, SQLITE_STATIC);
	run(handle, PUT);
}

const struct peer peer_sqlite = {
	.name = "SQLite",
	.file = "sqlite.db",
	.open = sqlite_open,
	.close = sqlite_close,
	.begin_read = begin_read,
	.end_read = end_read,
	.begin_write = begin_write,
	.commit = commit,
	.get = get,
	.put = put,
};
