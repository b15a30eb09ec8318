/* peer_lmdb.c - LMDB: a copy-on-write B+tree, read through a mapping. Durable is
 * its default; otherwise MDB_NOSYNC. Readers renew one transaction, as its
 * documentation advises. */
#include <lmdb.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"

struct lmdb {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader; /* reset between transactions */
	MDB_txn *txn;    /* of the running one */
};

static void check(int error, const char *what)
{
	if (error)
		die("lmdb: %s: %s", what, mdb_strerror(error));
}

static void *lmdb_open(const char *dir, bool is_durable)
{
	struct lmdb *db = calloc(1, sizeof(*db));
	MDB_txn *txn;

	if (!db)
		die("no memory");
	check(mdb_env_create(&db->env), "create");
	check(mdb_env_set_mapsize(db->env, (size_t)8 << 30), "map size");
	check(mdb_env_open(db->env, dir, is_durable ? 0 : MDB_NOSYNC, 0600),
	      "open");
	check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn), "begin");
	check(mdb_dbi_open(txn, NULL, 0, &db->dbi), "open");
	check(mdb_txn_commit(txn), "commit");
	check(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->reader), "begin");
	mdb_txn_reset(db->reader);
	return db;
}

static void lmdb_close(void *handle)
{
	struct lmdb *db = handle;

	mdb_txn_abort(db->reader);
	mdb_env_close(db->env);
	free(db);
}

static void begin_read(void *handle)
{
	struct lmdb *db = handle;

	check(mdb_txn_renew(db->reader), "renew");
	db->txn = db->reader;
}

static void end_read(void *handle)
{
	struct lmdb *db = handle;

	mdb_txn_reset(db->reader);
}

static void begin_write(void *handle)
{
	struct lmdb *db = handle;

	check(mdb_txn_begin(db->env, NULL, 0, &db->txn), "begin");
}

static void commit(void *handle)
{
	struct lmdb *db = handle;

	check(mdb_txn_commit(db->txn), "commit");
}

static const void *get(void *handle, const char *key, size_t *len)
{
	struct lmdb *db = handle;
	MDB_val k = {RECORDS_KEY, (void *)key}, v;
	int error = mdb_get(db->txn, db->dbi, &k, &v);

	if (error == MDB_NOTFOUND)
		return NULL;
	check(error, "get");
	*len = v.mv_size;
	return v.mv_data;
}

static void put(void *handle, const char *key, const void *value)
{
	struct lmdb *db = handle;
	MDB_val k = {RECORDS_KEY, (void *)key};
	MDB_val v = {RECORDS_VALUE, (void *)value};

	check(mdb_put(db->txn, db->dbi, &k, &v, 0), "put");
}

const struct peer peer_lmdb = {
	.name = "LMDB",
	.file = "data.mdb",
	.open = lmdb_open,
	.close = lmdb_close,
	.begin_read = begin_read,
	.end_read = end_read,
	.begin_write = begin_write,
	.commit = commit,
	.get = get,
	.put = put,
};
