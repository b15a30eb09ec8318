/* peer.h - a database as the bench sees it: one table of functions each.
 *
 * A peer's functions end the process with a line when something fails: each
 * trial runs in children. Every handle is opened after the fork. Keys and
 * values are those of records.h.
 */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_PEER_H
#define UNIXIPC_P14_MMAPDB_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

struct peer {
	const char *name;
	const char *file; /* in its folder: the one whose size is told */

	/* In folder dir, made where it is not there (by one process alone).
	 * With is_durable a commit that has returned survives power loss;
	 * otherwise it survives the process, as far as the peer can. */
	void *(*open)(const char *dir, bool is_durable);
	void (*close)(void *handle);

	/* A transaction: of a peer that has none for that, nothing. */
	void (*begin_read)(void *handle);
	void (*end_read)(void *handle);
	void (*begin_write)(void *handle);
	void (*commit)(void *handle);

	/* Valid until the next call; NULL: there is no such key. */
	const void *(*get)(void *handle, const char *key, size_t *len);
	/* Within a write transaction. */
	void (*put)(void *handle, const char *key, const void *value);
};

extern const struct peer peer_ours;
/* Those of other packages, where they are installed. */
extern const struct peer peer_lmdb __attribute__((weak));
extern const struct peer peer_sqlite __attribute__((weak));
extern const struct peer peer_bdb __attribute__((weak));
extern const struct peer peer_tdb __attribute__((weak));

#endif
