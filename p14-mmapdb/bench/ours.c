/* ours.c - the database of this chapter, as peer.h wants it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"
#include "p14-mmapdb/mmapdb.h"

static void check(struct mmapdb *db, int error, const char *what)
{
	if (error)
		die_errno(error, "mmapdb: %s: %s", what,
			  db ? mmapdb_error(db) : "");
}

static void *ours_open(const char *dir, bool is_durable)
{
	struct mmapdb *db = NULL;
	char path[4096];
	int error;

	snprintf(path, sizeof(path), "%s/ours.db", dir);
	error = mmapdb_create(path, 0, 0, 0600);
	if (error && error != -EEXIST)
		check(NULL, error, "create");
	check(NULL, mmapdb_open(path, is_durable ? 0 : MMAPDB_NO_SYNC, &db),
	      "open");
	return db;
}

static void ours_close(void *handle)
{
	mmapdb_close(handle);
}

static void begin_read(void *handle)
{
	check(handle, mmapdb_begin_read(handle), "begin");
}

static void end_read(void *handle)
{
	mmapdb_abort(handle);
}

static void begin_write(void *handle)
{
	check(handle, mmapdb_begin_write(handle, tick_after(60 * TICK_S)),
	      "begin");
}

static void commit(void *handle)
{
	check(handle, mmapdb_commit(handle), "commit");
}

static const void *get(void *handle, const char *key, size_t *len)
{
	struct mmapdb_bytes value;
	int error = mmapdb_get(handle, (struct mmapdb_bytes){key, RECORDS_KEY},
			       &value);

	if (error == -ENOENT)
		return NULL;
	check(handle, error, "get");
	*len = value.len;
	return value.data;
}

static void put(void *handle, const char *key, const void *value)
{
	check(handle,
	      mmapdb_put(handle, (struct mmapdb_bytes){key, RECORDS_KEY},
			 (struct mmapdb_bytes){value, RECORDS_VALUE}, NULL),
	      "put");
}

const struct peer peer_ours = {
	.name = "mmapdb",
	.file = "ours.db",
	.open = ours_open,
	.close = ours_close,
	.begin_read = begin_read,
	.end_read = end_read,
	.begin_write = begin_write,
	.commit = commit,
	.get = get,
	.put = put,
};
