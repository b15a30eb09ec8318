#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p09-reclock/bench/engine.h"
#include "p09-reclock/reclock.h"

static void *open_store(const char *path, size_t records)
{
	const struct reclock_options options = {
		.flags = RECLOCK_CREATE,
		.record_bytes = ENGINE_KEY + ENGINE_VALUE,
		.records = (uint32_t)records,
	};
	struct reclock *store;
	int error = reclock_open(&store, path, &options, NULL);

	if (error)
		die_errno(error, "reclock: '%s'", path);
	return store;
}

static void close_store(void *store)
{
	reclock_close(store);
}

static void get(void *store, const char *key, char *value)
{
	if (reclock_get_until(store, key, ENGINE_KEY, value, ENGINE_VALUE,
			      TICK_NEVER) != ENGINE_VALUE)
		die("reclock: get failed");
}

static void set(void *store, const char *key, const char *value)
{
	int error = reclock_set_until(store, key, ENGINE_KEY, value,
				      ENGINE_VALUE, TICK_NEVER);

	if (error)
		die_errno(error, "reclock: set");
}

static void batch(void *store, const char *const *keys,
		  const char *const *values, size_t n)
{
	struct reclock_change *changes = calloc(n, sizeof(*changes));
	int error;

	if (!changes)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		changes[i] = (struct reclock_change){
			.action = RECLOCK_SET,
			.key = keys[i],
			.key_len = ENGINE_KEY,
			.value = values[i],
			.value_len = ENGINE_VALUE,
		};
	error = reclock_apply_until(store, changes, n, TICK_NEVER);
	for (size_t i = 0; i < n && !error; i++)
		error = changes[i].error;
	free(changes);
	if (error)
		die_errno(error, "reclock: batch");
}

const struct engine engine_reclock = {
	.name = "reclock",
	.open = open_store,
	.close = close_store,
	.get = get,
	.set = set,
	.batch = batch,
};
