/* stores.h - the peers' databases while they are measured: a folder each, in one
 * of the bench's own that is gone when it ends. What fails ends the program. */
#ifndef UNIXIPC_P14_MMAPDB_BENCH_STORES_H
#define UNIXIPC_P14_MMAPDB_BENCH_STORES_H

#include "p14-mmapdb/bench/peer.h"
#include "p14-mmapdb/bench/records.h"
#include "p14-mmapdb/bench/trial.h"

enum { STORES_PATH = 512 };

struct stores; /* one in a process */

/* Make the folder within dir. The records stay the caller's. */
struct stores *stores_open(const char *dir, const struct records *records);

/* "tmpfs" or another kind of file system that forgets; NULL: it is on a disk. */
const char *stores_volatile(const struct stores *stores);

/* The file that a peer keeps its records in. */
void stores_file(const struct stores *stores, const struct peer *peer,
		 char path[STORES_PATH]);

/* Run a trial of which all is set but peer, dir, records and number, when what
 * others have left to write is on the disk; a load begins with an empty folder.
 * title is for who watches. */
void stores_run(struct stores *stores, const char *title,
		const struct peer *peer, struct trial trial,
		struct trial_result *result);

/* All records, unless some trial has loaded them before. */
void stores_load_once(struct stores *stores, const struct peer *peer);

/* Before something else is printed. */
void stores_clear_progress(struct stores *stores);

#endif
