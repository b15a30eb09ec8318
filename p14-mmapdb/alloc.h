/* alloc.h - which pages of the file a commit may write to. */
#ifndef UNIXIPC_P14_MMAPDB_ALLOC_H
#define UNIXIPC_P14_MMAPDB_ALLOC_H

#include "p14-mmapdb/handle.h"

struct alloc {
	struct mmapdb *db;
	struct layout_room room;
	uint64_t wanted; /* pages that this commit still needs */
	uint64_t top;    /* all that was taken lies below this */
	bool has_swept;
};

/* Begin, in a write transaction that will need so many pages. */
void alloc_init(struct alloc *alloc, struct mmapdb *db, uint64_t wanted);

/* The first of n pages that follow each other. -ENOSPC, -EDQUOT ... */
int alloc_take(struct alloc *alloc, uint32_t n, uint32_t *pgno);

/* They are ours, all that were taken; before anything is written to them. */
int alloc_finish(struct alloc *alloc, uint64_t taken);

#endif
