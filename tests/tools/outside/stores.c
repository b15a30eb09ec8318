/* A record in either store, by what is installed; as C and as C++. */
#include <stdio.h>
#include <string.h>

#include "lib/tick.h"
#include "p09-reclock/reclock.h"
#include "p14-mmapdb/mmapdb.h"

static int keep_in_kvstore(const char *path)
{
	struct reclock_options options = {RECLOCK_CREATE, 0, 0};
	struct reclock *store;
	char value[16] = "";

	if (reclock_open(&store, path, &options, NULL) ||
	    reclock_set_until(store, "key", 3, "kvstore", 7,
			      tick_after(TICK_S)))
		return 1;
	reclock_get_until(store, "key", 3, value, sizeof(value), TICK_NEVER);
	reclock_close(store);
	return puts(value) < 0;
}

static int keep_in_mmapdb(const char *path)
{
	struct mmapdb_bytes key = {"key", 3}, value = {"mmapdb", 6};
	struct mmapdb *db;

	if (mmapdb_create(path, 0, 0, 0600) || mmapdb_open(path, 0, &db) ||
	    mmapdb_begin_write(db, tick_after(TICK_S)) ||
	    mmapdb_put(db, key, value, NULL) || mmapdb_commit(db) ||
	    mmapdb_begin_read(db) || mmapdb_get(db, key, &value))
		return 1;
	printf("%.*s\n", (int)value.len, (const char *)value.data);
	mmapdb_close(db);
	return 0;
}

int main(int argc, char **argv)
{
	return argc < 3 || keep_in_kvstore(argv[1]) || keep_in_mmapdb(argv[2]);
}
