/* fixture.h - a store in a folder of its own. */
#ifndef UNIXIPC_TESTS_P09_FIXTURE_H
#define UNIXIPC_TESTS_P09_FIXTURE_H

#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p09-reclock/reclock.h"
#include "tests/support/scratch.h"

struct fixture {
	struct scratch scratch;
	char path[256];
};

/* Ends a hang and nothing else. */
static inline int64_t fixture_deadline(void)
{
	return tick_after(30 * TICK_S);
}

static inline void fixture_make(struct fixture *f)
{
	scratch_make(&f->scratch);
	strcpy(f->path, scratch_path(&f->scratch, "store.db"));
}

static inline void fixture_remove(struct fixture *f)
{
	scratch_remove(&f->scratch);
}

/* NULL when it fails: in children nothing is asserted. */
static inline struct reclock *fixture_try_open(const struct fixture *f,
					       unsigned int flags)
{
	const struct reclock_options options = {
		.flags = flags,
		.record_bytes = 64,
	};
	struct reclock *store;

	return reclock_open(&store, f->path, &options, NULL) ? NULL : store;
}

static inline struct reclock *fixture_open(const struct fixture *f,
					   unsigned int flags)
{
	struct reclock *store = fixture_try_open(f, flags);

	assert_non_null(store);
	return store;
}

static inline int fixture_set(struct reclock *store, const char *key,
			      const char *value)
{
	return reclock_set_until(store, key, strlen(key), value, strlen(value),
				 fixture_deadline());
}

static inline int fixture_del(struct reclock *store, const char *key)
{
	return reclock_del_until(store, key, strlen(key), fixture_deadline());
}

/* The value as a string, "-" for none, "!ERROR" otherwise; good until the next
 * call. */
static inline const char *fixture_get(struct reclock *store, const char *key)
{
	static char value[128];
	ssize_t n = reclock_get_until(store, key, strlen(key), value,
				      sizeof(value) - 1, fixture_deadline());

	if (n >= 0)
		value[n] = '\0';
	else if (n == -ENOENT)
		strcpy(value, "-");
	else
		snprintf(value, sizeof(value), "!%zd", n);
	return value;
}

static inline int fixture_lock(struct reclock *store, const char *key,
			       int64_t deadline)
{
	return reclock_lock_until(store, key, strlen(key), deadline);
}

static inline int fixture_unlock(struct reclock *store, const char *key)
{
	return reclock_unlock(store, key, strlen(key));
}

/* A key, of the form PREFIXn, whose lock is not that of any of n others. */
static inline void fixture_choose_key(const struct reclock *store,
				      char (*keys)[16], unsigned int n)
{
	for (unsigned int number = 0;; number++) {
		unsigned int i = 0;

		snprintf(keys[n], sizeof(keys[n]), "key%u", number);
		while (i < n &&
		       reclock_lock_byte(store, keys[i], strlen(keys[i])) !=
			       reclock_lock_byte(store, keys[n],
						 strlen(keys[n])))
			i++;
		if (i == n)
			return;
	}
}

#endif
