/* peer_bdb.c - Berkeley DB: a B-tree in an environment with transactions, a log
 * and locks on pages. Not durable is DB_TXN_NOSYNC. Whom its deadlock detector
 * picks, tries again. */
#include <db.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/cmd/die.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"

enum { LOCKS = 200000 }; /* a load is one transaction */

struct bdb {
	DB_ENV *env;
	DB *db;
	DB_TXN *txn;
	char value[RECORDS_VALUE];
};

static void check(int error, const char *what)
{
	if (error)
		die("bdb: %s: %s", what, db_strerror(error));
}

static void *bdb_open(const char *dir, bool is_durable)
{
	struct bdb *db = calloc(1, sizeof(*db));

	if (!db)
		die("no memory");
	check(db_env_create(&db->env, 0), "create");
	check(db->env->set_cachesize(db->env, 0, 512 << 20, 1), "cache");
	check(db->env->set_lk_detect(db->env, DB_LOCK_DEFAULT), "detect");
	check(db->env->set_lk_max_locks(db->env, LOCKS), "locks");
	check(db->env->set_lk_max_objects(db->env, LOCKS), "locks");
	if (!is_durable)
		check(db->env->set_flags(db->env, DB_TXN_NOSYNC, 1), "nosync");
	check(db->env->open(db->env, dir,
			    DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK |
				    DB_INIT_LOG | DB_INIT_MPOOL,
			    0600),
	      "open");
	check(db_create(&db->db, db->env, 0), "create");
	check(db->db->open(db->db, NULL, "records.db", NULL, DB_BTREE,
			   DB_CREATE | DB_AUTO_COMMIT, 0600),
	      "open");
	return db;
}

static void bdb_close(void *handle)
{
	struct bdb *db = handle;

	check(db->env->txn_checkpoint(db->env, 1 << 16, 0, 0), "checkpoint");
	check(db->db->close(db->db, 0), "close");
	check(db->env->close(db->env, 0), "close");
	free(db);
}

static void nothing(void *handle)
{
	(void)handle;
}

static void begin_write(void *handle)
{
	struct bdb *db = handle;

	check(db->env->txn_begin(db->env, NULL, &db->txn, 0), "begin");
}

static void commit(void *handle)
{
	struct bdb *db = handle;

	check(db->txn->commit(db->txn, 0), "commit");
}

static const void *get(void *handle, const char *key, size_t *len)
{
	struct bdb *db = handle;
	DBT k = {.data = (void *)key, .size = RECORDS_KEY};
	DBT v = {.data = db->value,
		 .ulen = RECORDS_VALUE,
		 .flags = DB_DBT_USERMEM};
	int error;

	do
		error = db->db->get(db->db, NULL, &k, &v, 0);
	while (error == DB_LOCK_DEADLOCK);
	if (error == DB_NOTFOUND)
		return NULL;
	check(error, "get");
	*len = v.size;
	return v.data;
}

/* What was put before in the same transaction would be lost by a new try: the
 * only one with several puts, the load, is alone and never asked to. */
static void put(void *handle, const char *key, const void *value)
{
	struct bdb *db = handle;
	DBT k = {.data = (void *)key, .size = RECORDS_KEY};
	DBT v = {.data = (void *)value, .size = RECORDS_VALUE};
	int error;

	while ((error = db->db->put(db->db, db->txn, &k, &v, 0)) ==
	       DB_LOCK_DEADLOCK) {
		check(db->txn->abort(db->txn), "abort");
		begin_write(db);
	}
	check(error, "put");
}

const struct peer peer_bdb = {
	.name = "Berkeley DB",
	.file = "records.db",
	.open = bdb_open,
	.close = bdb_close,
	.begin_read = nothing,
	.end_read = nothing,
	.begin_write = begin_write,
	.commit = commit,
	.get = get,
	.put = put,
};
