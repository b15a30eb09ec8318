/* LMDB, not synced, so that it promises what the others do: kill -9 and no
 * more. */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/die.h"
#include "p09-reclock/bench/engine.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader;
};

static void check(int rc, const char *what)
{
	if (rc)
		die("lmdb: %s: %s", what, mdb_strerror(rc));
}

static void *open_store(const char *path, size_t records)
{
	struct store *store = calloc(1, sizeof(*store));
	MDB_txn *txn;

	(void)records;
	if (!store)
		die("out of memory");
	check(mdb_env_create(&store->env), "create");
	check(mdb_env_set_mapsize(store->env, (size_t)4 << 30), "size");
	check(mdb_env_open(store->env, path, MDB_NOSUBDIR | MDB_NOSYNC, 0600),
	      "open");
	check(mdb_txn_begin(store->env, NULL, 0, &txn), "begin");
	check(mdb_dbi_open(txn, NULL, 0, &store->dbi), "open");
	check(mdb_txn_commit(txn), "commit");
	check(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader),
	      "begin");
	mdb_txn_reset(store->reader);
	return store;
}

static void close_store(void *arg)
{
	struct store *store = arg;

	mdb_txn_abort(store->reader);
	mdb_env_close(store->env);
	free(store);
}

static void get(void *arg, const char *key, char *value)
{
	struct store *store = arg;
	MDB_val k = {ENGINE_KEY, (void *)key}, v;

	check(mdb_txn_renew(store->reader), "renew");
	check(mdb_get(store->reader, store->dbi, &k, &v), "get");
	if (v.mv_size != ENGINE_VALUE)
		die("lmdb: get failed");
	memcpy(value, v.mv_data, ENGINE_VALUE);
	mdb_txn_reset(store->reader);
}

static void batch(void *arg, const char *const *keys, const char *const *values,
		  size_t n)
{
	struct store *store = arg;
	MDB_txn *txn;

	check(mdb_txn_begin(store->env, NULL, 0, &txn), "begin");
	for (size_t i = 0; i < n; i++) {
		MDB_val k = {ENGINE_KEY, (void *)keys[i]};
		MDB_val v = {ENGINE_VALUE, (void *)values[i]};

		check(mdb_put(txn, store->dbi, &k, &v, 0), "put");
	}
	check(mdb_txn_commit(txn), "commit");
}

static void set(void *store, const char *key, const char *value)
{
	batch(store, &key, &value, 1);
}

const struct engine engine_lmdb = {
	.name = "lmdb",
	.open = open_store,
	.close = close_store,
	.get = get,
	.set = set,
	.batch = batch,
};
