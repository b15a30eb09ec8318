/* base.h - a database in a scratch folder, and the shortest ways to use one. */
#ifndef UNIXIPC_TESTS_P14_BASE_H
#define UNIXIPC_TESTS_P14_BASE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/tick.h"
#include "p14-mmapdb/mmapdb.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

#define PATIENCE (60 * TICK_S)

struct base {
	struct scratch scratch;
	char path[256];
	struct mmapdb *db;
};

static inline struct mmapdb *base_open(const struct base *base,
				       unsigned int flags)
{
	struct mmapdb *db;

	assert_int_equal(mmapdb_open(base->path, flags, &db), 0);
	return db;
}

static inline void base_make(struct base *base, unsigned int flags)
{
	scratch_make(&base->scratch);
	snprintf(base->path, sizeof(base->path), "%s",
		 scratch_path(&base->scratch, "test.db"));
	assert_int_equal(mmapdb_create(base->path, 0, 0, 0600), 0);
	base->db = base_open(base, flags);
}

static inline void base_remove(struct base *base)
{
	mmapdb_close(base->db);
	scratch_remove(&base->scratch);
}

static inline struct mmapdb_bytes text(const char *string)
{
	return (struct mmapdb_bytes){string, strlen(string)};
}

static inline void must(struct mmapdb *db, int error)
{
	if (error)
		fail_msg("%s (%s)", strerror(-error), mmapdb_error(db));
}

static inline void put(struct mmapdb *db, const char *key, const char *value)
{
	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	must(db, mmapdb_put(db, text(key), text(value), NULL));
	must(db, mmapdb_commit(db));
}

static inline void assert_in_transaction(struct mmapdb *db, const char *key,
					 const char *value)
{
	struct mmapdb_bytes found;
	int error = mmapdb_get(db, text(key), &found);

	if (!value) {
		assert_int_equal(error, -ENOENT);
		return;
	}
	must(db, error);
	assert_int_equal(found.len, strlen(value));
	assert_memory_equal(found.data, value, found.len);
}

/* The value of key, or NULL: there is none. */
static inline void assert_value(struct mmapdb *db, const char *key,
				const char *value)
{
	must(db, mmapdb_begin_read(db));
	assert_in_transaction(db, key, value);
	mmapdb_abort(db);
}

#endif
