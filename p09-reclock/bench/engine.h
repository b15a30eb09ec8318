/* engine.h - what the bench asks of each store. */
#ifndef UNIXIPC_P09_RECLOCK_BENCH_ENGINE_H
#define UNIXIPC_P09_RECLOCK_BENCH_ENGINE_H

#include <stddef.h>

enum { ENGINE_KEY = 16, ENGINE_VALUE = 100 };

/* All end the program when they fail. A handle is one process's. */
struct engine {
	const char *name;
	void *(*open)(const char *path, size_t records);
	void (*close)(void *store);
	void (*get)(void *store, const char *key, char *value);
	void (*set)(void *store, const char *key, const char *value);
	/* n keys of ENGINE_KEY bytes and values of ENGINE_VALUE. */
	void (*batch)(void *store, const char *const *keys,
		      const char *const *values, size_t n);
};

extern const struct engine engine_reclock, engine_tdb, engine_lmdb;

#endif
