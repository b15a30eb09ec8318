/* store.h - the stores of chapters, as the suite lists and measures them.
 *
 * A store is one file here, with a line of the list and a struct syncop
 * (suite/sync/syncop.h) for each operation. Its file lies in a folder of its
 * own under TMPDIR, or else /var/tmp, which is on a disk where /tmp may be
 * memory, and holds STORE_RECORDS records; each member opens it after the fork, as file locks
 * belong to processes. Not so kv: it is three servers, and keeps few records.
 */
#ifndef UNIXIPC_SUITE_STORAGE_STORE_H
#define UNIXIPC_SUITE_STORAGE_STORE_H

#include <stdint.h>

#include "lib/rng.h"
#include "suite/sync/syncop.h"

enum { STORE_RECORDS = 10000, STORE_KEY = 16, STORE_VALUE = 100 };

struct store {
	const char *name, *title, *summary; /* as of a syncop */
	const char *most;                   /* the largest record */
};

/* All of them, and all of their operations; each ends in NULL. */
extern const struct store *const store_table[];
extern const struct syncop *const store_ops[];

extern const struct store store_kvstore; /* p09 */
extern const struct syncop store_kvstore_get, store_kvstore_set,
	store_kvstore_set_durable;
extern const struct store store_mmapdb; /* p14 */
extern const struct syncop store_mmapdb_get, store_mmapdb_put,
	store_mmapdb_put_durable;
extern const struct store store_kv; /* p18 */
extern const struct syncop store_kv_get, store_kv_put_durable;

/* The state of every operation; each member has its own, as copied by fork. */
struct store_site {
	char folder[256], path[288];
	unsigned int flags; /* the store's own */
	void *handle;       /* the store's own; NULL: not open yet */
	uint32_t writings;
	struct rng rng; /* seeded by the process that draws first */
	int is_seeded;
};

/* Make the folder alone, which the caller removes. Returns 0 or -errno. */
int store_make_folder(struct store_site *site);

/* For syncop.create: make a folder, and have the store filled, which closes what
 * it opened. Nothing is left when it fails. Returns 0 or -errno. */
int store_create(void **state, unsigned int flags,
		 int (*fill)(const struct store_site *site));

/* For syncop.destroy: remove folder and file. */
void store_destroy(void *state);

/* One of the records at random, a different order in each process. */
uint32_t store_draw(struct store_site *site);

/* Key of a record, and a value that tells whose it is and which writing of it.
 * store_check() returns 0, or -EBADMSG when a value is of another record or not
 * whole. */
void store_key(uint32_t record, char key[STORE_KEY]);
void store_value(uint32_t record, uint32_t writing, char value[STORE_VALUE]);
int store_check(uint32_t record, const void *value, size_t len);

#endif
