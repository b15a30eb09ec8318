/* P14: a copy-on-write tree in a mapped file. */
#include "lib/tick.h"
#include "p14-mmapdb/mmapdb.h"
#include "suite/storage/store.h"

static int put(struct mmapdb *db, uint32_t record, uint32_t writing)
{
	char key[STORE_KEY], value[STORE_VALUE];

	store_key(record, key);
	store_value(record, writing, value);
	return mmapdb_put(db, (struct mmapdb_bytes){key, sizeof(key)},
			  (struct mmapdb_bytes){value, sizeof(value)}, NULL);
}

static int fill(const struct store_site *site)
{
	struct mmapdb *db;
	int error = mmapdb_create(site->path, 0, 0, 0600);

	if (!error)
		error = mmapdb_open(site->path, 0, &db);
	if (error)
		return error;
	error = mmapdb_begin_write(db, TICK_NEVER);
	for (uint32_t i = 0; i < STORE_RECORDS && !error; i++)
		error = put(db, i, 0);
	if (!error)
		error = mmapdb_commit(db);
	mmapdb_close(db);
	return error;
}

static int create_plain(void **state, int members)
{
	(void)members;
	return store_create(state, MMAPDB_NO_SYNC, fill);
}

static int create_durable(void **state, int members)
{
	(void)members;
	return store_create(state, 0, fill);
}

/* The member's own handle, opened when it first asks. */
static int ensure_open(struct store_site *site, struct mmapdb **db)
{
	int error = 0;

	*db = site->handle;
	if (!*db)
		error = mmapdb_open(site->path, site->flags, db);
	if (!error)
		site->handle = *db;
	return error;
}

static int read_one(void *state)
{
	uint32_t record = store_draw(state);
	struct mmapdb_bytes value;
	char key[STORE_KEY];
	struct mmapdb *db;
	int error = ensure_open(state, &db);

	if (!error)
		error = mmapdb_begin_read(db);
	if (error)
		return error;
	store_key(record, key);
	error = mmapdb_get(db, (struct mmapdb_bytes){key, sizeof(key)}, &value);
	if (!error)
		error = store_check(record, value.data, value.len);
	mmapdb_abort(db);
	return error;
}

static int write_one(void *state)
{
	struct store_site *site = state;
	struct mmapdb *db;
	int error = ensure_open(site, &db);

	if (!error)
		error = mmapdb_begin_write(db, TICK_NEVER);
	if (!error)
		error = put(db, store_draw(site), ++site->writings);
	return error ? error : mmapdb_commit(db);
}

const struct store store_mmapdb = {
	.name = "mmapdb",
	.title = "Database in a mapped file",
	.summary = "keys in order, several changes as one, snapshots to read",
	.most = "16MB",
};

const struct syncop store_mmapdb_get = {
	.name = "mmapdb get",
	.title = "mmapdb get",
	.is_apart = true,
	.create = create_plain,
	.enter = read_one,
	.destroy = store_destroy,
};

const struct syncop store_mmapdb_put = {
	.name = "mmapdb put",
	.title = "mmapdb put",
	.is_apart = true,
	.create = create_plain,
	.enter = write_one,
	.destroy = store_destroy,
};

const struct syncop store_mmapdb_put_durable = {
	.name = "mmapdb put durable",
	.title = "mmapdb put, durable",
	.is_apart = true,
	.create = create_durable,
	.enter = write_one,
	.destroy = store_destroy,
};
