#include "suite/storage/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct store *const store_table[] = {
	&store_kvstore,
	&store_mmapdb,
	&store_kv,
	NULL,
};

const struct syncop *const store_ops[] = {
	&store_kvstore_get, &store_kvstore_set,    &store_kvstore_set_durable,
	&store_mmapdb_get,  &store_mmapdb_put,     &store_mmapdb_put_durable,
	&store_kv_get,      &store_kv_put_durable, NULL,
};

void store_destroy(void *state)
{
	struct store_site *site = state;
	char beside[sizeof(site->path) + 8];

	/* And what P14 keeps beside it. */
	snprintf(beside, sizeof(beside), "%s-lock", site->path);
	unlink(beside);
	unlink(site->path);
	rmdir(site->folder);
	free(site);
}

int store_make_folder(struct store_site *site)
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(site->folder, sizeof(site->folder), "%s/ipc_suite.XXXXXX",
		     tmp && *tmp ? tmp : "/var/tmp") >=
	    (int)sizeof(site->folder))
		return -ENAMETOOLONG;
	return mkdtemp(site->folder) ? 0 : -errno;
}

int store_create(void **state, unsigned int flags,
		 int (*fill)(const struct store_site *site))
{
	struct store_site *site = calloc(1, sizeof(*site));
	int error;

	if (!site)
		return -ENOMEM;
	site->flags = flags;
	error = store_make_folder(site);
	if (error) {
		free(site);
		return error;
	}
	snprintf(site->path, sizeof(site->path), "%s/store.db", site->folder);
	error = fill(site);
	if (error)
		store_destroy(site);
	else
		*state = site;
	return error;
}

uint32_t store_draw(struct store_site *site)
{
	if (!site->is_seeded) {
		rng_seed(&site->rng, (uint64_t)getpid());
		site->is_seeded = 1;
	}
	return (uint32_t)rng_below(&site->rng, STORE_RECORDS);
}

void store_key(uint32_t record, char key[STORE_KEY])
{
	char text[STORE_KEY + 1];

	snprintf(text, sizeof(text), "key:%012u", record);
	memcpy(key, text, STORE_KEY);
}

void store_value(uint32_t record, uint32_t writing, char value[STORE_VALUE])
{
	uint32_t words[STORE_VALUE / sizeof(uint32_t)];

	words[0] = record;
	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = record * 31 + writing;
	memcpy(value, words, STORE_VALUE);
}

int store_check(uint32_t record, const void *value, size_t len)
{
	uint32_t words[STORE_VALUE / sizeof(uint32_t)];

	if (len != sizeof(words))
		return -EBADMSG;
	memcpy(words, value, sizeof(words));
	if (words[0] != record)
		return -EBADMSG;
	for (size_t i = 2; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i] != words[1])
			return -EBADMSG;
	return 0;
}
