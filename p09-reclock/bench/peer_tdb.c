/* TDB, as its users open it for data that stays. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <tdb.h>

#include "lib/cmd/die.h"
#include "p09-reclock/bench/engine.h"

static TDB_DATA data(const char *bytes, size_t len)
{
	return (TDB_DATA){.dptr = (unsigned char *)bytes, .dsize = len};
}

static void *open_store(const char *path, size_t records)
{
	TDB_CONTEXT *tdb = tdb_open(path, (int)(records / 4 * 5), TDB_DEFAULT,
				    O_RDWR | O_CREAT, 0600);

	if (!tdb)
		die("tdb: cannot open '%s'", path);
	return tdb;
}

static void close_store(void *store)
{
	tdb_close(store);
}

static int take(TDB_DATA key, TDB_DATA value, void *to)
{
	(void)key;
	if (value.dsize != ENGINE_VALUE)
		return -1;
	memcpy(to, value.dptr, ENGINE_VALUE);
	return 0;
}

/* Not tdb_fetch(), which allocates. */
static void get(void *store, const char *key, char *value)
{
	if (tdb_parse_record(store, data(key, ENGINE_KEY), take, value))
		die("tdb: get failed");
}

static void set(void *store, const char *key, const char *value)
{
	if (tdb_store(store, data(key, ENGINE_KEY), data(value, ENGINE_VALUE),
		      0))
		die("tdb: %s", tdb_errorstr(store));
}

static void batch(void *store, const char *const *keys,
		  const char *const *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set(store, keys[i], values[i]);
}

const struct engine engine_tdb = {
	.name = "tdb",
	.open = open_store,
	.close = close_store,
	.get = get,
	.set = set,
	.batch = batch,
};
