/* peer_tdb.c - TDB: a hash table in a shared mapping, with a record lock for
 * each chain. Durable are its transactions; otherwise a put is a plain store,
 * which is its everyday use. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h> /* tdb.h needs it */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <tdb.h>

#include "lib/cmd/die.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"

enum { CHAINS = 1000003 };

struct tdb {
	struct tdb_context *db;
	bool is_durable;
	char value[RECORDS_VALUE];
	size_t len;
};

static void check(const struct tdb *tdb, int failed, const char *what)
{
	if (failed)
		die("tdb: %s: %s", what, tdb_errorstr(tdb->db));
}

static void *open_in(const char *dir, bool is_durable)
{
	struct tdb *tdb = calloc(1, sizeof(*tdb));
	char path[4096];

	if (!tdb)
		die("no memory");
	snprintf(path, sizeof(path), "%s/records.tdb", dir);
	tdb->is_durable = is_durable;
	tdb->db = tdb_open(path, CHAINS, TDB_DEFAULT, O_RDWR | O_CREAT, 0600);
	if (!tdb->db)
		die_errno(errno, "tdb: open");
	return tdb;
}

static void close_it(void *handle)
{
	struct tdb *tdb = handle;

	check(tdb, tdb_close(tdb->db), "close");
	free(tdb);
}

static void nothing(void *handle)
{
	(void)handle;
}

static void begin_write(void *handle)
{
	struct tdb *tdb = handle;

	if (tdb->is_durable)
		check(tdb, tdb_transaction_start(tdb->db), "begin");
}

static void commit(void *handle)
{
	struct tdb *tdb = handle;

	if (tdb->is_durable)
		check(tdb, tdb_transaction_commit(tdb->db), "commit");
}

static int take(TDB_DATA key, TDB_DATA data, void *handle)
{
	struct tdb *tdb = handle;

	(void)key;
	tdb->len = data.dsize;
	if (data.dsize <= sizeof(tdb->value))
		memcpy(tdb->value, data.dptr, data.dsize);
	return 0;
}

static const void *get(void *handle, const char *key, size_t *len)
{
	struct tdb *tdb = handle;
	TDB_DATA k = {(unsigned char *)key, RECORDS_KEY};

	if (tdb_parse_record(tdb->db, k, take, tdb))
		return NULL;
	*len = tdb->len;
	return tdb->value;
}

static void put(void *handle, const char *key, const void *value)
{
	struct tdb *tdb = handle;
	TDB_DATA k = {(unsigned char *)key, RECORDS_KEY};
	TDB_DATA v = {(unsigned char *)value, RECORDS_VALUE};

	check(tdb, tdb_store(tdb->db, k, v, 0), "put");
}

const struct peer peer_tdb = {
	.name = "TDB",
	.file = "records.tdb",
	.open = open_in,
	.close = close_it,
	.begin_read = nothing,
	.end_read = nothing,
	.begin_write = begin_write,
	.commit = commit,
	.get = get,
	.put = put,
};
