/* P09: records under record locks, read without any. */
#include "lib/tick.h"
#include "p09-reclock/reclock.h"
#include "suite/storage/store.h"

static int fill(const struct store_site *site)
{
	const struct reclock_options options = {.flags = RECLOCK_CREATE,
						.record_bytes =
							STORE_KEY + STORE_VALUE,
						.records = STORE_RECORDS};
	struct reclock *store;
	int error = reclock_open(&store, site->path, &options, NULL);

	if (error)
		return error;
	for (uint32_t i = 0; i < STORE_RECORDS && !error; i++) {
		char key[STORE_KEY], value[STORE_VALUE];

		store_key(i, key);
		store_value(i, 0, value);
		error = reclock_set_until(store, key, sizeof(key), value,
					  sizeof(value), TICK_NEVER);
	}
	reclock_close(store);
	return error;
}

static int create_plain(void **state, int members)
{
	(void)members;
	return store_create(state, 0, fill);
}

static int create_durable(void **state, int members)
{
	(void)members;
	return store_create(state, RECLOCK_SYNC, fill);
}

/* The member's own handle, opened when it first asks. */
static int ensure_open(struct store_site *site, struct reclock **store)
{
	const struct reclock_options options = {.flags = site->flags};
	int error = 0;

	*store = site->handle;
	if (!*store)
		error = reclock_open(store, site->path, &options, NULL);
	if (!error)
		site->handle = *store;
	return error;
}

static int get(void *state)
{
	uint32_t record = store_draw(state);
	char key[STORE_KEY], value[STORE_VALUE];
	struct reclock *store;
	int error = ensure_open(state, &store);
	ssize_t len;

	if (error)
		return error;
	store_key(record, key);
	len = reclock_get_until(store, key, sizeof(key), value, sizeof(value),
				TICK_NEVER);
	return len < 0 ? (int)len : store_check(record, value, (size_t)len);
}

static int set(void *state)
{
	struct store_site *site = state;
	uint32_t record = store_draw(site);
	char key[STORE_KEY], value[STORE_VALUE];
	struct reclock *store;
	int error = ensure_open(site, &store);

	if (error)
		return error;
	store_key(record, key);
	store_value(record, ++site->writings, value);
	return reclock_set_until(store, key, sizeof(key), value, sizeof(value),
				 TICK_NEVER);
}

const struct store store_kvstore = {
	.name = "kvstore",
	.title = "Records under fcntl locks",
	.summary =
		"keys at random; a get takes no lock, a set those of 16 records",
	.most = "32KB",
};

const struct syncop store_kvstore_get = {
	.name = "kvstore get",
	.title = "kvstore get",
	.is_apart = true,
	.create = create_plain,
	.enter = get,
	.destroy = store_destroy,
};

const struct syncop store_kvstore_set = {
	.name = "kvstore set",
	.title = "kvstore set",
	.is_apart = true,
	.create = create_plain,
	.enter = set,
	.destroy = store_destroy,
};

const struct syncop store_kvstore_set_durable = {
	.name = "kvstore set durable",
	.title = "kvstore set, durable",
	.is_apart = true,
	.create = create_durable,
	.enter = set,
	.destroy = store_destroy,
};
